package files

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// TestRemoveLeftovers has files of users whose names resemble those of temporary files.
func TestRemoveLeftovers(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "[a]*")
	if err := MkdirAll(filepath.Join(dir, ".d.csv.1.partial")); err != nil {
		t.Fatal(err)
	}
	others := []string{".notes.tar.gz", ".notes.2024.txt", ".a.csv.12", ".a.csv.x.partial",
		".a.csv.partial", "a.csv.1.partial", "..1.partial", ".1.partial"}
	for _, name := range slices.Concat(others, []string{".a.csv.12.partial", ".b.csv.90.partial"}) {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	temporary, err := Temporary(filepath.Join(dir, "..c"), func(*os.File) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	remains := func(want ...string) {
		t.Helper()
		entries, err := os.ReadDir(dir)
		var names []string
		for _, e := range entries {
			names = append(names, e.Name())
		}
		want = slices.Concat(others, want, []string{".d.csv.1.partial"})
		slices.Sort(want)
		if err != nil || !slices.Equal(names, want) {
			t.Errorf("found %q, want %q: %v", names, want, err)
		}
	}
	if err := RemoveLeftovers(dir, "a.csv", "c.csv"); err != nil {
		t.Error(err)
	}
	remains(".b.csv.90.partial", filepath.Base(temporary))
	if err := RemoveLeftovers(dir); err != nil {
		t.Error(err)
	}
	remains()
}

// recorder is the disk of the operating system. It has the changes since it was made, with paths
// relative to dir, and fails at one of them.
type recorder struct {
	System
	dir     string
	changes []string
	fails   int // the change that fails, counted from 1; 0 for none
}

var errFull = errors.New("disk full")

func (d *recorder) next(what string, path ...string) error {
	for _, p := range path {
		rel, err := filepath.Rel(d.dir, p)
		if err != nil {
			return err
		}
		what += " " + number.ReplaceAllString(filepath.ToSlash(rel), ".N.partial")
	}
	if d.changes = append(d.changes, what); len(d.changes) == d.fails {
		return errFull
	}
	return nil
}

var number = regexp.MustCompile(`\.[0-9]+\.partial$`)

// Create implements [Disk].
func (d *recorder) Create(dir, pattern string) (*os.File, error) {
	f, err := d.System.Create(dir, pattern)
	if err != nil {
		return nil, err
	}
	if err := d.next("create", f.Name()); err != nil {
		return nil, errors.Join(err, f.Close(), os.Remove(f.Name()))
	}
	return f, nil
}

// Append implements [Disk].
func (d *recorder) Append(path string) (*os.File, error) {
	if err := d.next("append", path); err != nil {
		return nil, err
	}
	return d.System.Append(path)
}

// Sync implements [Disk]. It fails if the file is closed, and notes what is written.
func (d *recorder) Sync(f *os.File) error {
	text, err := os.ReadFile(f.Name())
	return errors.Join(err, d.System.Sync(f), d.next("sync "+string(text)+" to", f.Name()))
}

// SyncDir implements [Disk].
func (d *recorder) SyncDir(dir string) error {
	return errors.Join(d.System.SyncDir(dir), d.next("syncdir", dir))
}

// Rename implements [Disk].
func (d *recorder) Rename(from, to string) error {
	if err := d.next("rename", from, to); err != nil {
		return err
	}
	return d.System.Rename(from, to)
}

// Remove implements [Disk].
func (d *recorder) Remove(path string) error {
	if err := d.next("remove", path); err != nil {
		return err
	}
	return d.System.Remove(path)
}

// Mkdir implements [Disk].
func (d *recorder) Mkdir(path string) error {
	if err := d.next("mkdir", path); err != nil {
		return err
	}
	return d.System.Mkdir(path)
}

// contents returns the paths below dir, each with the permissions and the text. The permissions of
// a directory are "dir" if they are those that the user gives to new directories.
func contents(t *testing.T, dir string) (list []string) {
	t.Helper()
	usual := filepath.Join(t.TempDir(), "usual")
	if err := os.Mkdir(usual, 0o755); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(usual)
	if err != nil {
		t.Fatal(err)
	}
	dirMode := info.Mode()
	if err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		info, e1 := e.Info()
		text, e2 := os.ReadFile(path)
		if e.IsDir() {
			e2 = nil
		}
		name, e3 := filepath.Rel(dir, path)
		mode := strings.Replace(info.Mode().String(), dirMode.String(), "dir", 1)
		list = append(list, fmt.Sprintf("%s %s %s", name, mode, text))
		return errors.Join(e1, e2, e3)
	}); err != nil {
		t.Fatal(err)
	}
	return list
}

