package zoo

import ag "github.com/seed-6655bf3b/recap/autograd"

// TaskErrors returns the error of each prediction, [B]: of labels, scores [B 1], the squared error
// (RECAP, eq 18; LNLN; MISA); of classes, logits [B C], the cross-entropy.
func TaskErrors(tp *ag.Tape, score *ag.Tensor, b *Batch, d *Dims) *ag.Tensor {
	if d.Classes > 0 {
		return tp.Neg(tp.Pick(tp.LogSoftmax(score, nil), b.Class))
	}
	e := tp.Sub(tp.Reshape(score, -1), b.Label)
	return tp.Mul(e, e)
}

// Width returns the width of a model's last layer: 1 for labels, the number of classes for logits.
func (d *Dims) Width() int { return max(d.Classes, 1) }

// Output returns a prediction from the last layer's scores, [B 1] or [B C].
func (d *Dims) Output(tp *ag.Tape, score *ag.Tensor) Output {
	if d.Classes == 0 {
		score = tp.Reshape(score, -1)
	}
	return Output{Score: score}
}
