package nn

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
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
	mustPanic(t, "saving a name twice", func() {
		_ = Save(&bytes.Buffer{}, []Param{{"a", x}, {"a", x}}, nil)
	})
}

// fullDisk refuses every byte.
type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

func TestSaveToAFullDisk(t *testing.T) {
	if err := Save(fullDisk{}, someParams(t, "cpu"), nil); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("error %v", err)
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
