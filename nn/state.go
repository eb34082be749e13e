package nn

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/nlpodyssey/safetensors"

	"github.com/seed-6655bf3b/recap/internal/weights"
)

// Save writes named tensors (of a model: [Params.State]) and metadata as a safetensors file. A
// tensor is written in its device's precision, F32 or F64, so [Load] restores it exactly. Equal
// contents give equal bytes. Save panics if two tensors have the same name, and returns the error
// of w.
func Save(w io.Writer, ps []Param, meta map[string]string) error {
	byName("Save", ps)
	var entries []weights.Entry
	for _, p := range ps {
		entries = append(entries,
			weights.Entry{Name: p.Name, Type: typeOf(p), Shape: p.Shape(), Write: p.write})
	}
	if err := weights.Write(w, meta, entries); err != nil {
		return fmt.Errorf("nn: save: %w", err)
	}
	return nil
}

// Load overwrites the tensors with those of the same names in a safetensors file, which [Save]
// wrote. Names, shapes and precisions must match one to one; otherwise Load changes no tensor and
// returns an error that lists every mismatch. It panics if two tensors have the same name.
func Load(file []byte, ps []Param) error {
	st, err := safetensors.Deserialize(file)
	if err != nil {
		return fmt.Errorf("nn: load: not a complete safetensors file: %w", err)
	}
	want, found := map[string]string{}, map[string]string{}
	for name, p := range byName("Load", ps) {
		want[name] = describe(typeOf(p), p.Shape())
	}
	for _, name := range st.Names() {
		v, _ := st.Tensor(name)
		found[name] = fmt.Sprint(v.DType(), " ", v.Shape())
	}
	if err := match(want, found); err != nil {
		return err
	}
	for _, p := range ps {
		v, _ := st.Tensor(p.Name)
		assign(p, v)
	}
	return nil
}

// Check returns the error that [Load] would return for a file with this header and the tensors of
// the given names on a device with numbers of the given bits, 32 or 64.
func (pl *Plan) Check(header *weights.File, names []string, bits int) error {
	want, found := map[string]string{}, map[string]string{}
	for _, name := range names {
		want[name] = fmt.Sprintf("F%d %v", bits, pl.Shapes[name])
	}
	for _, name := range header.Names() {
		t := header.Tensor(name)
		found[name] = describe(t.Type, t.Shape)
	}
	return match(want, found)
}

func describe(t weights.DType, shape []int) string { return fmt.Sprint(t, " ", shape) }

// match returns an error that lists the differences between the tensors of a model and of a file,
// given as a description of each tensor by its name.
func match(want, found map[string]string) error {
	var wrong []string
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if f, ok := found[name]; !ok {
			wrong = append(wrong, "missing "+name)
		} else if f != want[name] {
			wrong = append(wrong, fmt.Sprintf("%s: expected %s, found %s", name, want[name], f))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(found)) {
		if _, ok := want[name]; !ok {
			wrong = append(wrong, "unexpected "+name)
		}
	}
	if wrong != nil {
		return errors.New("nn: load: the file's tensors are not the model's; load a file " +
			"that was saved with the same configuration:\n\t" + strings.Join(wrong, "\n\t"))
	}
	return nil
}

// Meta returns the metadata of a safetensors file. It returns an error if the file is damaged.
func Meta(file []byte) (map[string]string, error) {
	_, m, err := safetensors.ReadMetadata(file)
	if err != nil {
		return nil, fmt.Errorf("nn: meta: not a complete safetensors file: %w", err)
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

// typeOf returns the type of the tensor's elements in a file.
func typeOf(p Param) weights.DType {
	if p.Device().Bits() == 32 {
		return weights.F32
	}
	return weights.F64
}

// write writes the tensor's elements, little-endian.
func (p Param) write(w io.Writer) error {
	const most = 1 << 13
	b := make([]byte, 0, 8*min(p.Len(), most))
	single := typeOf(p) == weights.F32
	for part := range slices.Chunk(p.Values(), most) {
		if b = b[:0]; single {
			for _, x := range part {
				b = binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(x)))
			}
		} else {
			for _, x := range part {
				b = binary.LittleEndian.AppendUint64(b, math.Float64bits(x))
			}
		}
		if _, err := w.Write(b); err != nil {
			return err
		}
	}
	return nil
}

// assign overwrites p with a tensor of its type, F32 or F64.
func assign(p Param, v safetensors.TensorView) {
	b := v.Data()
	if typeOf(p) == weights.F32 {
		x := make([]float32, p.Len())
		for i := range x {
			x[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
		}
		p.Assign32(x)
		return
	}
	x := make([]float64, p.Len())
	for i := range x {
		x[i] = math.Float64frombits(binary.LittleEndian.Uint64(b[8*i:]))
	}
	p.Assign(x)
}
