package rundir

import (
	"os"
	"path/filepath"
	"syscall"
)

// freeSpace returns the number of bytes that this user may still write in the directory at path,
// or in the nearest directory above it that exists. known is false if it cannot be found out.
func freeSpace(path string) (free int64, known bool) {
	for {
		var fs syscall.Statfs_t
		err := syscall.Statfs(path, &fs)
		if err == nil {
			return int64(fs.Bavail) * fs.Bsize, true
		}
		above := filepath.Dir(path)
		if !os.IsNotExist(err) || above == path {
			return 0, false
		}
		path = above
	}
}
