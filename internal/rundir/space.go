package rundir

import "fmt"

// CheckSpace returns an error if the disk of a directory, which need not exist yet, has clearly
// less free space than need bytes.
func CheckSpace(dir string, need int64) error {
	if free, known := freeSpace(dir); known && free < need {
		return fmt.Errorf("rundir: %s: expected %d MB of free disk space for states and "+
			"checkpoints, found %d MB; remove files, or give another disk's directory with --out",
			dir, need/1_000_000, free/1_000_000)
	}
	return nil
}
