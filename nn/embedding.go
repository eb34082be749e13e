package nn

import ag "github.com/seed-6655bf3b/recap/autograd"

// Embedding is a table of vectors, looked up by number.
type Embedding struct {
	W *ag.Tensor // [n width]
}

// NewEmbedding makes "weight". PyTorch's default init is Normal(1), BERT's Normal(0.02).
func NewEmbedding(p *Params, init Init, n, width int) *Embedding {
	return &Embedding{p.New("weight", init, n, width)}
}

// Forward returns rows of the table, [len(ids) width].
func (e *Embedding) Forward(tp *ag.Tape, ids []int) *ag.Tensor { return tp.Gather(e.W, ids) }