// TestChanges compares the changes that each function makes to the disk, in their order, and lets
// each of them fail: then the error is returned, and only the old file is left.
func TestChanges(t *testing.T) {
	write := func(f *os.File) error {
		_, err := f.WriteString("new")
		return err
	}
	const old = "a -rw------- old"
	for _, w := range []struct {
		what    string
		f       func(dir string) error
		changes []string
		left    []string
		failing []string // what is left if the last change fails
	}{
		{"Replace", func(dir string) error { return Replace(filepath.Join(dir, "a"), write) },
			[]string{"create .a.N.partial", "sync new to .a.N.partial", "rename .a.N.partial a",
				"syncdir ."}, []string{"a -rw-r--r-- new"}, []string{"a -rw-r--r-- new"}},
		{"Append", func(dir string) error {
			return Append(filepath.Join(dir, "a"), []byte(", new"))
		}, []string{"append a", "sync old, new to a"}, []string{old + ", new"},
			[]string{old + ", new"}},
		{"MkdirAll", func(dir string) error { return MkdirAll(filepath.Join(dir, "b", "c") + "/") },
			[]string{"mkdir b", "syncdir .", "mkdir b/c", "syncdir b"},
			[]string{old, "b dir ", "b/c dir "},
			[]string{old, "b dir ", "b/c dir "}},
		{"Remove", func(dir string) error { return Remove(filepath.Join(dir, "a")) },
			[]string{"remove a"}, nil, []string{old}},
	} {
		for fails := range len(w.changes) + 1 {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "a"), []byte("old"), 0o600); err != nil {
				t.Fatal(err)
			}
			disk := &recorder{dir: dir, fails: fails}
			Current = disk
			err := w.f(dir)
			Current = System{}
			got := contents(t, dir)
			switch {
			case fails == 0:
				if err != nil || !slices.Equal(disk.changes, w.changes) ||
					!slices.Equal(got, w.left) {
					t.Errorf("%s: changes %q, left %q: %v", w.what, disk.changes, got, err)
				}
			case !errors.Is(err, errFull):
				t.Errorf("%s: change %d fails: error %v", w.what, fails, err)
			case fails == len(w.changes):
				if !slices.Equal(got, w.failing) {
					t.Errorf("%s: the last change fails: left %q", w.what, got)
				}
			case w.what != "MkdirAll" && !slices.Equal(got, []string{old}):
				t.Errorf("%s: change %d fails: left %q", w.what, fails, got)
			}
		}
	}
}

// TestWriteFails has a file that cannot be written, and one that is not there.
func TestWriteFails(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	if err := Append(path, nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v of a file that is not there", err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	Current = readOnly{}
	defer func() { Current = System{} }()
	if err := Append(path, []byte("x")); err == nil ||
		!strings.Contains(err.Error(), "write "+path) {
		t.Errorf("error %v of a file that cannot be written", err)
	}
}

// readOnly is a disk whose files are opened for reading only.
type readOnly struct{ System }

// Append implements [Disk].
func (readOnly) Append(path string) (*os.File, error) { return os.Open(path) }

// TestLeftoversOfNoDirectory returns the system's error.
func TestLeftoversOfNoDirectory(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none")
	_, err := Leftovers(none)
	for _, err := range []error{err, RemoveLeftovers(none)} {
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("error %v", err)
		}
	}
}

// gone is a disk on which another process removes each file first.
type gone struct{ System }

// Remove implements [Disk].
func (d gone) Remove(path string) error {
	return errors.Join(d.System.Remove(path), d.System.Remove(path))
}

