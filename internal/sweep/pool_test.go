package sweep

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-6655bf3b/recap/internal/files/filestest"
	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/runs"
	"github.com/seed-6655bf3b/recap/internal/settings"
	"github.com/seed-6655bf3b/recap/internal/settings/settingstest"
	"github.com/seed-6655bf3b/recap/internal/tables"
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
	if string(do) == "work" {
		if RunWorker(context.Background(), dir, os.Stdin, os.Stdout, discard) != nil {
			return 1
		}
		return 0
	}
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
	case "quiet":
	case "noise": // as of a library that writes to the standard output
		fmt.Fprintln(os.Stderr, "called", os.Args[0])
		fmt.Println("warning: no JSON")
		messages.Encode(message{})
		finish()
		fmt.Println(`{"end": "failed", "reason": 7}`)
	case "long line":
		fmt.Println(strings.Repeat("x", 1<<17))
		fmt.Println(strings.Repeat("y", 1<<17))
		finish()
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

// TestOddWorkers has processes that say nothing of their outcome, or more than that, and a unit
// without a directory. Each has all cores, since the pool has one worker.
func TestOddWorkers(t *testing.T) {
	units := fakeUnits(t, "quiet", "noise", "long line", "train")
	if err := os.RemoveAll(units[3].Dir); err != nil {
		t.Fatal(err)
	}
	p := &Pool{Workers: 1, Cores: 3, Command: "fake", Log: discard,
		Progress: func(u *runs.Unit, p *train.Progress) {
			if p == nil {
				t.Errorf("%s: a message without progress", u.Dir)
			}
		}}
	results := p.Run(t.Context(), units)
	const lost = "sweep: the training process ended without reporting an outcome: exit status 0"
	for i, want := range []Result{{Outcome: Failed, Reason: lost}, {Outcome: Done},
		{Outcome: Failed, Reason: lost}, {Outcome: Failed, Reason: "open " +
			filepath.Join(units[3].Dir, LogFile) + ": no such file or directory"}} {
		if r := results[i]; r.Outcome != want.Outcome || r.Reason != want.Reason {
			t.Errorf("unit %d: %s, %s; want %s, %s", i, r.Outcome, r.Reason, want.Outcome,
				want.Reason)
		}
	}
	if text, err := os.ReadFile(filepath.Join(units[1].Dir, LogFile)); err != nil ||
		string(text) != "cores 3, noise\ncalled "+os.Args[0]+"\n" {
		t.Errorf("log %q, %v", text, err)
	}
}

// TestExecutable opens the program that runs even if another has its name by now.
func TestExecutable(t *testing.T) {
	path, err := executable()
	if want := "/proc/self/exe"; err != nil || path != want && runtime.GOOS == "linux" {
		t.Errorf("%s, %v, want %s", path, err, want)
	}
}

// TestLogOfResults compares the lines of the log, without the time.
func TestLogOfResults(t *testing.T) {
	var log bytes.Buffer
	p := &Pool{Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}}))}
	unit := runs.Unit{Dir: "full/seed1"}
	for _, c := range []struct {
		r    Result
		want string
	}{
		{Result{Outcome: Skipped}, `level=INFO msg="finished already" unit=full/seed1`},
		{Result{Outcome: Done, Elapsed: 1260 * time.Millisecond, Memory: 2_999_999},
			"level=INFO msg=done unit=full/seed1 seconds=1.3 MB=2 remaining=3"},
		{Result{Outcome: Failed, Reason: "no luck"},
			`level=ERROR msg=failed unit=full/seed1 reason="no luck"`},
		{Result{Outcome: Failed, Reason: "why", Elapsed: time.Second},
			"level=ERROR msg=failed unit=full/seed1 seconds=1.0 MB=0 remaining=3 reason=why"},
		{Result{Outcome: Stopped, Elapsed: time.Minute, Memory: 1e9},
			"level=INFO msg=stopped unit=full/seed1 seconds=60.0 MB=1000 remaining=3"},
		{Result{Outcome: Locked, Elapsed: time.Second},
			`level=INFO msg="another process locked the unit first" unit=full/seed1`},
	} {
		log.Reset()
		c.r.Unit = unit
		p.logResult(&c.r, 3)
		if log.String() != c.want+"\n" {
			t.Errorf("%s: %swant\n%s", c.r.Outcome, &log, c.want)
		}
	}
}

// worker runs RunWorker and returns what it writes, and its error. It calls wrote after each write.
func worker(
	t *testing.T, ctx context.Context, dir rundir.Dir, in io.Reader, wrote func(),
) ([]message, error) {
	t.Helper()
	var out bytes.Buffer
	failed := RunWorker(ctx, string(dir), in, io.MultiWriter(&out, writer(wrote)), discard)
	var messages []message
	for d := json.NewDecoder(&out); d.More(); {
		var m message
		if err := d.Decode(&m); err != nil {
			t.Fatal(err)
		}
		messages = append(messages, m)
	}
	return messages, failed
}

// A writer is called after each write.
type writer func()

