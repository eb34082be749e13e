package rundir

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// LockFile marks the directory of a seed as in use. It is there while a process trains.
const LockFile = "running.lock"

// A Holder is a process that uses a directory.
type Holder struct {
	Host      string    `json:"host"`
	PID       int       `json:"pid"`
	Start     uint64    `json:"start"`     // of the process, in clock ticks since the host's boot
	Boot      string    `json:"boot"`      // names the host's boot
	Namespace string    `json:"namespace"` // in which the process has its number
	Since     time.Time `json:"since"`
}

// Held says that a directory is another process's.
type Held struct {
	Path   string // of the lock
	Holder Holder
	Here   bool // a process of this host, which lives
}

func (e *Held) Error() string {
	h := &e.Holder
	text := fmt.Sprintf("rundir: %s: in use by process %d of host %s since %s", filepath.Dir(e.Path), h.PID, h.Host, h.Since.Format(time.DateTime))
	if e.Here {
		return text
	}
	return text + ", which cannot be seen from here; if that process is no more, remove " + e.Path
}

// Lock takes a path for this process, or returns a *Held. The lock is a file that names its holder
// and appears whole, by link(2), which lets one succeed on local file systems and on NFS alike. A
// lock left by a dead process of this host is taken over; of processes elsewhere nothing is known,
// and their locks are not touched. Hosts are told apart by their names.
func Lock(path string) (release func() error, err error) {
	for range 1000 { // others come and go
		release, err = tryLock(path)
		if !errors.Is(err, errRetry) {
			return release, err
		}
	}
	return nil, fmt.Errorf("rundir: %s: expected to take or to see this lock, found it changing all the time", path)
}

// errRetry says that another process changed the lock meanwhile.
var errRetry = errors.New("lock changed")

func tryLock(path string) (release func() error, err error) {
	text, err := describeSelf()
	if err != nil {
		return nil, err
	}
	mine, err := writeBeside(path, text)
	if err != nil {
		return nil, err
	}
	defer os.Remove(mine)
	release = func() error { return unlock(path, text) }
	err = os.Link(mine, path)
	if err == nil || sameFile(mine, path) { // a server's answer can be lost
		return release, nil
	}
	if errors.Is(err, fs.ErrNotExist) { // mine was swept away by who had the lock
		return nil, errRetry
	}
	if !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("rundir: lock: %w", err)
	}
	if err := replaceDead(path, mine); err != nil {
		return nil, err
	}
	return release, nil
}

func describeSelf() ([]byte, error) {
	self, err := self()
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(self)
	if err != nil {
		return nil, fmt.Errorf("rundir: lock: %w", err)
	}
	return append(text, '\n'), nil
}

// writeBeside writes a file beside path.
func writeBeside(path string, text []byte) (name string, err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return "", fmt.Errorf("rundir: lock: %w", err)
	}
	_, err = f.Write(text)
	if err := errors.Join(err, f.Chmod(0o644), f.Close()); err != nil {
		os.Remove(f.Name())
		return "", fmt.Errorf("rundir: lock: %w", err)
	}
	return f.Name(), nil
}

func sameFile(a, b string) bool {
	x, e1 := os.Stat(a)
	y, e2 := os.Stat(b)
	return e1 == nil && e2 == nil && os.SameFile(x, y)
}

// replaceDead puts mine in the place of a dead process's lock. Several may see at once that it is
// dead: only who has the kernel's lock of that very file, and finds it still in its place,
// replaces it.
func replaceDead(path, mine string) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return errRetry
	}
	if err != nil {
		return fmt.Errorf("rundir: lock: %w", err)
	}
	defer f.Close()
	held, err := readHolder(f, path)
	if err != nil {
		return err
	}
	if held != nil {
		return held
	}
	if err := flock(f); err != nil {
		return fmt.Errorf("rundir: %s: left by a process that is no more, but not to be taken over: %w; remove it", path, err)
	}
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("rundir: lock: %w", err)
	}
	if there, err := os.Stat(path); err != nil || !os.SameFile(info, there) { // open, so that its number is not used again
		return errRetry
	}
	if err := os.Rename(mine, path); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return errRetry
		}
		return fmt.Errorf("rundir: lock: %w", err)
	}
	return nil
}

// readHolder returns who holds the lock, nil if a dead process of this host does.
func readHolder(f *os.File, path string) (*Held, error) {
	h := &Held{Path: path}
	if err := json.NewDecoder(f).Decode(&h.Holder); err != nil {
		return nil, fmt.Errorf("rundir: %s: expected the holder of a lock, found something else: %w; if no process uses this directory, remove it", path, err)
	}
	self, err := self()
	if err != nil {
		return nil, err
	}
	dead := false
	if h.Holder.Host == self.Host {
		h.Here, dead = h.Holder.fate(self)
	}
	if dead {
		return nil, nil
	}
	return h, nil
}

// LockHolder returns who holds a lock, nil if nobody who lives does.
func LockHolder(path string) (*Held, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("rundir: lock: %w", err)
	}
	defer f.Close()
	return readHolder(f, path)
}

// unlock removes a lock if it is still ours.
func unlock(path string, ours []byte) error {
	if there, err := os.ReadFile(path); err != nil || !bytes.Equal(there, ours) {
		return fmt.Errorf("rundir: %s: expected our lock, found it removed or replaced; two processes may have used this directory", path)
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("rundir: lock: %w", err)
	}
	return nil
}

// patience is how long a process waits for another that chooses directories, which takes
// milliseconds.
const patience = 30 * time.Second

// AwaitLock takes a lock that others hold for moments only.
func AwaitLock(path string) (release func() error, err error) {
	for began := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		var held *Held
		if release, err = Lock(path); !errors.As(err, &held) || time.Since(began) > patience {
			return release, err
		}
	}
}

// WithLock calls f while no other process uses the directory.
func (d Dir) WithLock(f func() error) error {
	release, err := Lock(d.File(LockFile))
	if err != nil {
		return err
	}
	return errors.Join(f(), release())
}
