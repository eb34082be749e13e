//go:build !linux

package rundir

import (
	"errors"
	"fmt"
	"os"
	"time"
)

// self describes this process.
func self() (Holder, error) {
	h := Holder{PID: os.Getpid(), Since: time.Now().UTC().Truncate(time.Second)}
	var err error
	if h.Host, err = os.Hostname(); err != nil {
		return h, fmt.Errorf("rundir: lock: %w", err)
	}
	return h, nil
}

// status cannot check a process here: the user has to remove the lock of a process that has ended.
func (h *Holder) status(Holder) (running, ended bool) { return false, false }

func flock(*os.File) error { return errors.ErrUnsupported }
