package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestSameBytes packs the same contents twice, with files that were written at different times and
// are given in different orders, and reads the archives back.
func TestSameBytes(t *testing.T) {
	t.Setenv("SOURCE_DATE_EPOCH", "1764475200")
	for _, ending := range []string{"tar.gz", "zip"} {
		var packed [][]byte
		for i := range 2 {
			dir := t.TempDir()
			names := []string{filepath.Join(dir, "recap"), filepath.Join(dir, "LICENSE")}
			for j, name := range names {
				if err := os.WriteFile(name, []byte(fmt.Sprint("contents ", j)),
					0o600); err != nil {
					t.Fatal(err)
				}
				if err := os.Chtimes(name, time.Time{}, time.Unix(int64(1000*i), 0)); err != nil {
					t.Fatal(err)
				}
			}
			if i == 1 {
				names[0], names[1] = names[1], names[0]
			}
			out := filepath.Join(dir, "out."+ending)
			if err := run(append([]string{out, "recap-v0"}, names...)); err != nil {
				t.Fatal(err)
			}
			b, err := os.ReadFile(out)
			if err != nil {
				t.Fatal(err)
			}
			packed = append(packed, b)
		}
		if !bytes.Equal(packed[0], packed[1]) {
			t.Errorf("%s: the same files give different bytes", ending)
		}
		want := "recap-v0/LICENSE 0644 contents 1 1764475200\nrecap-v0/recap 0755 contents 0 1764475200\n"
		if got := listing(t, ending, packed[0]); got != want {
			t.Errorf("%s: found\n%sexpected\n%s", ending, got, want)
		}
	}
}

// listing returns a line for each file: its name, mode, contents and time.
func listing(t *testing.T, ending string, b []byte) string {
	t.Helper()
	text := ""
	add := func(name string, mode os.FileMode, r io.Reader, at time.Time) {
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		text += fmt.Sprintf("%s %04o %s %d\n", name, mode.Perm(), data, at.Unix())
	}
	if ending == "zip" {
		z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range z.File {
			r, err := f.Open()
			if err != nil {
				t.Fatal(err)
			}
			add(f.Name, f.Mode(), r, f.Modified)
		}
		return text
	}
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			return text
		}
		if err != nil {
			t.Fatal(err)
		}
		add(h.Name, h.FileInfo().Mode(), r, h.ModTime)
	}
}
