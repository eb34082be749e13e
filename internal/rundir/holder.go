package rundir

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/seed-6655bf3b/recap/internal/files"
)

// A Holder is the process that holds a lock, as it is written in the lock.
type Holder struct {
	Host string `json:"host"`
	PID  int    `json:"pid"`
	// start time of the process, in clock ticks since the boot of the host
	Start     uint64    `json:"start"`
	Boot      string    `json:"boot"`      // identifies the boot of the host
	Namespace string    `json:"namespace"` // process namespace of PID
	Since     time.Time `json:"since"`
}

// LockedError is the error for a directory that another process uses.
type LockedError struct {
	Path    string // of the lock
	Holder  Holder
	Running bool // the holder is a running process of this host
}

func (e *LockedError) Error() string {
	h := &e.Holder
	text := fmt.Sprintf("rundir: %s: in use by process %d of host %s since %s",
		filepath.Dir(e.Path), h.PID, h.Host, h.Since.Format(time.DateTime))
	if e.Running {
		return text
	}
	return text + ", which cannot be checked from here; if that process has ended, remove " +
		e.Path
}

// LockHolder returns the holder of the lock at path, nil if there is no lock or its holder has
// ended.
func LockHolder(path string) (*LockedError, error) {
	f, err := files.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("rundir: lock: %w", err)
	}
	defer f.Close()
	return readHolder(f, path)
}

// readHolder returns the holder of the lock, nil if it is a process of this host that has ended.
func readHolder(f *os.File, path string) (*LockedError, error) {
	locked := &LockedError{Path: path}
	if err := json.NewDecoder(f).Decode(&locked.Holder); err != nil {
		return nil, fmt.Errorf(
			"rundir: %s: expected the holder of a lock, found something else: %w; if no "+
				"process uses this directory, remove it", path, err,
		)
	}
	self, err := self()
	if err != nil {
		return nil, err
	}
	ended := false
	if locked.Holder.Host == self.Host {
		locked.Running, ended = locked.Holder.status(self)
	}
	if ended {
		return nil, nil
	}
	return locked, nil
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
