package zoo

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"
	"strings"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn"
)

// TextConfig holds the settings of the text encoder, whose keys begin with "text". A pretrained
// BERT has its own sizes and dropout.
type TextConfig struct {
	BERT string `yaml:"bert" help:"pretrained BERT, a directory or a name; empty: from scratch"`
	// if not, the features of the pretrained encoder are constants
	Finetune bool `yaml:"finetune" help:"train a pretrained encoder further"`
	// if not, AdamW changes all rows of the table in each step, as PyTorch's
	Sparse bool `yaml:"sparse" older:"true" help:"update only the token embeddings a batch reads"`

	Width       int     `yaml:"width" range:"[1,)" help:"width of a token, a multiple of heads"`
	Layers      int     `yaml:"layers" range:"[1,100]" help:"number of layers"`
	Heads       int     `yaml:"heads" range:"[1,)" help:"attention heads of each layer"`
	FeedForward int     `yaml:"feed_forward" range:"[1,)" help:"hidden width of feed-forward parts"`
	Dropout     float64 `yaml:"dropout" range:"[0,1)" help:"probability of dropout"`
}

// PaperText returns the sizes of BERT-base, which the papers use.
func PaperText() TextConfig {
	return TextConfig{Finetune: true, Sparse: true, Width: 768, Layers: 12, Heads: 12,
		FeedForward: 3072, Dropout: 0.1}
}

// QuickText returns the sizes of an encoder that trains from scratch in minutes on a CPU.
func QuickText() TextConfig {
	return TextConfig{Finetune: true, Sparse: true, Width: 64, Layers: 1, Heads: 4,
		FeedForward: 128, Dropout: 0.1}
}

// Check returns an error that names the first setting with an invalid value.
func (c *TextConfig) Check() error {
	if err := CheckSettings(c); err != nil {
		return fmt.Errorf("text.%w", err)
	}
	switch {
	case c.Width%c.Heads != 0:
		return fmt.Errorf("text.width %d does not divide into text.heads %d", c.Width, c.Heads)
	case !c.Finetune && c.BERT == "":
		return fmt.Errorf(
			"text.finetune is false without text.bert: an encoder trained from scratch has to " +
				"be trained; give a pretrained one",
		)
	}
	return nil
}

// A TextEncoder is the BERT with which every model begins: pretrained and trained further,
// pretrained and frozen, or trained from scratch.
type TextEncoder struct {
	Params     *nn.Params
	Width      int  // of a token's features, W
	Pretrained bool // its sizes are those of a pretrained BERT
	Frozen     bool // its features are constants
	Dropout    float64

	embeddingsFrozen bool

	bert       *nn.BERT
	tape       *ag.Tape             // of a frozen encoder
	cache      map[string][]float32 // of a frozen encoder: features [T W] of a token sequence
	cacheSpace int                  // bytes that the cache may still grow by
}

// maxCache is the largest size of the cache of a frozen encoder, in bytes: 14,000 samples of 50
// tokens for BERT-base.
const maxCache = 2 << 30

// NewTextEncoder creates the encoder under p. Its sizes are those of the pretrained d.BERT, or of
// c if d.BERT is nil.
func NewTextEncoder(p *nn.Params, c TextConfig, d Dims) *TextEncoder {
	b := nn.BERTConfig{Vocab: d.Vocab, Width: c.Width, Layers: c.Layers, Heads: c.Heads,
		FeedForward: c.FeedForward,
		Positions:   d.TextT, Types: 2, Dropout: c.Dropout, Attention: c.Dropout, Eps: 1e-12}
	if d.BERT != nil {
		b = *d.BERT
		b.SparseTokens = c.Sparse
	}
	e := &TextEncoder{Params: p, Width: b.Width, Pretrained: d.BERT != nil, Dropout: b.Dropout,
		bert: nn.NewBERT(p, b)}
	if d.BERT != nil && !c.Finetune {
		e.Frozen, e.cacheSpace, e.cache = true, maxCache, map[string][]float32{}
		e.tape = ag.NewInferenceTape(p.Device())
	}
	return e
}

// FreezeEmbeddings makes the token, position and type embeddings and their norm constants, if they
// are pretrained. Call it before Trainable, Groups and Forward.
func (e *TextEncoder) FreezeEmbeddings() { e.embeddingsFrozen = e.Pretrained }

// Trainable returns the parameters under p that training updates: all but those of a frozen
// encoder, or its frozen embeddings. p holds the parameters of a model, the encoder's among them.
func (e *TextEncoder) Trainable(p *nn.Params) []nn.Param {
	var frozen []nn.Param
	switch {
	case e.Frozen:
		frozen = e.Params.All()
	case e.embeddingsFrozen:
		frozen = e.Params.Sub("embeddings").All()
	}
	return slices.DeleteFunc(p.All(), func(x nn.Param) bool { return slices.Contains(frozen, x) })
}

// Groups returns the parameter group "text" of a pretrained encoder that is trained further, so
// that it has a learning rate of its own. Otherwise there is no group: an encoder from scratch is
// trained like the rest of the model.
func (e *TextEncoder) Groups() []Group {
	if !e.Pretrained || e.Frozen {
		return nil
	}
	return []Group{{Name: "text", Params: e.Trainable(e.Params)}}
}

