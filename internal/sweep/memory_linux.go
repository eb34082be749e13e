package sweep

import (
	"os"
	"syscall"
)

// peakMemory returns the maximum resident set size of a finished process, in bytes.
func peakMemory(p *os.ProcessState) int64 {
	return p.SysUsage().(*syscall.Rusage).Maxrss * 1024
}
