// Command archive packs files for scripts/release:
//
//	archive OUT FOLDER FILE ...
//
// OUT is a .tar.gz or a .zip; the files lie in FOLDER there, sorted by name. The same contents
// give the same bytes: all files have the time SOURCE_DATE_EPOCH, in seconds since 1970, no owner,
// and the mode 0755 if they are programs, else 0644.
package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"cmp"
	"compress/flate"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A packedFile is a file as it lies in an archive.
type packedFile struct {
	name string
	mode fs.FileMode
	data []byte
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "archive:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) < 3 {
		return errors.New("expected OUT, FOLDER and FILES; usage: archive OUT FOLDER FILES")
	}
	out, folder := args[0], args[1]
	seconds, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64)
	if err != nil {
		return fmt.Errorf("SOURCE_DATE_EPOCH: %w", err)
	}
	files, err := read(folder, args[2:])
	if err != nil {
		return err
	}
	pack := packTar
	if strings.HasSuffix(out, ".zip") {
		pack = packZip
	}
	var b bytes.Buffer
	if err := pack(&b, files, time.Unix(seconds, 0).UTC()); err != nil {
		return err
	}
	return os.WriteFile(out, b.Bytes(), 0o644)
}

func read(folder string, paths []string) ([]packedFile, error) {
	var files []packedFile
	for _, p := range paths {
		data, err := os.ReadFile(p)
		if err != nil {
			return nil, err
		}
		base, mode := filepath.Base(p), fs.FileMode(0o644)
		if ext := filepath.Ext(base); ext == ".exe" || base == "recap" {
			mode = 0o755
		}
		files = append(files, packedFile{path.Join(folder, base), mode, data})
	}
	slices.SortFunc(files, func(a, b packedFile) int { return cmp.Compare(a.name, b.name) })
	return files, nil
}

func packTar(w io.Writer, files []packedFile, at time.Time) error {
	z, err := gzip.NewWriterLevel(w, flate.BestCompression)
	if err != nil {
		return err
	}
	t := tar.NewWriter(z)
	for _, f := range files {
		h := &tar.Header{Name: f.name, Mode: int64(f.mode), Size: int64(len(f.data)), ModTime: at,
			Format: tar.FormatUSTAR}
		if err := t.WriteHeader(h); err != nil {
			return err
		}
		if _, err := t.Write(f.data); err != nil {
			return err
		}
	}
	return errors.Join(t.Close(), z.Close())
}

func packZip(w io.Writer, files []packedFile, at time.Time) error {
	z := zip.NewWriter(w)
	for _, f := range files {
		h := &zip.FileHeader{Name: f.name, Method: zip.Deflate, Modified: at}
		h.SetMode(f.mode)
		part, err := z.CreateHeader(h)
		if err != nil {
			return err
		}
		if _, err := part.Write(f.data); err != nil {
			return err
		}
	}
	return z.Close()
}
