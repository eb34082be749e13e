//go:build !linux

package sweep

import "os"

// peakMemory returns 0. Systems other than Linux report the maximum resident set size in other
// units, or not at all.
func peakMemory(*os.ProcessState) int64 { return 0 }
