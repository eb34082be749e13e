package runs_test

import (
	"encoding/binary"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/runs/runstest"
	"github.com/seed-6655bf3b/recap/internal/settings/settingstest"
	"github.com/seed-6655bf3b/recap/internal/weights"
)

// TestStateOfVersion01 resumes states that have everything in one file, without checksums and
// without the data that they come from, as version 0.1 wrote them.
func TestStateOfVersion01(t *testing.T) {
	c := settingstest.Resolved(t, nil)
	dir, _, err := runstest.NewRunner(t).Train(t.Context(), c, []uint64{5})
	if err != nil {
		t.Fatal(err)
	}
	want := runstest.Contents(t, dir)
	for _, stop := range []int{4, 6, 7, 10} { // of 2 epochs of 3 steps, and 3 epochs of 3 steps
		r := runstest.NewRunner(t)
		dir, _, _ := runstest.TrainUntil(r, c, stop)
		d := rundir.Dir(filepath.Join(dir, "seed5"))
		asVersion01(t, d)
		if stop == 4 { // what the next state needs cannot be written
			start := d.File(rundir.StartFile("stage1"))
			blocked := os.Mkdir(start, 0o755)
			_, _, err := r.Resume(t.Context(), dir)
			if err == nil || blocked != nil || os.Remove(start) != nil {
				t.Errorf("resumed without %s: %v, %v", start, err, blocked)
			}
		}
		if _, _, err := r.Resume(t.Context(), dir); err != nil {
			t.Fatal(err)
		}
		got := runstest.Contents(t, dir)
		if stop > 6 { // stage1, of which this state does not know, is not begun again
			got["/seed5/stage1-start.safetensors"] = want["/seed5/stage1-start.safetensors"]
		}
		runstest.SameFiles(t, "resumed", got, want)
	}
}

// asVersion01 gives the files of a seed the layout of version 0.1.
func asVersion01(t *testing.T, d rundir.Dir) {
	t.Helper()
	c, err := d.Config()
	if err != nil {
		t.Fatal(err)
	}
	records, err := d.Records()
	if err != nil {
		t.Fatal(err)
	}
	meta := map[string]string{}
	var entries []weights.Entry
	for _, name := range []string{rundir.StartFile(records[len(records)-1].Phase),
		rundir.StateFile} {
		if !d.Has(name) {
			continue
		}
		f, err := weights.Open(d.File(name))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		maps.Copy(meta, f.Meta)
		for _, tensor := range f.Names() {
			x, err := f.Tensor(tensor).Floats()
			if err != nil {
				t.Fatal(err)
			}
			entries = append(entries, weights.Entry{Name: tensor, Type: weights.F32,
				Shape: f.Tensor(tensor).Shape, Write: func(w io.Writer) error {
					return binary.Write(w, binary.LittleEndian, x)
				}})
		}
	}
	for _, key := range []string{"sha256", "sha256_metadata", "data_sha256", "data_utterances"} {
		delete(meta, key)
	}
	meta["config"] = c.Hash()
	err = rundir.WriteWith(d.File(rundir.StateFile), func(f *os.File) error {
		return weights.Write(f, meta, entries)
	})
	for _, path := range runstest.Glob(t, string(d), "*-start.safetensors") {
		err = errors.Join(err, os.Remove(path))
	}
	if err != nil {
		t.Fatal(err)
	}
}
