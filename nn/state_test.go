package nn

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/internal/weights"
)

func save(t testing.TB, ps []Param, meta map[string]string) []byte {
	t.Helper()
	var w bytes.Buffer
	if err := Save(&w, ps, meta); err != nil {
		t.Fatal(err)
	}
	return w.Bytes()
}

// someParams returns tensors whose values use all the precision of the device.
func someParams(t testing.TB, device string) []Param {
	p := NewParams(open(t, device), rand.New(rand.NewPCG(1, 2)))
	NewTransformer(p, tinyTransformer)
	p.New("step", Ones)
	p.New("extremes", Zeros,
		4).Assign([]float64{math.Inf(1), math.Copysign(0, -1), 1e-300, 1. / 3})
	p.New("long", Normal(1), 3, 1<<12+1) // in parts
	return p.All()
}

func TestSaveAndLoadAreExact(t *testing.T) {
	for _, device := range []string{"cpu", "cpu64"} {
		ps := someParams(t, device)
		meta := map[string]string{"epoch": "7", "config": "a: 1\n"}
		file := save(t, ps, meta)
		if !bytes.Equal(file, save(t, ps, meta)) {
			t.Errorf("%s: two files of the same contents differ", device)
		}
		var want [][]float64
		for _, p := range ps {
			want = append(want, p.Values())
			p.Assign(make([]float64, p.Len()))
		}
		if err := Load(file, ps); err != nil {
			t.Fatal(err)
		}
		for i, p := range ps {
			for j, v := range p.Values() {
				if math.Float64bits(v) != math.Float64bits(want[i][j]) {
					t.Fatalf("%s: element %d of %s is %g, want %g", device, j, p.Name, v,
						want[i][j])
				}
			}
		}
		if got, err := Meta(file); err != nil || !maps.Equal(got, meta) {
			t.Errorf("%s: Meta gives %v, %v, want %v", device, got, err, meta)
		}
		if got, err := Meta(file[:20]); err == nil || got != nil ||
			!strings.HasPrefix(err.Error(), "nn: meta: not a complete safetensors file: ") {
			t.Errorf("%s: half a header: Meta gives %v, %v", device, got, err)
		}
	}
}

func TestLoadListsEveryMismatch(t *testing.T) {
	dev, other := open(t, "cpu64"), open(t, "cpu")
	file := save(t, []Param{
		{"same", ag.NewTensor(dev, []float64{1, 2}, 2)},
		{"shape", ag.NewTensor(dev, []float64{1, 2}, 2)},
		{"type", ag.NewTensor(other, []float64{1, 2}, 2)},
		{"extra1", ag.NewTensor(dev, []float64{1, 2}, 2)},
		{"extra2", ag.NewTensor(dev, []float64{1, 2}, 2)},
	}, nil)
	ps := []Param{
		{"same", ag.NewTensor(dev, []float64{5, 6}, 2)},
		{"shape", ag.NewTensor(dev, []float64{1, 2}, 1, 2)},
		{"type", ag.NewTensor(dev, []float64{1, 2}, 2)},
		{"gone1", ag.NewTensor(dev, []float64{1}, 1)},
		{"gone2", ag.NewTensor(dev, []float64{1}, 1)},
	}
	err := Load(file, ps)
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"missing gone1\n", "missing gone2\n", "unexpected extra1\n",
		"unexpected extra2",
		"shape: expected F64 [1 2], found F64 [2]\n", "type: expected F64 [2], found F32 [2]\n"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q: %v", want, err)
		}
	}
	mustBeClose(t, 0, ps[0].Values(), []float64{5, 6}) // untouched
	if err := Load(file[:len(file)-1], ps); err == nil ||
		!strings.Contains(err.Error(), "not a complete safetensors file") {
		t.Errorf("a truncated file: error %v", err)
	}
}