// SplitDecay divides parameters into those to which the papers' code applies weight decay, and the
// biases and norms of BERT, to which some of it applies none.
func SplitDecay(ps []nn.Param) (decayed, others []nn.Param) {
	for _, p := range ps {
		if strings.Contains(p.Name, "bias") || strings.Contains(p.Name, "LayerNorm.weight") {
			others = append(others, p)
		} else {
			decayed = append(decayed, p)
		}
	}
	return decayed, others
}

// DecayGroups returns the group of [TextEncoder.Groups] divided in two: biases and weights of norms
// have no weight decay.
func (e *TextEncoder) DecayGroups() []Group {
	var groups []Group
	for _, g := range e.Groups() {
		decayed, others := SplitDecay(g.Params)
		groups = append(groups, Group{Name: g.Name, Params: decayed},
			Group{Name: g.Name, Params: others, NoDecay: true})
	}
	return groups
}

// Forward returns the features of the tokens, [B T W]. A frozen encoder computes those of a
// sequence once if the input is [Input.Cacheable].
func (e *TextEncoder) Forward(tp *ag.Tape, in *Input) *ag.Tensor {
	if !e.Frozen {
		return e.encode(tp, e.embed(tp, in), in, 0, e.bert.Layers())
	}
	n := in.Batch()
	steps := len(in.IDs) / n
	row := steps * e.Width
	features := make([]float32, n*row)
	var missing []int // rows that the cache does not have
	keys := make([]string, n)
	for i := range keys {
		at, end := i*steps, (i+1)*steps
		keys[i] = cacheKey(in.IDs[at:end], in.Segments[at:end], in.HostMask[at:end])
		cached, ok := e.cache[keys[i]]
		if copy(features[i*row:][:row], cached); !ok {
			missing = append(missing, i)
		}
	}
	e.compute(features, in, missing)
	for _, i := range missing {
		if size := 4*row + len(keys[i]); in.Cacheable && size <= e.cacheSpace {
			e.cacheSpace -= size
			e.cache[keys[i]] = slices.Clone(features[i*row:][:row])
		}
	}
	return tp.Input(features, n, steps, e.Width)
}

// ForwardWith is [TextEncoder.Forward] with the hidden states [B T W] after the first n layers
// replaced by those that change returns. It passes gradients through the layers after them, also
// through those of a frozen encoder, which then has dropout as in training and no cache. It panics
// if there are less than n layers.
func (e *TextEncoder) ForwardWith(
	tp *ag.Tape, in *Input, n int, change func(h *ag.Tensor) *ag.Tensor,
) *ag.Tensor {
	h := change(e.encode(tp, e.embed(tp, in), in, 0, n))
	return e.encode(tp, h, in, n, e.bert.Layers())
}

// embed returns the input of the first layer, [B T W].
func (e *TextEncoder) embed(tp *ag.Tape, in *Input) (x *ag.Tensor) {
	embed := func() { x = e.bert.Embed(tp, in.IDs, in.Segments, in.Mask) }
	if e.Frozen || e.embeddingsFrozen {
		tp.NoGrad(embed)
	} else {
		embed()
	}
	return x
}

// encode runs the layers with from ≤ index < to.
func (e *TextEncoder) encode(tp *ag.Tape, x *ag.Tensor, in *Input, from, to int) *ag.Tensor {
	if !e.Frozen {
		return e.bert.Encode(tp, x, in.Mask, from, to)
	}
	tp.Frozen(e.Params.Tensors(), func() { x = e.bert.Encode(tp, x, in.Mask, from, to) })
	return x
}

// cacheKey returns a string that is different for different sequences.
func cacheKey(ids, segments []int, mask []float32) string {
	b := make([]byte, 0, 5*len(ids))
	for i, id := range ids {
		b = binary.LittleEndian.AppendUint32(b, uint32(id))
		b = append(b, byte(segments[i])<<1|byte(mask[i]))
	}
	return string(b)
}

// compute sets the given rows of features [B T W]. It divides them into groups whose sizes are
// powers of two: a tape keeps memory for each shape that it has seen, and the number of rows
// differs from batch to batch.
func (e *TextEncoder) compute(features []float32, in *Input, rows []int) {
	for len(rows) > 0 {
		n := 1 << (bits.Len(uint(len(rows))) - 1)
		e.computeGroup(features, in, rows[:n])
		rows = rows[n:]
	}
}

func (e *TextEncoder) computeGroup(features []float32, in *Input, rows []int) {
	steps := len(in.IDs) / in.Batch()
	var ids, segments []int
	var mask []float32
	for _, i := range rows {
		ids = append(ids, in.IDs[i*steps:][:steps]...)
		segments = append(segments, in.Segments[i*steps:][:steps]...)
		mask = append(mask, in.HostMask[i*steps:][:steps]...)
	}
	e.tape.Reset()
	y := e.bert.Forward(e.tape, ids, segments, e.tape.Input(mask, len(rows), steps)).Values()
	for k, i := range rows {
		width := steps * e.Width
		for j, v := range y[k*width:][:width] {
			features[i*width+j] = float32(v)
		}
	}
}
