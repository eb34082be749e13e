package rundir

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// self describes this process.
func self() (Holder, error) {
	h := Holder{PID: os.Getpid(), Since: time.Now().UTC().Truncate(time.Second)}
	host, e1 := os.Hostname()
	boot, e2 := os.ReadFile("/proc/sys/kernel/random/boot_id")
	namespace, e3 := os.Readlink("/proc/self/ns/pid")
	if err := errors.Join(e1, e2, e3); err != nil {
		return h, fmt.Errorf("rundir: lock: expected to know this process: %w", err)
	}
	h.Host, h.Boot, h.Namespace = host, strings.TrimSpace(string(boot)), namespace
	start, _, ok := stat(h.PID)
	if !ok {
		return h, fmt.Errorf(
			"rundir: lock: expected the start of this process in /proc/%d/stat, found none", h.PID,
		)
	}
	h.Start = start
	return h, nil
}

// status reports whether a process of this host is running or has ended. Both are false if the
// process cannot be checked.
func (h *Holder) status(self Holder) (running, ended bool) {
	switch {
	case h.Boot != self.Boot:
		return false, true
	case h.Namespace != self.Namespace: // another container
		// The pods of a Kubernetes Job have the name of the job and an index, and only one pod has
		// a name at a time: another pod of our name has ended, and we replace it.
		return false, os.Getenv("JOB_COMPLETION_INDEX") != ""
	case errors.Is(syscall.Kill(h.PID, 0), syscall.ESRCH):
		return false, true
	}
	start, zombie, ok := stat(h.PID)
	// if /proc does not show it, it belongs to another user
	ended = ok && (zombie || start != h.Start)
	return !ended, ended
}

// stat returns the start time of a process in clock ticks since boot, and whether it is a zombie
// (proc(5)).
func stat(pid int) (start uint64, zombie, ok bool) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, false, false
	}
	// from the third field on: the second may contain spaces
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(fields) < 20 {
		return 0, false, false
	}
	start, err = strconv.ParseUint(fields[19], 10, 64)
	return start, fields[0] == "Z" || fields[0] == "X", err == nil
}

func flock(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX) }
