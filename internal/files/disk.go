package files

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// A Disk makes changes to files and directories. What is written to a file is safe from a power
// failure after Sync, and the names in a directory after SyncDir.
type Disk interface {
	Create(dir, pattern string) (*os.File, error) // a new file with a name as of os.CreateTemp
	Append(path string) (*os.File, error)         // opens a file to write at its end
	Sync(f *os.File) error
	SyncDir(dir string) error
	Rename(from, to string) error
	Remove(path string) error
	Mkdir(path string) error
}

// Current is the disk that this package's functions use.
var Current Disk = System{}

// System is the disk of the operating system.
type System struct{}

// Create implements [Disk].
func (System) Create(dir, pattern string) (*os.File, error) { return os.CreateTemp(dir, pattern) }

// Append implements [Disk].
func (System) Append(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0o644)
}

// Sync implements [Disk].
func (System) Sync(f *os.File) error { return f.Sync() }

// SyncDir implements [Disk]. Windows cannot do it.
func (System) SyncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Rename implements [Disk].
func (System) Rename(from, to string) error { return os.Rename(from, to) }

// Remove implements [Disk].
func (System) Remove(path string) error { return os.Remove(path) }

// Mkdir implements [Disk].
func (System) Mkdir(path string) error { return os.Mkdir(path, 0o755) }

// Remove removes a file.
func Remove(path string) error { return Current.Remove(path) }

// MkdirAll is [os.MkdirAll], and puts the names of the directories that it creates on the disk.
func MkdirAll(path string) error {
	path = filepath.Clean(path)
	if isDir(path) {
		return nil
	}
	above := filepath.Dir(path)
	if above != path {
		if err := MkdirAll(above); err != nil {
			return err
		}
	}
	err := Current.Mkdir(path)
	if err != nil && !(errors.Is(err, fs.ErrExist) && isDir(path)) { // by another process
		return err
	}
	return Current.SyncDir(above)
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
