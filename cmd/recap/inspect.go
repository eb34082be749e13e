package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/seed-6655bf3b/recap/datasets"
	"github.com/seed-6655bf3b/recap/internal/files"
	"github.com/seed-6655bf3b/recap/internal/weights"
)

type inspectCommand struct {
	File string `arg:"" type:"path" help:"${inspect_file}"`
}

func (inspectCommand) Help() string {
	return `Examples:
  recap inspect runs/synthetic/recap/full/seed1111/best.safetensors
  recap inspect runs/synthetic/recap/full
  recap inspect pytorch_model.bin
  recap inspect unaligned_50.pkl`
}

func (c *inspectCommand) Run(t *terminal) error {
	info, err := os.Stat(c.File)
	if err != nil {
		return fmt.Errorf("inspect: %w", err)
	}
	if info.IsDir() {
		return inspectDir(t, c.File)
	}
	if isWeights(c.File) {
		return inspectWeights(t, c.File)
	}
	report, err := datasets.Check(c.File, datasets.Options{})
	if err != nil {
		return err
	}
	fmt.Fprint(t.out, report)
	return nil
}

// inspectDir prints the text files of a run or of a pretrained model and the names of the others.
func inspectDir(t *terminal, dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("inspect: %w", err)
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		switch e.Name() {
		case "config.yaml", "config.json", "summary.md":
			text, err := files.Read(path)
			if err != nil {
				return fmt.Errorf("inspect: %w", err)
			}
			fmt.Fprintf(t.out, "%s:\n%s\n", path, text)
		default:
			fmt.Fprintln(t.out, oneLine(path))
		}
	}
	return nil
}

// isWeights reports whether the first bytes of a file are those of a weights file: a zip archive,
// a pickle that begins with the magic number of torch.save, or safetensors other than a packed
// data set.
func isWeights(path string) bool {
	f, err := files.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	head := make([]byte, 16)
	if n, err := io.ReadFull(f, head); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) ||
		n < 9 {
		return false
	}
	switch {
	case string(head[:2]) == "PK", string(head[:4]) == "\x80\x02\x8a\x0a":
		return true
	case head[8] == '{' && head[0] != 0x80, filepath.Ext(path) == ".safetensors":
		w, err := weights.Open(path)
		if err != nil {
			return true // inspectWeights returns the error
		}
		defer w.Close()
		return !datasets.IsPacked(w.Meta)
	}
	return false
}

// inspectWeights prints the metadata and the tensors of a weights file.
func inspectWeights(t *terminal, path string) error {
	f, err := weights.Open(path)
	if err != nil {
		return fmt.Errorf("inspect: %w", err)
	}
	defer f.Close()
	fmt.Fprintf(t.out, "%-10s %s\n", "format", f.Format)
	for _, key := range slices.Sorted(maps.Keys(f.Meta)) {
		fmt.Fprintf(t.out, "%-10s %s\n", oneLine(key), oneLine(f.Meta[key]))
	}
	elements := 0
	for _, name := range slices.Sorted(slices.Values(f.Names())) {
		x := f.Tensor(name)
		elements += x.Len()
		fmt.Fprintf(t.out, "%-60s %-4v %v\n", oneLine(name), x.Type, x.Shape)
	}
	fmt.Fprintf(t.out, "%d tensors, %d numbers\n", len(f.Names()), elements)
	return nil
}
