package filestest

import (
	"errors"
	"os"
	"testing"

	"github.com/seed-6655bf3b/recap/internal/files"
)

// failing is the disk of the operating system, but one of its changes fails.
type failing struct {
	files.System
	at, changes int // the change that fails, counted from 0, and the number so far
}

var errFull = errors.New("the disk is full")

func (d *failing) next() error {
	d.changes++
	if d.changes-1 == d.at {
		return errFull
	}
	return nil
}

// Create implements [files.Disk].
func (d *failing) Create(dir, pattern string) (*os.File, error) {
	if err := d.next(); err != nil {
		return nil, err
	}
	return d.System.Create(dir, pattern)
}

// Append implements [files.Disk].
func (d *failing) Append(path string) (*os.File, error) {
	if err := d.next(); err != nil {
		return nil, err
	}
	return d.System.Append(path)
}

// Sync implements [files.Disk].
func (d *failing) Sync(*os.File) error { return d.next() }

// SyncDir implements [files.Disk].
func (d *failing) SyncDir(string) error { return d.next() }

// Rename implements [files.Disk].
func (d *failing) Rename(from, to string) error {
	if err := d.next(); err != nil {
		return err
	}
	return d.System.Rename(from, to)
}

// Remove implements [files.Disk].
func (d *failing) Remove(path string) error {
	if err := d.next(); err != nil {
		return err
	}
	return d.System.Remove(path)
}

// Mkdir implements [files.Disk].
func (d *failing) Mkdir(path string) error {
	if err := d.next(); err != nil {
		return err
	}
	return d.System.Mkdir(path)
}

// ErrorsReachTheCaller checks that write returns the error of each change that it makes to the
// disk. It is called with a new directory each time, in which prepare has written files.
func ErrorsReachTheCaller(t *testing.T, what string, prepare, write func(dir string) error) {
	t.Helper()
	for at, changes := -1, 0; at < changes; at++ {
		dir := t.TempDir()
		if err := prepare(dir); err != nil {
			t.Fatal(err)
		}
		disk, old := &failing{at: at}, files.Current
		files.Current = disk
		err := write(dir)
		files.Current = old
		if at < 0 {
			if changes = disk.changes; err != nil || changes == 0 {
				t.Fatalf("%s: %d changes, error %v", what, changes, err)
			}
		} else if !errors.Is(err, errFull) {
			t.Errorf("%s: change %d of %d fails: error %v", what, at+1, changes, err)
		}
	}
}