// TestLeftoversAreRemovedByAnother removes temporary files that another process removes too, and
// some that cannot be removed.
func TestLeftoversAreRemovedByAnother(t *testing.T) {
	dir := t.TempDir()
	defer func() { Current = System{} }()
	names := []string{".a.1.partial", ".b.2.partial"}
	for _, disk := range []Disk{gone{}, &recorder{dir: dir, fails: 1}} {
		for _, name := range names {
			if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		paths, e := Leftovers(dir)
		want := []string{filepath.Join(dir, names[0]), filepath.Join(dir, names[1])}
		if e != nil || !slices.Equal(paths, want) {
			t.Errorf("leftovers %q, want %q: %v", paths, want, e)
		}
		Current = disk
		err := RemoveLeftovers(dir)
		left := contents(t, dir)
		if _, other := disk.(gone); other && (err != nil || left != nil) {
			t.Errorf("left %q: %v", left, err)
		} else if !other && (!errors.Is(err, errFull) || len(left) != 1) {
			t.Errorf("left %q: %v, want the one that cannot be removed", left, err)
		}
	}
}

// TestRegularFiles opens and reads a file, by its name and by that of a link, and neither a
// directory, a device nor what is not there.
func TestRegularFiles(t *testing.T) {
	dir := t.TempDir()
	path, link := filepath.Join(dir, "a"), filepath.Join(dir, "link")
	if err := errors.Join(os.WriteFile(path, []byte("text"), 0o600),
		os.Symlink(path, link)); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{path: "", link: "",
		filepath.Join(dir, "none"): "open " + filepath.Join(dir, "none") +
			": no such file or directory",
		dir:         dir + ": expected a file, found a directory; give a regular file",
		"/dev/null": "/dev/null: expected a file, found a device; give a regular file"} {
		f, opened := Open(path)
		text, read := Read(path)
		for what, err := range map[string]error{"open": opened, "read": read} {
			if err == nil != (want == "") || err != nil && err.Error() != want {
				t.Errorf("%s %s: error %v, want %q", what, path, err, want)
			}
		}
		if want == "" {
			all, err := io.ReadAll(f)
			if string(text) != "text" || string(all) != "text" || err != nil || f.Close() != nil {
				t.Errorf("%s: %q and %q, %v", path, text, all, err)
			}
		}
		if err := Check(path); (err != nil) != strings.Contains(want, "expected a file") {
			t.Errorf("%s: error %v", path, err)
		}
	}
}

// TestReplaceFails leaves neither a temporary file nor another file than before.
func TestReplaceFails(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Replace(path, func(*os.File) error { return errFull }); !errors.Is(err, errFull) {
		t.Error(err)
	}
	if left := contents(t, filepath.Dir(path)); !slices.Equal(left, []string{"a -rw------- old"}) {
		t.Errorf("left %q", left)
	}
}

// raced is a disk on which another process makes each directory first.
type raced struct{ System }

// Mkdir implements [Disk].
func (d raced) Mkdir(path string) error {
	return errors.Join(d.System.Mkdir(path), d.System.Mkdir(path))
}

func TestMkdirAll(t *testing.T) {
	Current = raced{}
	err := MkdirAll(filepath.Join(t.TempDir(), "a", "b"))
	if Current = (System{}); err != nil {
		t.Errorf("another process made the directories: %v", err)
	}
	dir := t.TempDir()
	for range 2 {
		if err := MkdirAll(filepath.Join(dir, "a", "b") + "/"); err != nil {
			t.Error(err)
		}
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, filepath.Join(file, "a")} {
		if err := MkdirAll(path); err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: error %v", path, err)
		}
	}
}

// The system's errors are returned: of a file that is closed, of what is not there, and of a
// directory that the kernel makes up, which is not on a disk. Directories are closed again.
func TestErrorsOfTheSystem(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "x"))
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	if err := (System{}).Sync(f); !errors.Is(err, os.ErrClosed) {
		t.Errorf("error %v of a closed file", err)
	}
	none := filepath.Join(t.TempDir(), "none")
	for what, err := range map[string]error{"remove": System{}.Remove(none),
		"rename": System{}.Rename(none, none+"2"), "syncdir": System{}.SyncDir(none)} {
		if (what != "syncdir" || runtime.GOOS != "windows") && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: error %v of what is not there", what, err)
		}
	}
	if runtime.GOOS != "linux" {
		return
	}
	const descriptors = "/proc/self/fd"
	before, err := os.ReadDir(descriptors)
	if err != nil {
		t.Fatal(err)
	}
	if err := (System{}).SyncDir("/proc"); err == nil {
		t.Error("a directory of the kernel was put on a disk")
	}
	if after, err := os.ReadDir(descriptors); err != nil || len(after) != len(before) {
		t.Errorf("%d open files, %d before: %v", len(after), len(before), err)
	}
}

func TestKindsOfFiles(t *testing.T) {
	for mode, want := range map[fs.FileMode]string{fs.ModeDir | 0o755: "a directory",
		fs.ModeNamedPipe | 0o600: "a named pipe", fs.ModeSocket | 0o755: "a socket",
		fs.ModeDevice | fs.ModeCharDevice: "a device", fs.ModeIrregular: "something else"} {
		if got := kind(mode); got != want {
			t.Errorf("%v: %s, want %s", mode, got, want)
		}
	}
}
