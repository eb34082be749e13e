package zoo

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn"
)

// TextConfig describes the encoder of words. YAML names are keys under "text".
type TextConfig struct {
	BERT     string `yaml:"bert"`     // folder of a pretrained BERT, whose sizes those below then are; empty: an encoder trained from scratch
	Finetune bool   `yaml:"finetune"` // train a pretrained encoder further; false: its features are constants

	Width       int     `yaml:"width"`
	Layers      int     `yaml:"layers"`
	Heads       int     `yaml:"heads"`
	FeedForward int     `yaml:"feed_forward"`
	Dropout     float64 `yaml:"dropout"`
}

// PaperText returns the sizes of BERT-base, with which the papers begin.
func PaperText() TextConfig {
	return TextConfig{Finetune: true, Width: 768, Layers: 12, Heads: 12, FeedForward: 3072, Dropout: 0.1}
}

// QuickText returns the sizes of an encoder that trains from scratch in minutes on a CPU.
func QuickText() TextConfig {
	return TextConfig{Finetune: true, Width: 64, Layers: 1, Heads: 4, FeedForward: 128, Dropout: 0.1}
}

// Check returns an error that names the first field whose value cannot be used.
func (c *TextConfig) Check() error {
	for _, f := range []struct {
		name  string
		value int
	}{{"width", c.Width}, {"layers", c.Layers}, {"heads", c.Heads}, {"feed_forward", c.FeedForward}} {
		if f.value < 1 {
			return fmt.Errorf("text.%s is %d, want at least 1", f.name, f.value)
		}
	}
	switch {
	case c.Width%c.Heads != 0:
		return fmt.Errorf("text.width %d does not divide into text.heads %d", c.Width, c.Heads)
	case c.Dropout < 0 || c.Dropout >= 1:
		return fmt.Errorf("text.dropout is %g, want 0 ≤ dropout < 1", c.Dropout)
	case !c.Finetune && c.BERT == "":
		return fmt.Errorf("text.finetune is false without text.bert: an encoder trained from scratch has to be trained; give a pretrained one")
	}
	return nil
}

// Text encodes words: the BERT with which every model begins.
type Text struct {
	Params     *nn.Params
	Width      int
	Pretrained bool
	Frozen     bool // its features are constants

	bert  *nn.BERT
	tape  *ag.Tape             // where it is frozen
	known map[string][]float32 // features of an utterance's tokens, [T Width]
	left  int                  // bytes that may still be remembered
}

// maxKnown bounds what a frozen encoder remembers, in bytes: 14,000 utterances of 50 tokens for
// BERT-base.
const maxKnown = 2 << 30

// NewText makes the encoder under p: of d.BERT's sizes where there is a pretrained one, else of
// c's.
func NewText(p *nn.Params, c TextConfig, d Dims) *Text {
	b := nn.BERTConfig{Vocab: d.Vocab, Width: c.Width, Layers: c.Layers, Heads: c.Heads, FeedForward: c.FeedForward,
		Positions: d.TextT, Types: 2, Dropout: c.Dropout, Attention: c.Dropout, Eps: 1e-12}
	if d.BERT != nil {
		b = *d.BERT
		b.SparseWords = true
	}
	t := &Text{Params: p, Width: b.Width, Pretrained: d.BERT != nil, bert: nn.NewBERT(p, b)}
	if d.BERT != nil && !c.Finetune {
		t.Frozen, t.left, t.known = true, maxKnown, map[string][]float32{}
		t.tape = ag.NewInferenceTape(p.Device())
	}
	return t
}

// Trained returns the parameters that training moves: none of a frozen encoder.
func (t *Text) Trained() []nn.Param {
	if t.Frozen {
		return nil
	}
	return t.Params.All()
}

// trainable returns the parameters under p, a model's, that training moves: all but those of a
// frozen encoder.
func (t *Text) trainable(p *nn.Params) []nn.Param {
	if !t.Frozen {
		return p.All()
	}
	words := t.Params.All()
	return slices.DeleteFunc(p.All(), func(x nn.Param) bool { return slices.Contains(words, x) })
}

// Groups returns the group "text", what training moves of a pretrained encoder. One from scratch
// is trained like the rest of the model.
func (t *Text) Groups() []Group {
	if !t.Pretrained || t.Frozen {
		return nil
	}
	return []Group{{Name: "text", Params: t.Params.All()}}
}

// Forward returns the words' features [B T Width]. A frozen encoder computes those of a sequence
// once, if it is to come again (Input.Recurs).
func (t *Text) Forward(tp *ag.Tape, in *Input) *ag.Tensor {
	if !t.Frozen {
		return t.bert.Forward(tp, in.IDs, in.Segments, in.Mask)
	}
	n := in.Batch()
	steps := len(in.IDs) / n
	row := steps * t.Width
	features := make([]float32, n*row)
	var unknown []int // rows
	keys := make([]string, n)
	for i := range keys {
		at, end := i*steps, (i+1)*steps
		keys[i] = key(in.IDs[at:end], in.Segments[at:end], in.HostMask[at:end])
		if !copied(features[i*row:][:row], t.known[keys[i]]) {
			unknown = append(unknown, i)
		}
	}
	t.compute(features, in, unknown)
	for _, i := range unknown {
		if cost := 4*row + len(keys[i]); in.Recurs && cost <= t.left {
			t.left -= cost
			t.known[keys[i]] = append([]float32(nil), features[i*row:][:row]...)
		}
	}
	return tp.Input(features, n, steps, t.Width)
}

// key identifies a sequence.
func key(ids, segments []int, mask []float32) string {
	b := make([]byte, 0, 5*len(ids))
	for i, id := range ids {
		b = binary.LittleEndian.AppendUint32(b, uint32(id))
		b = append(b, byte(segments[i])<<1|byte(mask[i]))
	}
	return string(b)
}

func copied(dst, src []float32) bool {
	copy(dst, src)
	return src != nil
}

// compute fills the given rows of features. It takes them in powers of two at a time: a tape keeps
// memory for each shape that it has seen, and how many rows are unknown differs from batch to
// batch.
func (t *Text) compute(features []float32, in *Input, rows []int) {
	for len(rows) > 0 {
		n := 1 << (bits.Len(uint(len(rows))) - 1)
		t.computeAtOnce(features, in, rows[:n])
		rows = rows[n:]
	}
}

func (t *Text) computeAtOnce(features []float32, in *Input, rows []int) {
	steps := len(in.IDs) / in.Batch()
	var ids, segments []int
	var keep []float32
	for _, i := range rows {
		ids = append(ids, in.IDs[i*steps:][:steps]...)
		segments = append(segments, in.Segments[i*steps:][:steps]...)
		keep = append(keep, in.HostMask[i*steps:][:steps]...)
	}
	t.tape.Reset()
	y := t.bert.Forward(t.tape, ids, segments, t.tape.Input(keep, len(rows), steps)).Values()
	for k, i := range rows {
		width := steps * t.Width
		for j, v := range y[k*width:][:width] {
			features[i*width+j] = float32(v)
		}
	}
}
