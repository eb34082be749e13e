package files

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
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
	for _, name := range slices.Concat(others, []string{".a.csv.12.partial", ".b.csv.3.partial"}) {
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
	remains(".b.csv.3.partial", filepath.Base(temporary))
	if err := RemoveLeftovers(dir); err != nil {
		t.Error(err)
	}
	remains()
}

// TestReplaceFails leaves neither a temporary file nor another file than before.
func TestReplaceFails(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	full := errors.New("disk full")
	if err := Replace(path, func(*os.File) error { return full }); !errors.Is(err, full) {
		t.Error(err)
	}
	entries, _ := os.ReadDir(filepath.Dir(path))
	if text, err := os.ReadFile(path); err != nil || string(text) != "old" || len(entries) != 1 {
		t.Errorf("%q, %v, %v", text, entries, err)
	}
}

func TestMkdirAll(t *testing.T) {
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

// The system's errors are returned: of a file that is closed, and of a directory that is not there.
func TestSyncFails(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "x"))
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	if err := (System{}).Sync(f); !errors.Is(err, os.ErrClosed) {
		t.Errorf("error %v of a closed file", err)
	}
	err = System{}.SyncDir(filepath.Join(t.TempDir(), "none"))
	if runtime.GOOS != "windows" && !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v of a directory that is not there", err)
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
