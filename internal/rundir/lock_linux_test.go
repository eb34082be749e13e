package rundir

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestHolder is no test: the processes of the tests below run it. It takes the lock, notes begin
// and end in a file, ten times, and dies with the lock in hand.
func TestHolder(t *testing.T) {
	path := os.Getenv("RECAP_TEST_LOCK")
	if path == "" {
		t.Skip("for other tests")
	}
	diary, err := os.OpenFile(path+".diary", os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; ; {
		release, err := Lock(path)
		if locked := new(LockedError); errors.As(err, &locked) {
			if !locked.Running {
				t.Fatal(err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(diary, "begin", os.Getpid())
		if i++; i == 10 {
			fmt.Fprintln(diary, "end", os.Getpid())
			p, _ := os.FindProcess(os.Getpid())
			p.Kill()
			time.Sleep(time.Hour)
		}
		fmt.Fprintln(diary, "end", os.Getpid())
		if err := release(); err != nil {
			t.Fatal(err)
		}
	}
}

func holderProcess(t *testing.T, path string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestHolder$")
	cmd.Env = append(os.Environ(), "RECAP_TEST_LOCK="+path)
	cmd.Stdout = new(bytes.Buffer)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd
}

// TestLockAmongProcesses has three processes at a time take turns; each is killed with the lock in
// hand, and another is begun.
func TestLockAmongProcesses(t *testing.T) {
	path := filepath.Join(t.TempDir(), LockFile)
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for range 4 {
				cmd := holderProcess(t, path)
				if err := cmd.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
					t.Errorf("%v: %s", err, cmd.Stdout)
				}
			}
		})
	}
	wg.Wait()
	text, err := os.ReadFile(path + ".diary")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	if len(lines) != 3*4*10*2 {
		t.Errorf("%d lines, want %d", len(lines), 3*4*10*2)
	}
	for i := 0; i < len(lines)-1; i += 2 {
		if begin, end := lines[i], lines[i+1]; strings.TrimPrefix(begin,
			"begin ") != strings.TrimPrefix(end, "end ") {
			t.Fatalf("two held the lock at once: %q, %q", begin, end)
		}
	}
}

