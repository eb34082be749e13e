package runs_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-6655bf3b/recap/internal/files/filestest"
	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/runs"
	"github.com/seed-6655bf3b/recap/internal/runs/runstest"
	"github.com/seed-6655bf3b/recap/internal/settings/settingstest"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// A checkpoint whose metadata ask for a model of another size is refused before memory is
// allocated.
func TestDamagedSizes(t *testing.T) {
	r := runstest.NewRunner(t)
	dir, _, err := r.Train(context.Background(), settingstest.Resolved(t, nil), []uint64{5})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "seed5", rundir.BestFile)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for want, damage := range map[string]func(d *zoo.Dims){
		"Vocab: expected 1 to":             func(d *zoo.Dims) { d.Vocab = 1e12 },
		"TextT: expected 1 to":             func(d *zoo.Dims) { d.TextT = -1 },
		"AudioD: expected 1 to":            func(d *zoo.Dims) { d.AudioD = 1e12 },
		"number of classes: expected 0, 2": func(d *zoo.Dims) { d.Classes = 1e9 },
		"0, 2, 3, 5 or 7, found":           func(d *zoo.Dims) { d.Classes = -3 },
		"a smaller and a larger":           func(d *zoo.Dims) { d.Range = [2]float64{3, -3} },
		"audio: expected 1 to":             func(d *zoo.Dims) { d.AudioT, d.AudioD = 1<<20, 1<<20 },
		"at most 4000000000 parameters":    func(d *zoo.Dims) { d.AudioT, d.AudioD = 1, 1<<20 },
		"the file's tensors are not":       func(d *zoo.Dims) { d.AudioD++ },
	} {
		if err := os.WriteFile(path, withDims(t, good, damage), 0o644); err != nil {
			t.Fatal(err)
		}
		var err error
		n := filestest.Allocated(func() {
			_, err = runs.Evaluate(context.Background(), dir, runs.EvalOptions{}, r.Log)
		})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
		if n > 4<<20 {
			t.Errorf("%s: %d bytes allocated", want, n)
		}
	}
}

// withDims returns a checkpoint with other sizes of the data in its metadata.
func withDims(t *testing.T, file []byte, change func(*zoo.Dims)) []byte {
	t.Helper()
	n := binary.LittleEndian.Uint64(file)
	var header map[string]json.RawMessage
	var meta map[string]string
	var d zoo.Dims
	if err := json.Unmarshal(file[8:8+n], &header); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(header["__metadata__"], &meta); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(meta["dims"]), &d); err != nil {
		t.Fatal(err)
	}
	change(&d)
	dims, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	meta["dims"] = string(dims)
	delete(meta, "sha256_metadata") // as in older files
	if header["__metadata__"], err = json.Marshal(meta); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Join([][]byte{binary.LittleEndian.AppendUint64(nil, uint64(len(text))), text,
		file[8+n:]}, nil)
}
