package files

import (
	"fmt"
	"io/fs"
	"os"
)

// Check returns an error if path is not a regular file or a symbolic link to one. Opening a named
// pipe would wait until another process writes to it, and a device may have no end. It is not an
// error if there is nothing at path, or nothing that may be examined: opening it is one.
func Check(path string) error {
	info, err := os.Stat(path)
	if err != nil || info.Mode().IsRegular() {
		return nil
	}
	return fmt.Errorf("%s: expected a file, found %s; give a regular file", path,
		kind(info.Mode()))
}

func kind(m fs.FileMode) string {
	switch {
	case m.IsDir():
		return "a directory"
	case m&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case m&fs.ModeSocket != 0:
		return "a socket"
	case m&fs.ModeDevice != 0:
		return "a device"
	}
	return "something else"
}

// Open is [os.Open] for regular files (see [Check]).
func Open(path string) (*os.File, error) {
	if err := Check(path); err != nil {
		return nil, err
	}
	return os.Open(path)
}

// Read is [os.ReadFile] for regular files (see [Check]).
func Read(path string) ([]byte, error) {
	if err := Check(path); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
}
