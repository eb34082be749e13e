package sweep

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-6655bf3b/recap/internal/files/filestest"
	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/runs"
	"github.com/seed-6655bf3b/recap/internal/settings"
	"github.com/seed-6655bf3b/recap/internal/settings/settingstest"
	"github.com/seed-6655bf3b/recap/internal/train"
)

// TestMain is also the program that a pool starts: a fake of RunWorker. The file "do" in the
// unit's directory selects what it does.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "fake" {
		os.Exit(fake(os.Args[2]))
	}
	os.Exit(m.Run())
}

func fake(dir string) int {
	messages := json.NewEncoder(os.Stdout)
	do, _ := os.ReadFile(filepath.Join(dir, "do"))
	fmt.Fprintf(os.Stderr, "cores %s, %s\n", os.Getenv("GOMAXPROCS"), do)
	messages.Encode(message{Progress: &train.Progress{Phase: "stage1", Epoch: 1, Epochs: 2}})
	finish := func() {
		os.WriteFile(filepath.Join(dir, "predictions.csv"), nil, 0o644)
		messages.Encode(message{End: Done})
	}
	switch string(do) {
	case "train":
		time.Sleep(20 * time.Millisecond)
		finish()
	case "fail":
		messages.Encode(message{End: Failed, Reason: "no luck"})
		return 1
	case "panic":
		panic("at the disco")
	case "kill":
		p, _ := os.FindProcess(os.Getpid())
		p.Kill()
		time.Sleep(time.Hour)
	case "lose": // another process is first, and does not finish
		os.WriteFile(filepath.Join(dir, "do"), []byte("train"), 0o644)
		messages.Encode(message{End: Locked})
	case "long":
		io.Copy(io.Discard, os.Stdin)
		messages.Encode(message{End: Stopped})
	}
	return 0
}

// fakeUnits creates one unit per action of fake.
func fakeUnits(t *testing.T, actions ...string) []runs.Unit {
	t.Helper()
	out := t.TempDir()
	var units []runs.Unit
	for i, action := range actions {
		dir := filepath.Join(out, "synthetic", "recap", "full", fmt.Sprintf("seed%d", i))
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "do"), []byte(action), 0o644); err != nil {
			t.Fatal(err)
		}
		if action == "nothing" {
			if err := os.WriteFile(filepath.Join(dir, "predictions.csv"), nil, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		units = append(units, runs.Unit{Dir: dir, Config: settings.Config{Seed: uint64(i)}})
	}
	return units
}

func outcomes(results []Result) (list []Outcome) {
	for _, r := range results {
		list = append(list, r.Outcome)
	}
	return list
}

func TestOutcomes(t *testing.T) {
	units := fakeUnits(t, "train", "nothing", "fail", "panic", "kill", "lose", "train", "train")
	if err := os.WriteFile(filepath.Join(units[7].Dir, "running.lock"), []byte("whose?"),
		0o644); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	steps, ended := 0, 0
	p := &Pool{Workers: 2, Cores: 5, Command: "fake",
		Log: slog.New(slog.NewTextHandler(&log, nil)),
		Progress: func(u *runs.Unit, p *train.Progress) {
			if steps++; p.Phase != "stage1" || p.Epoch != 1 || p.Epochs != 2 {
				t.Error(p)
			}
		},
		End: func(*Result) { ended++ }}
	results := p.Run(context.Background(), units)
	want := []Outcome{Done, Skipped, Failed, Failed, Failed, Done, Done, Failed}
	if got := outcomes(results); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if steps != 7 || ended != 9 { // one unit was started twice
		t.Errorf("%d steps, %d ends; want 7 and 9", steps, ended)
	}
	for i, part := range map[int]string{2: "no luck",
		3: "without reporting an outcome: exit status 2",
		4: "without reporting an outcome: signal: killed", 7: "expected the holder of a lock"} {
		if !strings.Contains(results[i].Reason, part) {
			t.Errorf("unit %d failed: %q, want %q", i, results[i].Reason, part)
		}
	}
	for i, part := range map[int]string{0: "cores 2, train\n", 3: "panic: at the disco",
		5: "cores 2, lose\ncores 2, train\n"} {
		if text, err := os.ReadFile(filepath.Join(units[i].Dir, LogFile)); err != nil ||
			!strings.Contains(string(text), part) {
			t.Errorf("log of unit %d: %q (%v), want %q", i, text, err, part)
		}
	}
	if open := filestest.Open(filepath.Dir(units[0].Dir)); len(open) > 0 {
		t.Errorf("not closed: %q", open)
	}
	if all := Tallies(units, results); len(all) != 1 || all[0].Run != units[0].Run() ||
		all[0].Done != 3 || all[0].Skipped != 1 || all[0].Failed != 4 || all[0].Remaining != 0 ||
		!slices.Equal(all[0].Seeds, []uint64{0, 1, 2, 3, 4, 5, 6, 7}) {
		t.Errorf("tallies %+v, want 3 done, 1 skipped and 4 failed of 8 seeds", all)
	}
	if r := &results[0]; r.Elapsed < 20*time.Millisecond || r.Memory < 1e6 || r.Memory > 1e9 {
		t.Errorf("a unit took %v and %d bytes", r.Elapsed, r.Memory)
	} else if want := fmt.Sprintf(" seconds=%.1f MB=%d remaining=", r.Elapsed.Seconds(),
		r.Memory/1e6); !strings.Contains(log.String(), want) {
		t.Errorf("the log does not say %q:\n%s", want, &log)
	}
	for part, n := range map[string]int{"msg=done": 3, "msg=failed": 4,
		`msg="finished already"`: 1, `msg="another process locked the unit first"`: 1,
		"seconds=": 6} { // not of units that were not trained
		if got := strings.Count(log.String(), part); got != n {
			t.Errorf("the log says %s %d times, want %d:\n%s", part, got, n, &log)
		}
	}
	err := Unfinished(results)
	for _, part := range []string{"4 of 8 units are not finished; run the same command again " +
		"to continue\n", "failed: " + units[2].Dir + ": no luck; its log is log.txt"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%v does not say %q", err, part)
		}
	}
}