// writeLock writes a lock as a process would have that is described by change.
func writeLock(t *testing.T, path string, change func(h *Holder)) {
	t.Helper()
	h, err := self()
	if err != nil {
		t.Fatal(err)
	}
	change(&h)
	text, err := json.Marshal(h)
	if err == nil {
		err = os.WriteFile(path, text, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestOneTakesOver has many goroutines find a dead lock at once.
func TestOneTakesOver(t *testing.T) {
	path := filepath.Join(t.TempDir(), LockFile)
	for range 50 {
		writeLock(t, path, func(h *Holder) { h.Start++ })
		var wg sync.WaitGroup
		var taken atomic.Int32
		var release atomic.Value
		for range 8 {
			wg.Go(func() {
				r, err := Lock(path)
				if err == nil {
					taken.Add(1)
					release.Store(r)
				} else if locked := new(LockedError); !errors.As(err, &locked) || !locked.Running {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if taken.Load() != 1 {
			t.Fatalf("%d took the lock over", taken.Load())
		}
		if err := release.Load().(func() error)(); err != nil {
			t.Fatal(err)
		}
	}
	if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) != 0 {
		t.Errorf("files are left: %v %v", left, err)
	}
}

func TestWhoseLock(t *testing.T) {
	zombie := exec.Command("sleep", "100")
	if err := zombie.Start(); err != nil {
		t.Fatal(err)
	}
	defer zombie.Wait()
	zombieStart, _, _ := stat(zombie.Process.Pid)
	if err := zombie.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for {
		if _, ended, _ := stat(zombie.Process.Pid); ended {
			break
		}
	}
	if _, ended, shown := stat(1 << 30); ended || shown {
		t.Error("a process that /proc does not show has ended, or is shown")
	}
	for _, c := range []struct {
		what   string
		change func(h *Holder)
		env    string
		want   string // free, running, unknown
	}{
		{"this process", func(*Holder) {}, "", "running"},
		{"another that lives", func(h *Holder) {
			h.PID = os.Getppid()
			h.Start, _, _ = stat(h.PID)
		}, "", "running"},
		{"a number used again", func(h *Holder) { h.Start-- }, "", "free"},
		{"no such number", func(h *Holder) { h.PID = 1 << 30 }, "", "free"},
		{"one that nobody has waited for", func(h *Holder) {
			h.PID, h.Start = zombie.Process.Pid, zombieStart
		}, "", "free"},
		{"before the last boot", func(h *Holder) { h.Boot = "another" }, "", "free"},
		{"another host", func(h *Holder) {
			h.Host += "-2"
			h.Boot = "another"
			h.PID = 1 << 30
		}, "", "unknown"},
		{"another container called so", func(h *Holder) {
			h.Namespace = "pid:[1]"
		}, "", "unknown"},
		{"the pod before", func(h *Holder) { h.Namespace = "pid:[1]" }, "3", "free"},
	} {
		t.Run(c.what, func(t *testing.T) {
			if c.env != "" {
				t.Setenv("JOB_COMPLETION_INDEX", c.env)
			}
			path := filepath.Join(t.TempDir(), LockFile)
			writeLock(t, path, c.change)
			before, _ := os.ReadFile(path)
			release, err := Lock(path)
			locked := new(LockedError)
			switch got := errors.As(err, &locked); {
			case c.want == "free":
				if err != nil {
					t.Fatal(err)
				}
				if err := release(); err != nil {
					t.Error(err)
				}
				if _, err := os.Stat(path); err == nil {
					t.Error("the lock is still there after its release")
				}
			case !got, locked.Running != (c.want == "running"):
				t.Errorf("%v, %+v; want %s", err, locked, c.want)
			default:
				if now, _ := os.ReadFile(path); !bytes.Equal(before, now) {
					t.Errorf("the lock was touched: %s", now)
				}
				if advice := strings.Contains(err.Error(),
					"remove "+path); advice != (c.want == "unknown") {
					t.Error(err)
				}
			}
		})
	}
}

// TestReleaseLocks removes the locks of this process, but neither one that was released nor one
// that is another's now.
func TestReleaseLocks(t *testing.T) {
	dir := t.TempDir()
	var paths []string
	for _, name := range []string{"held", "replaced", "released"} {
		path := filepath.Join(dir, name)
		release, err := Lock(path)
		if err != nil {
			t.Fatal(err)
		}
		if paths = append(paths, path); name == "released" {
			if err := release(); err != nil {
				t.Fatal(err)
			}
		}
	}
	others := func(h *Holder) { h.Host = "another" }
	writeLock(t, paths[1], others)
	writeLock(t, paths[2], others)
	ReleaseLocks()
	for i, want := range []bool{false, true, true} {
		if _, err := os.Stat(paths[i]); (err == nil) != want {
			t.Errorf("%s: %v, want it to exist: %v", paths[i], err, want)
		}
	}
}

// TestCleanUp has a temporary file, or a lock of a process that has ended or still runs.
func TestCleanUp(t *testing.T) {
	for _, c := range []struct {
		what            string
		lock, leftover  bool
		running, cleans bool
	}{
		{"a lock and a temporary file", true, true, false, true},
		{"a lock", true, false, false, true},
		{"a temporary file", false, true, false, true},
		{"a lock that is held and a temporary file", true, true, true, false},
	} {
		d := Dir(t.TempDir())
		if c.lock {
			writeLock(t, d.File(LockFile), func(h *Holder) {
				if !c.running {
					h.PID = 1 << 30
				}
			})
		}
		if c.leftover {
			if err := os.WriteFile(d.File(".x.1.partial"), nil, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if err := d.CleanUp(); err != nil {
			t.Errorf("%s: %v", c.what, err)
		}
		if left, err := os.ReadDir(string(d)); err != nil || (len(left) == 0) != c.cleans {
			t.Errorf("%s: %v are left, %v", c.what, left, err)
		}
	}
}

func TestBrokenLocks(t *testing.T) {
	path := filepath.Join(t.TempDir(), LockFile)
	if err := os.WriteFile(path, []byte("mine!"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Lock(path); err == nil ||
		!strings.Contains(err.Error(), path+": expected the holder of a lock") {
		t.Error(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	release, err := Lock(path)
	if err != nil {
		t.Fatal(err)
	}
	writeLock(t, path, func(h *Holder) { h.Host = "another" })
	if err := release(); err == nil ||
		!strings.Contains(err.Error(), "expected our lock, found it removed or replaced") {
		t.Error(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Error("another's lock was removed:", err)
	}
	if _, err := Lock(filepath.Join(path, "no", "such")); err == nil {
		t.Error("a lock in no directory")
	}
}
