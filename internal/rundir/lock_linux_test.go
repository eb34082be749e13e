package rundir

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-6655bf3b/recap/internal/files"
	"github.com/seed-6655bf3b/recap/internal/files/filestest"
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

// TestHolderOfALock compares the lock of this process with what the system says of it, in the words
// that other versions of the program read.
func TestHolderOfALock(t *testing.T) {
	defer func(zone *time.Location) { time.Local = zone }(time.Local)
	time.Local = time.FixedZone("elsewhere", 3600)
	before := time.Now().Add(-time.Second)
	path := filepath.Join(t.TempDir(), LockFile)
	release, err := Lock(path)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	host, e1 := os.Hostname()
	boot, e2 := os.ReadFile("/proc/sys/kernel/random/boot_id")
	namespace, e3 := os.Readlink("/proc/self/ns/pid")
	proc, e4 := os.ReadFile("/proc/self/stat") // the program's name has no spaces
	if err := errors.Join(e1, e2, e3, e4); err != nil {
		t.Fatal(err)
	}
	start, err := strconv.ParseFloat(strings.Fields(string(proc))[21], 64)
	since, e := time.Parse("2006-01-02T15:04:05Z", fmt.Sprint(got["since"]))
	if err != nil || e != nil || since.Before(before) || since.After(time.Now()) {
		t.Errorf("since %v: %v, %v", got["since"], err, e)
	}
	want := map[string]any{"host": host, "pid": float64(os.Getpid()), "start": start,
		"boot": strings.TrimSuffix(string(boot), "\n"), "namespace": namespace,
		"since": got["since"]}
	if diff := cmp.Diff(got, want); diff != "" || !bytes.HasSuffix(text, []byte("}\n")) {
		t.Errorf("%s%s", text, diff)
	}
	locked, err := LockHolder(path)
	if err != nil || locked == nil || !locked.Running || locked.Path != path ||
		fmt.Sprint(locked) != fmt.Sprintf("rundir: %s: in use by process %d of host %s since %s",
			filepath.Dir(path), os.Getpid(), host, since.Format("2006-01-02 15:04:05")) {
		t.Errorf("%v, %v", locked, err)
	}
}

