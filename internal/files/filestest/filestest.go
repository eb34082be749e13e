// Package filestest simulates power failures for tests, finds files that are not closed, and counts
// the memory that reading takes.
package filestest

import (
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/seed-6655bf3b/recap/internal/files"
)

// A Disk is that of the operating system. It remembers before each change what a power failure
// might leave of the files and directories that package files created since [Record].
type Disk struct {
	files.System
	Moments []Moment

	named map[string]*node // by path: what processes see
	safe  map[string]*node // by path: the names after the last SyncDir
}

// A node is a directory or the contents of a file.
type node struct {
	dir             bool
	written, synced string // synced are the contents after the last Sync
}

// A Moment is the state of a disk between two changes.
type Moment struct{ named, safe map[string]*node }

// Use replaces the disk of package files until the end of the test.
func Use(t testing.TB, d files.Disk) {
	old := files.Current
	files.Current = d
	t.Cleanup(func() { files.Current = old })
}

// Fast is the disk of the operating system, but nothing survives a power failure for certain.
type Fast struct{ files.System }

// Sync implements [files.Disk].
func (Fast) Sync(*os.File) error { return nil }

// SyncDir implements [files.Disk].
func (Fast) SyncDir(string) error { return nil }

// Record returns a disk that remembers changes from now on.
func Record() *Disk { return &Disk{named: map[string]*node{}, safe: map[string]*node{}} }

// next remembers the state before a change.
func (d *Disk) next() {
	now := map[*node]*node{}
	for path, n := range d.named {
		text, err := os.ReadFile(path)
		if err != nil && !n.dir { // removed otherwise
			delete(d.named, path)
			delete(d.safe, path)
		}
		if n.written != string(text) { // otherwise all moments share the string
			n.written = string(text)
		}
	}
	copied := func(all map[string]*node) map[string]*node {
		out := map[string]*node{}
		for path, n := range all {
			if now[n] == nil {
				c := *n
				now[n] = &c
			}
			out[path] = now[n]
		}
		return out
	}
	d.Moments = append(d.Moments, Moment{copied(d.named), copied(d.safe)})
}

// Create implements [files.Disk].
func (d *Disk) Create(dir, pattern string) (*os.File, error) {
	d.next()
	f, err := d.System.Create(dir, pattern)
	if err == nil {
		d.named[f.Name()] = &node{}
	}
	return f, err
}

// Append implements [files.Disk].
func (d *Disk) Append(path string) (*os.File, error) {
	d.next()
	return d.System.Append(path)
}

// Sync implements [files.Disk].
func (d *Disk) Sync(f *os.File) error {
	d.next()
	if n := d.named[f.Name()]; n != nil {
		n.synced = n.written
	}
	return nil
}

// SyncDir implements [files.Disk].
func (d *Disk) SyncDir(dir string) error {
	d.next()
	inside := func(path string, _ *node) bool { return filepath.Dir(path) == filepath.Clean(dir) }
	maps.DeleteFunc(d.safe, inside)
	for path, n := range d.named {
		if inside(path, n) {
			d.safe[path] = n
		}
	}
	return nil
}

// Rename implements [files.Disk].
func (d *Disk) Rename(from, to string) error {
	d.next()
	d.named[to] = d.named[from]
	delete(d.named, from)
	return d.System.Rename(from, to)
}

// Remove implements [files.Disk].
func (d *Disk) Remove(path string) error {
	d.next()
	delete(d.named, path)
	return d.System.Remove(path)
}

// Mkdir implements [files.Disk].
func (d *Disk) Mkdir(path string) error {
	d.next()
	d.named[path] = &node{dir: true}
	return d.System.Mkdir(path)
}

// A Loss says what a power failure loses.
type Loss int

// Nothing is lost if only the process is killed, All that was not synced, or Some of it in any
// order.
const (
	Nothing Loss = iota
	All
	Some
)

// A Tree has the contents of files by path; nil for a directory.
type Tree map[string][]byte

// Left returns what is left after a power failure, with paths relative to root.
func (m Moment) Left(t *testing.T, root string, loss Loss, rng *rand.Rand) Tree {
	t.Helper()
	lost := func() bool { return loss == All || loss == Some && rng.IntN(2) == 0 }
	paths := maps.Clone(m.named)
	maps.Copy(paths, m.safe)
	tree := Tree{".": nil}
	for _, path := range slices.Sorted(maps.Keys(paths)) { // directories before their contents
		n := m.named[path]
		if n != m.safe[path] && lost() {
			n = m.safe[path]
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := tree[filepath.Dir(name)]; n != nil && ok {
			tree[name] = n.left(lost, rng)
		}
	}
	return tree
}

// left returns what is left of a file's contents: what was written until the last Sync, and
// possibly a part of what was written after it.
func (n *node) left(lost func() bool, rng *rand.Rand) []byte {
	switch {
	case n.dir:
		return nil
	case n.written == n.synced || !lost():
		return []byte(n.written)
	case lost():
		return []byte(n.synced)
	}
	end := len(n.synced) + rng.IntN(len(n.written)-len(n.synced)+1) // files only grow
	return []byte(n.written[:end])
}

// Write writes the files and directories below dir.
func (tree Tree) Write(t *testing.T, dir string) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(tree)) {
		path, err := filepath.Join(dir, name), error(nil)
		if tree[name] == nil {
			err = os.MkdirAll(path, 0o755)
		} else {
			err = os.WriteFile(path, tree[name], 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
