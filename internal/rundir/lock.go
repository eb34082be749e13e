package rundir

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/seed-6655bf3b/recap/internal/files"
)

// LockFile is the name of the lock in the directory of a seed. It exists while a process trains.
const LockFile = "running.lock"

// Lock creates the lock at path for this process, or returns a *[LockedError] if another process
// holds it. The lock is a file that describes its holder. It is created by link(2), which is atomic
// on local file systems and on NFS. A lock of a process of this host that has ended is replaced.
// Locks of other hosts are never replaced, because their processes cannot be checked. Hosts are
// identified by name.
func Lock(path string) (release func() error, err error) {
	for range 1000 { // other processes may create and remove it meanwhile
		release, err = tryLock(path)
		if !errors.Is(err, errRetry) {
			return release, err
		}
	}
	return nil, fmt.Errorf(
		"rundir: %s: expected to create or to read this lock, found it changing all the time",
		path,
	)
}

// errRetry means that another process changed the lock meanwhile.
var errRetry = errors.New("lock changed")

func tryLock(path string) (release func() error, err error) {
	text, err := describeSelf()
	if err != nil {
		return nil, err
	}
	temporary, err := files.Temporary(path, contents(text))
	if err != nil {
		return nil, fmt.Errorf("rundir: lock: %w", err)
	}
	defer os.Remove(temporary)
	err = os.Link(temporary, path)
	// On NFS the answer to a successful link can be lost.
	if err == nil || sameFile(temporary, path) {
		return hold(path, text), nil
	}
	if errors.Is(err, fs.ErrNotExist) { // the holder of the lock removed our temporary file
		return nil, errRetry
	}
	if !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("rundir: lock: %w", err)
	}
	if err := replaceEnded(path, temporary); err != nil {
		return nil, err
	}
	return hold(path, text), nil
}

// held has the contents of the locks of this process, by path.
var held sync.Map

// hold returns the function that removes a lock of this process.
func hold(path string, content []byte) (release func() error) {
	held.Store(path, content)
	return func() error {
		defer held.Delete(path)
		return unlock(path, content)
	}
}

// ReleaseLocks removes the locks of this process. It must be the last that the process does: what
// the locks protect is no longer protected.
func ReleaseLocks() {
	held.Range(func(path, content any) bool {
		unlock(path.(string), content.([]byte)) // if it fails, the lock stays as after a kill
		return true
	})
}

func sameFile(a, b string) bool {
	x, e1 := os.Stat(a)
	y, e2 := os.Stat(b)
	return e1 == nil && e2 == nil && os.SameFile(x, y)
}

// replaceEnded replaces the lock of a process that has ended by the file temporary. Several
// processes may find at the same time that the holder has ended: only the one that holds the
// kernel's lock of the file, and finds the file still at path, replaces it.
func replaceEnded(path, temporary string) error {
	f, err := files.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return errRetry
	}
	if err != nil {
		return fmt.Errorf("rundir: lock: %w", err)
	}
	defer f.Close()
	locked, err := readHolder(f, path)
	if err != nil {
		return err
	}
	if locked != nil {
		return locked
	}
	if err := flock(f); err != nil {
		return fmt.Errorf(
			"rundir: %s: the process that holds this lock has ended, but the lock cannot be "+
				"replaced: %w; remove it", path, err,
		)
	}
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("rundir: lock: %w", err)
	}
	// the file is open, so its inode number is not reused
	if now, err := os.Stat(path); err != nil || !os.SameFile(info, now) {
		return errRetry
	}
	if err := os.Rename(temporary, path); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return errRetry
		}
		return fmt.Errorf("rundir: lock: %w", err)
	}
	return nil
}

// unlock removes the lock if it is still the one of this process.
func unlock(path string, content []byte) error {
	if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, content) {
		return fmt.Errorf(
			"rundir: %s: expected our lock, found it removed or replaced; two processes may "+
				"have used this directory", path,
		)
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("rundir: lock: %w", err)
	}
	return nil
}

// lockTimeout is how long a process waits for another one that creates directories, which takes
// milliseconds.
const lockTimeout = 30 * time.Second

// AwaitLock is [Lock] for a lock that other processes hold only briefly: it waits for them.
func AwaitLock(path string) (release func() error, err error) {
	for began := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		var locked *LockedError
		if release, err = Lock(path); !errors.As(err, &locked) || time.Since(began) > lockTimeout {
			return release, err
		}
	}
}

// WithLock calls f while this process holds the lock of the directory.
func (d Dir) WithLock(f func() error) error {
	release, err := Lock(d.File(LockFile))
	if err != nil {
		return err
	}
	return errors.Join(f(), release())
}