func (f writer) Write(p []byte) (int, error) {
	f()
	return len(p), nil
}

var discard = slog.New(slog.DiscardHandler)

// TestInterruptedWorker interrupts a worker by its context before it trains, and one by the end of
// its input while it trains. Others have units that are locked and without a configuration.
func TestInterruptedWorker(t *testing.T) {
	filestest.Use(t, filestest.Fast{})
	run := filepath.Join(t.TempDir(), "synthetic", "toy", "full")
	c := settingstest.Resolved(t, map[string]string{"train.epochs.stage2": "500", "name": "full"})
	dirs, err := rundir.CreateSeeds(run, c, []uint64{5, 6, 7})
	if err != nil {
		t.Fatal(err)
	}
	open, end := io.Pipe() // to the end of the test
	defer end.Close()
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	in, sweep := io.Pipe()
	for i, w := range []struct {
		ctx   context.Context
		in    io.Reader
		wrote func()
	}{{cancelled, open, func() {}}, {t.Context(), in, func() { sweep.Close() }}} {
		messages, err := worker(t, w.ctx, dirs[i], w.in, w.wrote)
		records, e := dirs[i].Records()
		if n := len(messages); !errors.As(err, new(*train.Interrupted)) || n < i+1 ||
			messages[n-1] != (message{End: Stopped}) || e != nil || len(records) < i ||
			len(records) > i*400 {
			t.Errorf("unit %d: %+v, %v after %d epochs, %v", i, messages, err, len(records), e)
		}
	}
	release, err := rundir.Lock(dirs[2].File(rundir.LockFile))
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	messages, err := worker(t, t.Context(), dirs[2], open, func() {})
	if err != nil || len(messages) != 1 || messages[0].End != Locked || !strings.HasPrefix(
		messages[0].Reason, fmt.Sprintf("rundir: %s: in use by process %d", dirs[2],
			os.Getpid())) {
		t.Errorf("locked: %+v, %v", messages, err)
	}
	messages, err = worker(t, t.Context(), rundir.Dir(run), open, func() {})
	want := fmt.Sprintf("rundir: %s: expected the directory of a run, found no config.yaml", run)
	if err == nil || len(messages) != 1 || messages[0].End != Failed ||
		messages[0].Reason != err.Error() || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("without a configuration: %+v, %v, want %s", messages, err, want)
	}
}

// TestUnreadWorker starts a process that trains a unit and whose output nobody reads, as after the
// sweep was killed.
func TestUnreadWorker(t *testing.T) {
	run := filepath.Join(t.TempDir(), "full")
	dirs, err := rundir.CreateSeeds(run, settingstest.Resolved(t, nil), []uint64{5})
	if err != nil {
		t.Fatal(err)
	}
	in, sweep, e1 := os.Pipe()
	unread, out, e2 := os.Pipe()
	program, e3 := os.Executable()
	if err := errors.Join(e1, e2, e3, unread.Close(),
		os.WriteFile(dirs[0].File("do"), []byte("work"), 0o644)); err != nil {
		t.Fatal(err)
	}
	defer sweep.Close()
	cmd := &exec.Cmd{Path: program, Args: []string{program, "fake", string(dirs[0])}, Stdin: in,
		Stdout: out}
	if err := cmd.Run(); err != nil || !dirs[0].Finished() {
		t.Errorf("finished: %v, error %v", dirs[0].Finished(), err)
	}
	if err := errors.Join(in.Close(), out.Close()); err != nil {
		t.Error(err)
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
	began := time.Now()
	messages, err := worker(t, t.Context(), dirs[0], in, func() {})
	if err != nil {
		t.Fatal(err)
	}
	if most := 2 + int(time.Since(began)/progressInterval); len(messages) > most {
		t.Errorf("%d messages in %v", len(messages), time.Since(began))
	}
	if n := len(messages); n < 2 || messages[0].Progress == nil ||
		messages[0].Progress.Phase != "stage1" || messages[n-1].End != Done {
		t.Errorf("messages %+v, want progress, and at the end %s", messages, Done)
	}
	var log bytes.Buffer
	p := &Pool{Log: slog.New(slog.NewTextHandler(&log, nil))}
	c.Seed = 5
	p.logResult(&Result{Unit: runs.Unit{Dir: string(dirs[0]), Config: c}, Outcome: Done}, 0)
	mean, _, _, err := tables.Scores(run, []uint64{5})
	if want := fmt.Sprintf(" msg=done unit=%s MAE=%.4f Corr=%.4f\n", dirs[0], mean["MAE"],
		mean["Corr"]); err != nil || !strings.HasSuffix(log.String(), want) {
		t.Errorf("log %s, want %s, %v", &log, want, err)
	}
}

func TestInterruption(t *testing.T) {
	units := fakeUnits(t, "long", "long", "train", "train")
	ctx, cancel := context.WithCancel(context.Background())
	started := 0
	p := &Pool{Workers: 2, Cores: 1, Command: "fake", Log: discard,
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