func TestSaveRefusesOneNameTwice(t *testing.T) {
	x := ag.NewTensor(open(t, "cpu64"), []float64{1}, 1)
	file := save(t, []Param{{"a", x}}, nil)
	mustPanic(t, `nn: Save: two tensors are named "a"`, func() {
		_ = Save(&bytes.Buffer{}, []Param{{"a", x}, {"a", x}}, nil)
	})
	mustPanic(t, `nn: Load: two tensors are named "a"`, func() {
		_ = Load(file, []Param{{"a", x}, {"a", x}})
	})
}

// A fullDisk takes a number of bytes.
type fullDisk struct{ space int }

func (d *fullDisk) Write(b []byte) (int, error) {
	if len(b) > d.space {
		return 0, io.ErrShortWrite
	}
	d.space -= len(b)
	return len(b), nil
}

// TestSaveToAFullDisk has space for a part of the file: of the header, of the tensors, and for all.
func TestSaveToAFullDisk(t *testing.T) {
	ps := someParams(t, "cpu")
	size := len(save(t, ps, nil))
	for _, space := range []int{0, 100, size / 2, size - 1} {
		err := Save(&fullDisk{space}, ps, nil)
		if !errors.Is(err, io.ErrShortWrite) || !strings.HasPrefix(err.Error(), "nn: save: ") {
			t.Errorf("space for %d of %d bytes: error %v", space, size, err)
		}
	}
	if err := Save(&fullDisk{size}, ps, nil); err != nil {
		t.Errorf("space for all: %v", err)
	}
}

// TestPlanChecksAFile compares a plan with the header of a file, for a part of the names.
func TestPlanChecksAFile(t *testing.T) {
	dev := open(t, "cpu")
	p, plan := PlanParams()
	for name, shape := range map[string][]int{"a": {2}, "b": {3}, "c": {1, 2}, "d": {4}} {
		p.New(name, Zeros, shape...)
	}
	file := save(t, []Param{{"a", ag.NewTensor(dev, []float64{1, 2}, 2)},
		{"b", ag.NewTensor(dev, []float64{1, 2}, 1, 2)},
		{"e", ag.NewTensor(dev, []float64{1}, 1)}}, nil)
	path := filepath.Join(t.TempDir(), "model.safetensors")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	header, err := weights.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer header.Close()
	const text = "nn: load: the file's tensors are not the model's; load a file that was saved " +
		"with the same configuration:"
	for _, x := range []struct {
		bits  int
		names []string
		want  []string
	}{
		{32, []string{"a", "b", "c"}, []string{"b: expected F32 [3], found F32 [1 2]", "missing c",
			"unexpected e"}},
		{64, []string{"a"}, []string{"a: expected F64 [2], found F32 [2]", "unexpected b",
			"unexpected e"}},
	} {
		want := text + "\n\t" + strings.Join(x.want, "\n\t")
		if err := plan.Check(header, x.names, x.bits); err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	q, plan := PlanParams()
	for name, shape := range map[string][]int{"a": {2}, "b": {1, 2}, "e": {1}} {
		q.New(name, Zeros, shape...)
	}
	if err := plan.Check(header, plan.Names, 32); err != nil {
		t.Error(err)
	}
}

// FuzzLoad reads damaged files, which must give an error, or load, but never panic.
func FuzzLoad(f *testing.F) {
	x := []Param{{"x", ag.NewTensor(open(f, "cpu64"), []float64{1, 2}, 2)}}
	file := save(f, x, map[string]string{"a": "b"})
	for n := range file {
		f.Add(file[:n])
	}
	f.Add(file)
	f.Add(bytes.Replace(file, []byte("[2]"), []byte("[0]"), 1))
	f.Add(bytes.Replace(file, []byte("[0,16]"), []byte("[9,16]"), 1))
	f.Fuzz(func(t *testing.T, b []byte) {
		err := Load(b, x)
		if meta, metaErr := Meta(b); err == nil && metaErr != nil {
			t.Errorf("the file loads, but Meta gives %v, %v", meta, metaErr)
		}
	})
}
