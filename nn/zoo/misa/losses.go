package misa

import (
	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// maxMoment is K, the highest moment that L_sim compares.
const maxMoment = 5

// similarity returns L_sim for the shared views c [3 B d]: the mean over the three pairs of
// modalities of their central moment discrepancy (Zellinger et al. 2017)
//
//	CMD(X, Y) = ‖X̄ − Ȳ‖ + Σ_{k=2…K} ‖mean (X − X̄)^k − mean (Y − Ȳ)^k‖
//
// with means over the batch. The factors 1/|b−a|^k of the definition are 1, because σ maps to (0,
// 1). The derivative of a square root is infinite where two moments are equal, so 1e-12 is added
// under the root; the authors' code does not do this.
func similarity(tp *ag.Tape, c *ag.Tensor) *ag.Tensor {
	each := zoo.CentralMoments(tp, c, maxMoment)                // [3 K d]
	difference := tp.Sub(each, tp.Gather(each, []int{1, 2, 0})) // of the pairs l v, v a, a l
	square := tp.Sum(tp.Mul(difference, difference), 2)         // [3 K]
	return tp.Scale(tp.Sum(tp.Sqrt(tp.AddScalar(square, 1e-12))), 1./zoo.Modalities)
}

// orthogonal lists the six pairs of views that L_diff makes orthogonal, as indices into views.all:
// the private and the shared view of each modality, and the private views of every two modalities.
var orthogonal = [2][]int{{0, 1, 2, 2, 2, 0}, {3, 4, 5, 0, 1, 1}}

// difference returns L_diff for the views [6 B d], the sum of D over the pairs of orthogonal. For
// two views X and Y [B d], centred over the batch and with each row divided by its norm, a
// constant,
//
//	D(X, Y) = mean over d² elements of (XᵀY)²
//
// The paper writes the squared Frobenius norm, which is the sum; the authors' code, for which the
// weights were chosen, takes the mean.
func difference(tp *ag.Tape, views *ag.Tensor) *ag.Tensor {
	centred := tp.Sub(views, tp.Reshape(tp.Mean(views, 1), 2*zoo.Modalities, 1, -1))
	constant := tp.StopGradient(centred)
	norm := tp.AddScalar(tp.Sqrt(tp.Sum(tp.Mul(constant, constant), 2)), 1e-6) // [6 B]
	unit := tp.Div(centred, tp.Reshape(norm, 2*zoo.Modalities, -1, 1))
	// [6 d d]
	product := tp.MatMul(tp.Gather(unit, orthogonal[0]), tp.Gather(unit, orthogonal[1]), ag.TN)
	return tp.Scale(tp.Mean(tp.Mul(product, product)), float64(len(orthogonal[0])))
}

// reconstruction returns L_recon, the mean squared error over modalities, samples and features
// between p_m and
//
//	r_m = R_m (s_m + c_m) + b
//
// The target p_m is not a constant: it has a gradient too, which makes it easier to reconstruct.
func (m *model) reconstruction(tp *ag.Tape, v views) *ag.Tensor {
	r := tp.Split(tp.Add(v.private, v.shared), 0, 1, 1, 1)
	for i, sum := range r {
		r[i] = m.reconstruct[i].Forward(tp, sum)
	}
	return tp.MSE(tp.Concat(0, r...), v.projected)
}
