package nn

import ag "github.com/seed-6655bf3b/recap/autograd"

// Embedding is a table of vectors, one for each id.
type Embedding struct {
	W *ag.Tensor // [n width]
	// Sparse makes the gradient row-sparse (see autograd.Tape.Lookup): the cost of a step
	// depends on the number of rows it reads, not on the size of the table. Adam then updates
	// only the rows that a step reads, and their moments, as PyTorch's SparseAdam does.
	Sparse bool
}

// NewEmbedding creates "weight" [n width]. PyTorch's default init is Normal(1), BERT's
// Normal(0.02).
func NewEmbedding(p *Params, init Init, n, width int) *Embedding {
	return &Embedding{W: p.New("weight", init, n, width)}
}

// Forward returns the rows of the table with the given ids, [len(ids) width]. It panics if an id
// is out of range.
func (e *Embedding) Forward(tp *ag.Tape, ids []int) *ag.Tensor {
	if e.Sparse {
		return tp.Lookup(e.W, ids)
	}
	return tp.Gather(e.W, ids)
}
