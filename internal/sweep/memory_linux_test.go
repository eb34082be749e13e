package sweep

import (
	"os/exec"
	"syscall"
	"testing"
)

// TestPeakMemory compares with the system's number of kibibytes.
func TestPeakMemory(t *testing.T) {
	cmd := exec.Command("true")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	kib := cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss
	if got := peakMemory(cmd.ProcessState); kib < 1 || got>>10 != kib || got&(1<<10-1) != 0 {
		t.Errorf("%d bytes, want %d KiB", got, kib)
	}
}
