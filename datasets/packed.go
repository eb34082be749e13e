package datasets

import (
	"cmp"
	"fmt"
	"strconv"

	"github.com/seed-6655bf3b/recap/internal/weights"
)

// A packed reads a file that Pack wrote.
type packed struct {
	*weights.File
	err error // the first error
}

// openPacked opens a file that Pack wrote. The file stays open as long as the set is in use.
func openPacked(path, name string) (*Set, error) {
	f, err := weights.Open(path)
	if err != nil {
		return nil, fmt.Errorf("datasets: %w", err)
	}
	p := &packed{File: f}
	set := &Set{Name: cmp.Or(name, f.Meta["name"]), hash: f.Meta["hash"]}
	if !IsPacked(f.Meta) {
		p.fail("expected a data set of recap data pack, format %q, found %.40q; pack the "+
			"features again", packFormat, f.Meta["format"])
	}
	for i, key := range []string{"lowest", "highest"} {
		v, err := strconv.ParseFloat(f.Meta[key], 64)
		if err != nil {
			p.fail("%s label: expected a number, found %.40q; pack the features again", key,
				f.Meta[key])
		}
		set.Range[i] = v
	}
	for i, to := range []**Split{&set.Train, &set.Valid, &set.Test} {
		*to = p.split(splitNames[i])
		if p.err == nil && (*to).Shape() != set.Train.Shape() {
			p.fail("%s: expected the shape of train, %v, found %v; pack the features again",
				splitNames[i], set.Train.Shape(), (*to).Shape())
		}
	}
	if p.err == nil {
		if name != "" {
			set.Range = labelRange(name, set.splits()...)
		}
		// Pack has inspected the frames of a file with a hash
		found := set.inspect(set.hash == "")
		p.err, set.Warnings = found.refuse(path), found.warnings
	}
	if p.err != nil {
		f.Close()
		return nil, p.err
	}
	return set, nil
}

func (p *packed) fail(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf("datasets: %s: %s", p.Path, fmt.Sprintf(format, args...))
	}
}

// tensor returns the tensor of the given name, which must have the given type, rank and number of
// rows n, where -1 allows any number. It returns nil after an error.
func (p *packed) tensor(name string, d weights.DType, rank, n int) *weights.Tensor {
	t := p.Tensor(name)
	switch {
	case p.err != nil:
		return nil
	case t == nil:
		p.fail("expected tensor %s, found none; pack the features again", name)
		return nil
	case t.Type != d || len(t.Shape) != rank || n >= 0 && t.Shape[0] != n || t.Len() == 0 &&
		d != weights.U8:
		p.fail("tensor %s: expected %s of rank %d with %d rows, found %v; pack the features again",
			name, d, rank, n, t)
		return nil
	}
	return t
}

// floats reads a tensor of type F32.
func (p *packed) floats(name string, rank, n int) ([]float32, []int) {
	t := p.tensor(name, weights.F32, rank, n)
	if t == nil {
		return nil, make([]int, rank)
	}
	x, err := t.Floats()
	if err != nil {
		p.fail("%v", err)
	}
	return x, t.Shape
}

// integers reads a tensor of type I32 whose elements lie between lo and hi.
func (p *packed) integers(name string, rank, n, lo, hi int) ([]int, []int) {
	t := p.tensor(name, weights.I32, rank, n)
	if t == nil {
		return nil, make([]int, rank)
	}
	x, err := t.Ints()
	if err != nil {
		p.fail("%v", err)
	}
	for _, v := range x {
		if v < lo || v > hi {
			p.fail("%s: expected numbers from %d to %d, found %d; pack the features again",
				name, lo, hi, v)
		}
	}
	return x, t.Shape
}

func (p *packed) split(name string) *Split {
	s := &Split{}
	ids, shape := p.integers(name+".text.id", 2, -1, 0, maxID)
	n, steps := shape[0], shape[1]
	segments, second := p.integers(name+".text.segment", 2, n, 0, maxID)
	mask, third := p.floats(name+".text.mask", 2, n)
	if p.err == nil && (second[1] != steps || third[1] != steps) {
		p.fail("%s.text: expected %d tokens in ids, segments and mask, found %d and %d; pack "+
			"the features again", name, steps, second[1], third[1])
	}
	s.Language = Tokens{T: steps, ID: ids, Mask: mask, Segment: segments}
	s.Audio, s.Vision = p.frames(name+".audio", n), p.frames(name+".vision", n)
	s.Label, _ = p.floats(name+".label", 1, n)
	s.ID = p.texts(name+".id", n)
	if p.Tensor(name+".raw_text") != nil {
		s.RawText = p.texts(name+".raw_text", n)
	}
	return s
}

func (p *packed) frames(name string, n int) Frames {
	t := p.tensor(name, weights.F32, 3, n)
	if t == nil {
		return Frames{}
	}
	f := Frames{T: t.Shape[1], D: t.Shape[2], file: t, fileSteps: t.Shape[1]}
	f.Len, _ = p.integers(name+".length", 1, n, 1, f.T)
	return f
}

func (p *packed) texts(name string, n int) []string {
	t := p.tensor(name, weights.U8, 1, -1)
	if t == nil {
		return nil
	}
	raw, err := t.Bytes()
	if err != nil {
		p.fail("%v", err)
		return nil
	}
	length, _ := p.integers(name+".length", 1, n, 0, len(raw))
	if p.err != nil {
		return nil
	}
	all, texts, at := string(raw), make([]string, n), 0
	for i, v := range length {
		if v > len(all)-at {
			p.fail("%s.length: expected numbers from 0 to %d, found %v; pack the features again",
				name, len(all)-at, v)
			return nil
		}
		texts[i], at = all[at:at+v], at+v
	}
	return texts
}
