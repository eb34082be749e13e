package nn

import (
	"fmt"
	"strconv"

	ag "github.com/seed-6655bf3b/recap/autograd"
)

// BERT is the encoder of Devlin et al. (2019, BERT: Pre-training of deep bidirectional
// transformers): embeddings of tokens, positions and segments, then post-norm Transformer layers
//
//	x ← LN(x + drop(MultiHead(x, x, x)))
//	x ← LN(x + drop(FFN(x)))
//
// Parameters have the names of Hugging Face's BertModel, without its pooler, so that pretrained
// weights can be loaded: see [OpenBERT].
type BERT struct {
	tokens, positions, types *Embedding
	norm                     *LayerNorm
	layers                   []bertLayer
	dropout                  float64
}

type bertLayer struct {
	attention                 *MultiHead
	attentionNorm, outputNorm *LayerNorm
	feedForward               feedForward
}

// BERTConfig holds the sizes of a [BERT]. Its JSON form is the config.json of a Hugging Face
// model.
type BERTConfig struct {
	Vocab       int     `json:"vocab_size"`
	Width       int     `json:"hidden_size"`
	Layers      int     `json:"num_hidden_layers"`
	Heads       int     `json:"num_attention_heads"` // of width Width/Heads
	FeedForward int     `json:"intermediate_size"`
	Positions   int     `json:"max_position_embeddings"` // the longest sequence
	Types       int     `json:"type_vocab_size"`
	Dropout     float64 `json:"hidden_dropout_prob"`
	Attention   float64 `json:"attention_probs_dropout_prob"` // dropout of the attention weights
	Eps         float64 `json:"layer_norm_eps"`

	SparseTokens bool `json:"-"` // gradient of the token embeddings, see Embedding
	ToLoad       bool `json:"-"` // the parameters are then loaded, see Params.ToLoad
}

// NewBERT creates a BERT with weights from N(0, 0.02²) and biases 0, or all 0 if c.ToLoad. It
// panics if the width does not divide into the heads.
func NewBERT(p *Params, c BERTConfig) *BERT {
	if c.Heads < 1 || c.Width%c.Heads != 0 {
		panic(fmt.Sprintf("nn: BERT: width %d does not divide into %d heads", c.Width, c.Heads))
	}
	if c.ToLoad {
		p = p.ToLoad()
	}
	table := func(name string, n int) *Embedding {
		return NewEmbedding(p.Sub("embeddings").Sub(name), Normal(0.02), n, c.Width)
	}
	b := &BERT{
		tokens:    table("word_embeddings", c.Vocab),
		positions: table("position_embeddings", c.Positions),
		types:     table("token_type_embeddings", c.Types),
		norm:      c.norm(p.Sub("embeddings")),
		dropout:   c.Dropout,
	}
	b.tokens.Sparse = c.SparseTokens
	for i := range c.Layers {
		b.layers = append(b.layers, c.layer(p.Sub("encoder.layer").Sub(strconv.Itoa(i))))
	}
	return b
}

func (c *BERTConfig) layer(p *Params) bertLayer {
	self := p.Sub("attention.self")
	return bertLayer{
		attention: &MultiHead{
			Query:   c.linear(self.Sub("query"), c.Width, c.Width),
			Key:     c.linear(self.Sub("key"), c.Width, c.Width),
			Value:   c.linear(self.Sub("value"), c.Width, c.Width),
			Output:  c.linear(p.Sub("attention.output.dense"), c.Width, c.Width),
			Heads:   c.Heads,
			Dropout: c.Attention,
		},
		attentionNorm: c.norm(p.Sub("attention.output")),
		feedForward: feedForward{
			c.linear(p.Sub("intermediate.dense"), c.Width, c.FeedForward),
			c.linear(p.Sub("output.dense"), c.FeedForward, c.Width),
		},
		outputNorm: c.norm(p.Sub("output")),
	}
}

func (c *BERTConfig) linear(p *Params, in, out int) *Linear {
	return &Linear{W: p.New("weight", Normal(0.02), out, in), B: p.New("bias", Zeros, out)}
}

func (c *BERTConfig) norm(p *Params) *LayerNorm {
	n := NewLayerNorm(p.Sub("LayerNorm"), c.Width)
	n.Eps = c.Eps
	return n
}

// Forward returns the last hidden state [B T d] of B sequences of T tokens: [BERT.Embed], then all
// layers of [BERT.Encode].
func (b *BERT) Forward(tp *ag.Tape, ids, segments []int, mask *ag.Tensor) *ag.Tensor {
	return b.Encode(tp, b.Embed(tp, ids, segments, mask), mask, 0, b.Layers())
}

// Embed returns the embeddings [B T d] of B sequences of T tokens, the input of the first layer.
// ids and segments hold the B·T ids and segments (0 or 1) of the tokens, row by row. mask [B T] is
// 1 at tokens and 0 at padding. It panics if sizes do not fit, or if T exceeds the number of
// positions.
func (b *BERT) Embed(tp *ag.Tape, ids, segments []int, mask *ag.Tensor) *ag.Tensor {
	s := mask.Shape()
	if len(s) != 2 || len(ids) != mask.Len() || len(segments) != mask.Len() {
		panic(fmt.Sprintf("nn: BERT: %d ids, %d segments, mask %v: want B·T of each and [B T]",
			len(ids), len(segments), s))
	}
	if limit := b.positions.W.Shape()[0]; s[1] > limit {
		panic(fmt.Sprintf("nn: BERT: sequences of %d tokens: there are %d positions", s[1], limit))
	}
	x := tp.Add(b.tokens.Forward(tp, ids), b.types.Forward(tp, segments))
	x = tp.Add(tp.Reshape(x, s[0], s[1], -1), tp.Slice(b.positions.W, 0, 0, s[1]))
	return tp.Dropout(b.norm.Forward(tp, x), b.dropout)
}

// Layers returns the number of layers.
func (b *BERT) Layers() int { return len(b.layers) }

// Encode runs the layers with from ≤ index < to on hidden states x [B T d], so that a model can
// change the states between two layers. No token attends to padding, where mask [B T] is 0. It
// panics if there are no such layers.
func (b *BERT) Encode(tp *ag.Tape, x, mask *ag.Tensor, from, to int) *ag.Tensor {
	if from < 0 || from > to || to > len(b.layers) {
		panic(fmt.Sprintf("nn: BERT: layers %d to %d of %d", from, to, len(b.layers)))
	}
	for _, l := range b.layers[from:to] {
		x = l.forward(tp, x, mask, b.dropout)
	}
	return x
}

func (l *bertLayer) forward(tp *ag.Tape, x, mask *ag.Tensor, dropout float64) *ag.Tensor {
	return tp.Scope(func() *ag.Tensor {
		a := l.attention.Forward(tp, x, x, x, mask)
		y := l.attentionNorm.Forward(tp, tp.Add(x, tp.Dropout(a, dropout)))
		f := l.feedForward.Forward(tp, y)
		return l.outputNorm.Forward(tp, tp.Add(y, tp.Dropout(f, dropout)))
	})
}