// TestLockHolder has locks of others, none, and what is no lock.
func TestLockHolder(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, LockFile)
	if locked, err := LockHolder(path); locked != nil || err != nil {
		t.Errorf("%v, %v, where there is no lock", locked, err)
	}
	writeLock(t, path, func(h *Holder) { h.Start-- })
	if locked, err := LockHolder(path); locked != nil || err != nil {
		t.Errorf("%v, %v, of a process that has ended", locked, err)
	}
	since := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	writeLock(t, path, func(h *Holder) { h.Host, h.PID, h.Since = "there", 7, since })
	locked, err := LockHolder(path)
	if want := "rundir: " + dir + ": in use by process 7 of host there since 2026-01-02 " +
		"03:04:05, which cannot be checked from here; if that process has ended, remove " +
		path; err != nil || locked == nil || locked.Running || fmt.Sprint(locked) != want {
		t.Errorf("%v, %v, want %s", locked, err, want)
	}
	if open := filestest.Open(dir); len(open) > 0 {
		t.Errorf("not closed: %q", open)
	}
	if err := os.WriteFile(path, []byte("mine!"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, broken := LockHolder(path)
	_, locking := Lock(path)
	for _, err := range []error{broken, locking} {
		if want := "rundir: " + path + ": expected the holder of a lock, found something else: " +
			"invalid character 'm' looking for beginning of value; if no process uses this " +
			"directory, remove it"; fmt.Sprint(err) != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	_, broken = LockHolder(dir)
	_, locking = Lock(dir)
	for _, err := range []error{broken, locking} {
		if want := "rundir: lock: " + dir + ": expected a file, found a directory; give a " +
			"regular file"; fmt.Sprint(err) != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

// TestNameOfAProcess reads the state of a process whose name looks like the fields after it.
func TestNameOfAProcess(t *testing.T) {
	const path = "/proc/self/comm"
	old, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	start, _, _ := stat(os.Getpid())
	if err := os.WriteFile(path, []byte("a) Z (1 2"), 0); err != nil {
		t.Fatal(err)
	}
	defer os.WriteFile(path, old, 0)
	if now, zombie, ok := stat(os.Getpid()); now != start || zombie || !ok {
		t.Errorf("start %d, zombie %v, %v; want start %d", now, zombie, ok, start)
	}
}

// onSync is a disk that calls f after a file is written, with its name.
type onSync struct {
	files.System
	f func(name string)
}

// Sync implements [files.Disk].
func (d onSync) Sync(f *os.File) error {
	d.f(f.Name())
	return nil
}

// TestLinks has another process change the files of a lock before it is linked.
func TestLinks(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, LockFile)
	var name string
	for _, w := range []struct {
		what    string
		written func()
		want    string
	}{
		{"removed", func() { os.Remove(name) }, "rundir: " + path + ": expected to create or to " +
			"read this lock, found it changing all the time"},
		{"refused", func() { os.Remove(name); os.Mkdir(name, 0o755) },
			"rundir: lock: link NAME " + path + ": operation not permitted"},
		{"linked already", func() { os.Link(name, path) }, "<nil>"}, // as an answer lost on NFS
	} {
		filestest.Use(t, onSync{f: func(temporary string) { name = temporary; w.written() }})
		release, err := Lock(path)
		if got := strings.Replace(fmt.Sprint(err), name, "NAME", 1); got != w.want {
			t.Errorf("%s: error %s, want %s", w.what, got, w.want)
		}
		if err == nil {
			if err := release(); err != nil {
				t.Error(err)
			}
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("%s: left %v, %v", w.what, left, err)
		}
	}
}

// TestReplaceEnded has the lock of a process that has ended, which is removed, or which another
// process replaces while it holds the kernel's lock.
func TestReplaceEnded(t *testing.T) {
	dir := t.TempDir()
	path, temporary := filepath.Join(dir, LockFile), filepath.Join(dir, "temporary")
	ended := func(h *Holder) { h.PID = 1 << 30 }
	if err := replaceEnded(path, temporary); err != errRetry {
		t.Errorf("without a lock: %v", err)
	}
	writeLock(t, path, ended)
	if err := replaceEnded(path, temporary); err != errRetry {
		t.Errorf("without the new lock: %v", err)
	}
	if err := os.MkdirAll(filepath.Join(temporary, "x"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := replaceEnded(path, temporary); fmt.Sprint(err) !=
		"rundir: lock: rename "+temporary+" "+path+": not a directory" &&
		fmt.Sprint(err) != "rundir: lock: rename "+temporary+" "+path+": file exists" {
		t.Errorf("a lock that cannot be renamed: %v", err)
	}
	if err := os.RemoveAll(temporary); err != nil {
		t.Fatal(err)
	}
	writeLock(t, temporary, func(*Holder) {})
	old, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	if err := flock(old); err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- replaceEnded(path, temporary) }()
	select {
	case err := <-done:
		t.Fatalf("two replace a lock at once: %v", err)
	case <-time.After(20 * time.Millisecond):
	}
	another := filepath.Join(dir, "another")
	writeLock(t, another, ended)
	if err := errors.Join(os.Rename(another, path), old.Close()); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != errRetry {
		t.Errorf("after another replaced it: %v", err)
	}
	if err := replaceEnded(path, temporary); err != nil {
		t.Error(err)
	}
	if locked, err := LockHolder(path); err != nil || locked == nil || !locked.Running {
		t.Errorf("%v, %v, want the new lock", locked, err)
	}
	if open := filestest.Open(dir); len(open) > 0 {
		t.Errorf("not closed: %q", open)
	}
}

// TestWithLock waits for a lock, and has functions that fail and directories in use.
func TestWithLock(t *testing.T) {
	d := Dir(t.TempDir())
	path := d.File(LockFile)
	release, err := Lock(path)
	if err != nil {
		t.Fatal(err)
	}
	called := 0
	err = d.WithLock(func() error { called++; return nil })
	if !errors.As(err, new(*LockedError)) || called != 0 {
		t.Errorf("error %v and %d calls while the directory is in use", err, called)
	}
	time.AfterFunc(10*time.Millisecond, func() {
		if err := release(); err != nil {
			t.Error(err)
		}
	})
	release, err = AwaitLock(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := release(); err != nil {
		t.Fatal(err)
	}
	failed := errors.New("failed")
	err = d.WithLock(func() error {
		called++
		if !d.Has(LockFile) {
			t.Error("called without the lock")
		}
		return failed
	})
	if !errors.Is(err, failed) || called != 1 || d.Has(LockFile) {
		t.Errorf("error %v after %d calls", err, called)
	}
	err = d.WithLock(func() error { return os.Remove(path) })
	for _, want := range []string{fmt.Sprint(err), fmt.Sprint(release())} {
		if want != "rundir: "+path+": expected our lock, found it removed or replaced; two "+
			"processes may have used this directory" {
			t.Errorf("error %s", want)
		}
	}
	below := filepath.Join(path, "x")
	_, err = AwaitLock(below)
	if !strings.HasPrefix(fmt.Sprint(err), "rundir: lock: open "+path) ||
		!errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v of a lock in no directory", err)
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
