package files

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// A temporary file for the file NAME is called .NAME.NUMBER.partial.
const partial = ".partial"

// Temporary creates a file in the directory of path and writes and syncs it. It returns the file's
// name.
func Temporary(path string, write func(f *os.File) error) (string, error) {
	f, err := Current.Create(filepath.Dir(path), "."+filepath.Base(path)+".*"+partial)
	if err != nil {
		return "", err
	}
	if err := errors.Join(write(f), f.Chmod(0o644), Current.Sync(f), f.Close()); err != nil {
		Current.Remove(f.Name())
		return "", err
	}
	return f.Name(), nil
}

// Replace writes a temporary file and renames it to path, so that path is written completely or not
// at all. When it returns, the file is on the disk and not only in the system's memory.
func Replace(path string, write func(f *os.File) error) error {
	temporary, err := Temporary(path, write)
	if err != nil {
		return err
	}
	if err := Current.Rename(temporary, path); err != nil {
		Current.Remove(temporary)
		return err
	}
	return Current.SyncDir(filepath.Dir(path))
}

// Append writes at the end of a file, and syncs it.
func Append(path string, text []byte) error {
	f, err := Current.Append(path)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, Current.Sync(f), f.Close())
}

// Leftovers returns the paths of the temporary files in a directory for the files of the given
// names, for all files without names. They are left by killed processes if no process is writing.
func Leftovers(dir string, names ...string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var paths []string
	for _, e := range entries {
		name, ok := temporaryFor(e.Name())
		if ok && e.Type().IsRegular() && (names == nil || slices.Contains(names, name)) {
			paths = append(paths, filepath.Join(dir, e.Name()))
		}
	}
	return paths, nil
}

// temporaryFor returns the name of the file for which a temporary file was created; ok is false if
// it is not the name of a temporary file.
func temporaryFor(temporary string) (name string, ok bool) {
	rest, hidden := strings.CutPrefix(temporary, ".")
	rest, ours := strings.CutSuffix(rest, partial)
	dot := strings.LastIndexByte(rest, '.')
	if !hidden || !ours || dot < 1 {
		return "", false
	}
	_, err := strconv.ParseUint(rest[dot+1:], 10, 64)
	return rest[:dot], err == nil
}

// RemoveLeftovers removes the files that [Leftovers] returns. No process must be writing them, but
// another one may remove them too.
func RemoveLeftovers(dir string, names ...string) error {
	paths, err := Leftovers(dir, names...)
	for _, path := range paths {
		if e := Current.Remove(path); !errors.Is(e, fs.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	return err
}
