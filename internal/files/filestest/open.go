package filestest

import (
	"os"
	"path/filepath"
	"strings"
)

// Open returns the files in a directory that this process has open or mapped into memory, none on
// systems other than Linux.
func Open(dir string) (open []string) {
	maps, _ := os.ReadFile("/proc/self/maps")
	paths := strings.Fields(string(maps))
	descriptors, _ := filepath.Glob("/proc/self/fd/*")
	for _, d := range descriptors {
		if path, err := os.Readlink(d); err == nil {
			paths = append(paths, path)
		}
	}
	for _, path := range paths {
		if strings.HasPrefix(path, dir+string(filepath.Separator)) {
			open = append(open, path)
		}
	}
	return open
}
