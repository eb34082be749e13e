package nn

import ag "github.com/seed-6655bf3b/recap/autograd"

// MultiHead is multi-head attention (Vaswani et al. 2017, Attention is all you need, section 3.2).
// Head h is in its own columns of the projections:
//
//	head_h = softmax(Q_h K_hᵀ / √w) V_h,  Q = q·W_qᵀ, K = k·W_kᵀ, V = v·W_vᵀ (+ biases)
//	y = [head_1 … head_H]·W_oᵀ + b_o
type MultiHead struct {
	Query, Key, Value *Linear // [H·w d]
	Output            *Linear // [d H·w]
	Heads             int
	Dropout           float64 // of the attention weights
	Causal            bool    // see autograd.AttentionConfig
}

// MultiHeadConfig holds the sizes of a [MultiHead].
type MultiHeadConfig struct {
	Width     int  // d, of inputs and output
	Heads     int  // H
	HeadWidth int  // w; H·w need not be d
	Bias      bool // of the query, key and value projections; the output's always has one
}

// NewMultiHead creates the projections "query", "key", "value" and "output", initialised as
// [NewLinear] does.
func NewMultiHead(p *Params, c MultiHeadConfig) *MultiHead {
	inner := c.Heads * c.HeadWidth
	project := func(name string) *Linear {
		q := p.Sub(name)
		if c.Bias {
			return NewLinear(q, c.Width, inner)
		}
		return &Linear{W: q.New("weight", FanIn(c.Width), inner, c.Width)}
	}
	return &MultiHead{
		Query: project("query"), Key: project("key"), Value: project("value"),
		Output: NewLinear(p.Sub("output"), inner, c.Width),
		Heads:  c.Heads,
	}
}

// newPackedMultiHead creates the projections of [NewMultiHead] for heads that divide the width d,
// initialised as in PyTorch's MultiheadAttention: those to queries, keys and values as one matrix
// [3d d] by [Xavier], the output's by init, and all biases as 0.
func newPackedMultiHead(p *Params, d int, init Init) *MultiHead {
	project := func(name string, init Init) *Linear {
		q := p.Sub(name)
		return &Linear{W: q.New("weight", init, d, d), B: q.New("bias", Zeros, d)}
	}
	packed := Xavier(d, 3*d)
	return &MultiHead{Query: project("query", packed), Key: project("key", packed),
		Value: project("value", packed), Output: project("output", init)}
}

// Forward returns [B Tq d] for queries q [B Tq d], keys k and values v [B Tk d]. Keys where the
// mask [B Tk] is 0 are excluded; a nil mask excludes none.
func (m *MultiHead) Forward(tp *ag.Tape, q, k, v, mask *ag.Tensor) *ag.Tensor {
	heads := tp.Attention(m.Query.Forward(tp, q), m.Key.Forward(tp, k), m.Value.Forward(tp, v),
		ag.AttentionConfig{Heads: m.Heads, Mask: mask, Causal: m.Causal, Dropout: m.Dropout})
	return m.Output.Forward(tp, heads)
}