// TestWorker trains a unit as the process that a pool starts, and logs its result.
func TestWorker(t *testing.T) {
	run := filepath.Join(t.TempDir(), "synthetic", "toy", "full")
	c := settingstest.Resolved(t, map[string]string{"train.epochs.stage1": "1",
		"train.epochs.stage2": "1", "name": "full"})
	dirs, err := rundir.CreateSeeds(run, c, []uint64{5})
	if err != nil {
		t.Fatal(err)
	}
	in, sweep := io.Pipe() // the sweep is not killed
	defer sweep.Close()
	var out, log bytes.Buffer
	discard := slog.New(slog.DiscardHandler)
	if err := RunWorker(t.Context(), string(dirs[0]), in, &out, discard); err != nil {
		t.Fatal(err)
	}
	var messages []message
	for d := json.NewDecoder(&out); d.More(); {
		var m message
		if err := d.Decode(&m); err != nil {
			t.Fatal(err)
		}
		messages = append(messages, m)
	}
	if n := len(messages); n < 2 || messages[0].Progress == nil ||
		messages[0].Progress.Phase != "stage1" || messages[n-1].End != Done {
		t.Errorf("messages %+v, want progress, and at the end %s", messages, Done)
	}
	p := &Pool{Log: slog.New(slog.NewTextHandler(&log, nil))}
	c.Seed = 5
	p.logResult(&Result{Unit: runs.Unit{Dir: string(dirs[0]), Config: c}, Outcome: Done}, 0)
	if !regexp.MustCompile(` MAE=[0-9.]+ Corr=-?[0-9.]+\n$`).MatchString(log.String()) {
		t.Errorf("the log has no scores: %s", &log)
	}
}

func TestInterruption(t *testing.T) {
	units := fakeUnits(t, "long", "long", "train", "train")
	ctx, cancel := context.WithCancel(context.Background())
	started := 0
	p := &Pool{Workers: 2, Cores: 1, Command: "fake", Log: slog.New(slog.DiscardHandler),
		Progress: func(*runs.Unit, *train.Progress) {
			if started++; started == 2 {
				cancel()
			}
		}}
	results := p.Run(ctx, units)
	if got, want := outcomes(results), []Outcome{Stopped, Stopped,
		Waiting, Waiting}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if err := Unfinished(results); err == nil ||
		!strings.Contains(err.Error(),
			"4 of 4 units are not finished; interrupted: 2 stopped after a complete epoch, 2 "+
				"not started; run the same command again to continue") {
		t.Error(err)
	}
	if text, _ := os.ReadFile(filepath.Join(units[0].Dir,
		LogFile)); !strings.Contains(string(text), "cores 1, ") {
		t.Errorf("more workers than cores: %s", text)
	}
}

// TestLockedUnits has a unit that a running process of this host holds and later releases, and one
// that a process of another host holds.
func TestLockedUnits(t *testing.T) {
	units := fakeUnits(t, "train", "train")
	lock := func(i int, host string, pid int) string {
		text, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
		if err != nil {
			t.Skip("needs /proc to identify processes")
		}
		namespace, err := os.Readlink("/proc/self/ns/pid")
		if err != nil {
			t.Fatal(err)
		}
		fields := strings.Fields(procStat(t, pid))
		path := filepath.Join(units[i].Dir, "running.lock")
		holder := fmt.Sprintf(`{"host":%q,"pid":%d,"start":%s,"boot":%q,"namespace":%q,"since":"2026-01-02T03:04:05Z"}`,
			host, pid, fields[19], strings.TrimSpace(string(text)), namespace)
		if err := os.WriteFile(path, []byte(holder), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	here, there := lock(0, host, os.Getpid()), lock(1, host+"-2", os.Getpid())
	var log bytes.Buffer
	p := &Pool{Workers: 2, Cores: 1, Command: "fake",
		Log: slog.New(slog.NewTextHandler(&log, nil))}
	time.AfterFunc(2*pollInterval, func() { os.Remove(here) })
	results := p.Run(context.Background(), units)
	if got, want := outcomes(results), []Outcome{Done, Locked}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if strings.Count(log.String(),
		`msg="waiting for units that other processes of this host train" units=1`) != 1 {
		t.Errorf("want one log message about waiting:\n%s", &log)
	}
	err = Unfinished(results)
	for _, part := range []string{fmt.Sprintf(
		"locked: rundir: %s: in use by process %d of host %s-2 since 2026-01-02 03:04:05",
		units[1].Dir, os.Getpid(), host,
	), "remove " + there} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%v does not say %q", err, part)
		}
	}
}

func procStat(t *testing.T, pid int) string {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Skip("needs /proc to identify processes")
	}
	_, after, _ := strings.Cut(string(text), ") ")
	return after
}
