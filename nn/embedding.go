package nn

import ag "github.com/seed-6655bf3b/recap/autograd"

// Embedding is a table of vectors, looked up by number.
type Embedding struct {
	W *ag.Tensor // [n width]
	// Sparse makes the gradient row-sparse, so that a step costs what its rows cost, not the
	// table: see autograd.Tape.Lookup. Adam then leaves vectors that a step does not read as they
	// are, moments included, as PyTorch's SparseAdam does.
	Sparse bool
}

// NewEmbedding makes "weight". PyTorch's default init is Normal(1), BERT's Normal(0.02).
func NewEmbedding(p *Params, init Init, n, width int) *Embedding {
	return &Embedding{W: p.New("weight", init, n, width)}
}

// Forward returns rows of the table, [len(ids) width].
func (e *Embedding) Forward(tp *ag.Tape, ids []int) *ag.Tensor {
	if e.Sparse {
		return tp.Lookup(e.W, ids)
	}
	return tp.Gather(e.W, ids)
}
