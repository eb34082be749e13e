package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
)

// sweepArgs has six units of eight epochs.
var sweepArgs = []string{"sweep", "--config", "tiny.yaml", "--set", "train.epochs.stage1=4",
	"--set", "train.epochs.stage2=4",
	"--variants", "full,no-fid", "-s", "1,2,3", "--workers", "2"}

// journalLines counts the epochs of all units.
func journalLines(dir string) int {
	n := 0
	paths, _ := filepath.Glob(filepath.Join(dir, "runs/*/*/*/seed*/metrics.jsonl"))
	for _, path := range paths {
		text, _ := os.ReadFile(path)
		n += strings.Count(string(text), "\n")
	}
	return n
}

func locks(t *testing.T, dir string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "runs/*/*/*/seed*/running.lock"))
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

// underWay returns the locks of units that are not finished. A finished one may keep the lock of a
// process that was killed between its last two writes, until a sweep comes to its end.
func underWay(t *testing.T, dir string) []string {
	return slices.DeleteFunc(locks(t, dir), func(lock string) bool {
		_, err := os.Stat(filepath.Join(filepath.Dir(lock), "predictions.csv"))
		return err == nil
	})
}

// sweepUntil starts a sweep and sends a signal once so many epochs were made, and a little later.
// With group it goes to the sweep's processes too.
func sweepUntil(
	t *testing.T, dir string, epochs int, signal syscall.Signal, group bool,
) (stderr string) {
	t.Helper()
	cmd, text := process(t, dir, sweepArgs...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for range 30000 {
		if journalLines(dir) >= epochs {
			break
		}
		time.Sleep(time.Millisecond)
	}
	time.Sleep(time.Duration(rand.IntN(30)) * time.Millisecond)
	pid := cmd.Process.Pid
	if group {
		pid = -pid
	}
	if err := syscall.Kill(pid, signal); err != nil {
		t.Log("finished before the signal:", err)
	}
	if err := cmd.Wait(); err == nil {
		t.Logf("finished before %v\n%s", signal, text)
	}
	return text.String()
}

var epochLine = regexp.MustCompile(`phase=\S+ epoch=\d+/`)

// TestSweepKilledAndResumed kills a sweep in several ways: with all its processes, alone, and by
// Ctrl-C. In the end each unit is as train makes it, and no epoch was made twice but those that
// were under way.
func TestSweepKilledAndResumed(t *testing.T) {
	dir := workDir(t)
	sweepUntil(t, dir, 3, syscall.SIGKILL, true)
	if len(locks(t, dir)) == 0 {
		t.Log("no unit was under way")
	}
	sweepUntil(t, dir, 14, syscall.SIGKILL, true)

	sweepUntil(t, dir, 20, syscall.SIGKILL, false)
	for range 60000 { // what it began goes on to the end of an epoch, and lets go
		if len(underWay(t, dir)) == 0 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if left := underWay(t, dir); len(left) > 0 {
		t.Errorf("without their sweep, units are still in use: %v", left)
	}

	stderr := sweepUntil(t, dir, 28, syscall.SIGINT, true)
	if left := locks(t, dir); left != nil {
		t.Errorf("after Ctrl-C, units are still in use: %v", left)
	}
	if !strings.Contains(stderr, "interrupted: ") ||
		!strings.Contains(stderr, "run the same command again to continue") {
		t.Errorf("interrupted, it says\n%s", stderr)
	}

	cmd, text := process(t, dir, sweepArgs...)
	if err := cmd.Run(); err != nil {
		t.Fatal(err, text)
	}
	single := workDir(t)
	for _, variant := range []string{"full", "no-fid"} {
		if out, err := exec.Command("recap", "train", "--config",
			filepath.Join(single,
				"tiny.yaml"), "--set", "train.epochs.stage1=4", "--set", "train.epochs.stage2=4",
			"--variant", variant, "-s", "1", "-s", "2", "-s", "3",
			"--out", filepath.Join(single, "runs")).CombinedOutput(); err != nil {
			t.Fatal(err, string(out))
		}
		for seed := 1; seed <= 3; seed++ {
			compareUnit(t, dir,
				single, fmt.Sprintf("runs/synthetic/recap/%s/seed%d", variant, seed))
		}
	}
}

// compareUnit compares the files of a unit of a sweep, and the summary of its run, with those that
// train made.
func compareUnit(t *testing.T, dir, single, unit string) {
	t.Helper()
	for _, name := range append(filesOf(t, filepath.Join(single, unit)), "../summary.csv",
		"../summary.md") {
		got, e1 := os.ReadFile(filepath.Join(dir, unit, name))
		want, e2 := os.ReadFile(filepath.Join(single, unit, name))
		// which has times
		if e1 != nil || e2 != nil || string(got) != string(want) && name != "metrics.jsonl" {
			t.Errorf("%s/%s is not as train makes it (%v, %v)", unit, name, e1, e2)
		}
	}
	log, err := os.ReadFile(filepath.Join(dir, unit, "log.txt"))
	if err != nil {
		t.Fatal(err)
	}
	epochs := epochLine.FindAllString(string(log), -1)
	once := slices.Compact(slices.Sorted(slices.Values(epochs)))
	if len(once) != len(epochs) {
		t.Errorf("%s: epochs were made twice: %v", unit, epochs)
	}
	files := filesOf(t, filepath.Join(dir, unit))
	files = slices.DeleteFunc(files, func(name string) bool { return name == "log.txt" })
	if want := filesOf(t, filepath.Join(single, unit)); !slices.Equal(files, want) {
		t.Errorf("%s has the files %v, want %v", unit, files, want)
	}
}

func filesOf(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// TestClusterFiles runs what docs/cluster hands to Slurm, and checks what it hands to Kubernetes
// up to the data, which are not there.
func TestClusterFiles(t *testing.T) {
	docs, err := filepath.Abs(filepath.Join("..", "..", "docs", "cluster"))
	if err != nil {
		t.Fatal(err)
	}
	dir := workDir(t)
	batch := exec.Command("bash", filepath.Join(docs, "recap.sbatch"), "--config", "tiny.yaml")
	batch.Dir = dir
	batch.Env = append(os.Environ(), "SLURM_ARRAY_TASK_ID=3", "SLURM_ARRAY_TASK_MIN=0",
		"SLURM_ARRAY_TASK_MAX=8", "SLURM_ARRAY_TASK_COUNT=9", "SLURM_ARRAY_TASK_STEP=1")
	if out, err := batch.CombinedOutput(); err != nil ||
		strings.Count(string(out), "msg=done") != 2 ||
		!strings.Contains(string(out), "shard=3/9") {
		t.Errorf("recap.sbatch: %v\n%s", err, out)
	}

	text, err := os.ReadFile(filepath.Join(docs, "job.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var job struct {
		Spec struct {
			Completions int
			Template    struct {
				Spec struct {
					Containers []struct {
						Args []string
						Env  []struct{ Name, Value string }
					}
				}
			}
		}
	}
	if err := yaml.Unmarshal(text, &job); err != nil {
		t.Fatal(err)
	}
	pod := job.Spec.Template.Spec.Containers[0]
	if len(pod.Env) != 1 || pod.Env[0].Name != "RECAP_SHARDS" ||
		pod.Env[0].Value != fmt.Sprint(job.Spec.Completions) {
		t.Errorf("job.yaml: %d completions, environment %v", job.Spec.Completions, pod.Env)
	}
	cmd, stderr := process(t, dir, pod.Args...)
	cmd.Env = append(os.Environ(), "RECAP_SHARDS="+pod.Env[0].Value, "JOB_COMPLETION_INDEX=1")
	err = cmd.Run()
	if err == nil || cmd.ProcessState.ExitCode() != exitFailure ||
		!strings.Contains(stderr.String(), "shard=1/4") ||
		!strings.Contains(stderr.String(), "data set mosi: stat /data/mosi.safetensors") {
		t.Errorf("job.yaml: %v\n%s", err, stderr)
	}
}
