package nn

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/nlpodyssey/safetensors"
)

// Save writes named tensors, and facts about them, as a safetensors file. A tensor keeps its device's precision, F32 or F64, so Load
// restores it exactly. Equal contents give equal bytes. It panics if two tensors have one name.
func Save(w io.Writer, ps []Param, meta map[string]string) error {
	views := map[string]view{}
	for name, p := range byName("Save", ps) {
		views[name] = view{p}
	}
	if err := safetensors.SerializeToWriter(views, meta, w); err != nil {
		return fmt.Errorf("nn: save: %w", err)
	}
	return nil
}

// Load overwrites the tensors with those in a safetensors file. Names, shapes and precisions must match one to one; otherwise nothing
// is changed and the error lists everything that does not match.
func Load(file []byte, ps []Param) error {
	st, err := safetensors.Deserialize(file)
	if err != nil {
		return fmt.Errorf("nn: load: not a whole safetensors file: %w", err)
	}
	want := byName("Load", ps)
	var wrong []string
	for _, p := range ps {
		if v, ok := st.Tensor(p.Name); !ok {
			wrong = append(wrong, "missing "+p.Name)
		} else if own := (view{p}); v.DType() != own.DType() || !slices.Equal(v.Shape(), own.Shape()) {
			wrong = append(wrong, fmt.Sprintf("%s: expected %v %v, found %v %v", p.Name, own.DType(), own.Shape(), v.DType(), v.Shape()))
		}
	}
	for _, name := range slices.Sorted(slices.Values(st.Names())) {
		if _, ok := want[name]; !ok {
			wrong = append(wrong, "unexpected "+name)
		}
	}
	if wrong != nil {
		return errors.New("nn: load: the file's tensors are not the model's; load a file that was saved with the same configuration:\n\t" +
			strings.Join(wrong, "\n\t"))
	}
	for _, p := range ps {
		v, _ := st.Tensor(p.Name)
		p.Assign(numbers(v))
	}
	return nil
}

// Meta returns the facts that were saved with a safetensors file.
func Meta(file []byte) (map[string]string, error) {
	_, m, err := safetensors.ReadMetadata(file)
	if err != nil {
		return nil, fmt.Errorf("nn: meta: not a whole safetensors file: %w", err)
	}
	return m.Metadata(), nil
}

func byName(op string, ps []Param) map[string]Param {
	m := make(map[string]Param, len(ps))
	for _, p := range ps {
		if _, ok := m[p.Name]; ok {
			panic(fmt.Sprintf("nn: %s: two tensors are named %q", op, p.Name))
		}
		m[p.Name] = p
	}
	return m
}

// A view shows a tensor to package safetensors.
type view struct{ p Param }

func (v view) DType() safetensors.DType {
	if v.p.Device().Bits() == 32 {
		return safetensors.F32
	}
	return safetensors.F64
}

func (v view) Shape() []uint64 {
	s := make([]uint64, len(v.p.Shape()))
	for i, d := range v.p.Shape() {
		s[i] = uint64(d)
	}
	return s
}

func (v view) DataLen() uint64 { return uint64(v.p.Len()) * v.DType().Size() }

func (v view) Data() []byte {
	b := make([]byte, v.DataLen())
	if v.DType() == safetensors.F32 {
		for i, x := range v.p.Values() {
			binary.LittleEndian.PutUint32(b[4*i:], math.Float32bits(float32(x)))
		}
		return b
	}
	for i, x := range v.p.Values() {
		binary.LittleEndian.PutUint64(b[8*i:], math.Float64bits(x))
	}
	return b
}

// numbers decodes a tensor of type F32 or F64.
func numbers(v safetensors.TensorView) []float64 {
	b, size := v.Data(), int(v.DType().Size())
	x := make([]float64, len(b)/size)
	for i := range x {
		if size == 4 {
			x[i] = float64(math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:])))
		} else {
			x[i] = math.Float64frombits(binary.LittleEndian.Uint64(b[8*i:]))
		}
	}
	return x
}
