package zoo

import (
	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn"
)

// Views holds two representations of one vector per modality, x_m: a private view s_m and a shared
// view c_m, as MISA has them. Any order of the modalities will do, the same in all tensors. The
// elements of c_m are in (0, 1).
type Views struct {
	Target  *ag.Tensor // x, [3 B d]
	Private *ag.Tensor // s, [3 B d]
	Shared  *ag.Tensor // c, [3 B d]
	All     *ag.Tensor // s, then c, [6 B d]
}

// ViewWeights holds the weights of the loss terms that give views their meaning.
type ViewWeights struct {
	Diff  float64 `yaml:"diff" help:"weight of L_diff, orthogonality"`
	Sim   float64 `yaml:"sim" help:"weight of L_sim, moments"`
	Recon float64 `yaml:"recon" help:"weight of L_recon"`
}

// ViewTitles has the titles of a loss of L_task and the terms of [Views.Terms].
var ViewTitles = []TermTitle{
	{Name: "task", Title: "L_task"}, {Name: "diff", Title: "L_diff, orthogonality"},
	{Name: "sim", Title: "L_sim, moments"}, {Name: "recon", Title: "L_recon"},
}

// Terms returns L_diff, L_sim and L_recon. They make views orthogonal that should contain different
// information, the distributions of the shared views similar, and s_m + c_m sufficient to
// reconstruct x_m by reconstruct[m].
func (v *Views) Terms(tp *ag.Tape, reconstruct [Modalities]*nn.Linear, w ViewWeights) []Term {
	return []Term{
		{Name: "diff", Weight: w.Diff, Loss: v.difference(tp)},
		{Name: "sim", Weight: w.Sim, Loss: v.similarity(tp)},
		{Name: "recon", Weight: w.Recon, Loss: v.reconstruction(tp, reconstruct)},
	}
}

// maxMoment is K, the highest moment that L_sim compares.
const maxMoment = 5

// similarity returns L_sim, the mean over the three pairs of shared views of their central moment
// discrepancy (Zellinger et al. 2017)
//
//	CMD(X, Y) = ‖X̄ − Ȳ‖ + Σ_{k=2…K} ‖mean (X − X̄)^k − mean (Y − Ȳ)^k‖
//
// with means over the batch. The factors 1/|b−a|^k of the definition are 1, because σ maps to (0,
// 1). The derivative of a square root is infinite where two moments are equal, so 1e-12 is added
// under the root; MISA's code does not do this.
func (v *Views) similarity(tp *ag.Tape) *ag.Tensor {
	each := CentralMoments(tp, v.Shared, maxMoment)             // [3 K d]
	difference := tp.Sub(each, tp.Gather(each, []int{1, 2, 0})) // of the three pairs
	square := tp.Sum(tp.Mul(difference, difference), 2)         // [3 K]
	return tp.Scale(tp.Sum(tp.Sqrt(tp.AddScalar(square, 1e-12))), 1./Modalities)
}

// orthogonal lists the six pairs of views that L_diff makes orthogonal, as indices into Views.All:
// the private and the shared view of each modality, and the private views of every two modalities.
var orthogonal = [2][]int{{0, 1, 2, 2, 2, 0}, {3, 4, 5, 0, 1, 1}}

// difference returns L_diff, the sum of D over the pairs of orthogonal. For two views X and Y
// [B d], centred over the batch and with each row divided by its norm, a constant,
//
//	D(X, Y) = mean over d² elements of (XᵀY)²
//
// MISA's paper writes the squared Frobenius norm, which is the sum; its code, for which the weights
// were chosen, takes the mean.
func (v *Views) difference(tp *ag.Tape) *ag.Tensor {
	centred := tp.Sub(v.All, tp.Reshape(tp.Mean(v.All, 1), 2*Modalities, 1, -1))
	constant := tp.StopGradient(centred)
	norm := tp.AddScalar(tp.Sqrt(tp.Sum(tp.Mul(constant, constant), 2)), 1e-6) // [6 B]
	unit := tp.Div(centred, tp.Reshape(norm, 2*Modalities, -1, 1))
	// [6 d d]
	product := tp.MatMul(tp.Gather(unit, orthogonal[0]), tp.Gather(unit, orthogonal[1]), ag.TN)
	return tp.Scale(tp.Mean(tp.Mul(product, product)), float64(len(orthogonal[0])))
}

// reconstruction returns L_recon, the mean squared error over modalities, samples and features
// between x_m and
//
//	r_m = R_m (s_m + c_m) + b
//
// The target x_m is not a constant: it has a gradient too, which makes it easier to reconstruct.
func (v *Views) reconstruction(tp *ag.Tape, reconstruct [Modalities]*nn.Linear) *ag.Tensor {
	r := tp.Split(tp.Add(v.Private, v.Shared), 0, 1, 1, 1)
	for i, sum := range r {
		r[i] = reconstruct[i].Forward(tp, sum)
	}
	return tp.MSE(tp.Concat(0, r...), v.Target)
}
