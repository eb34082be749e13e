package tfrnet

import (
	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// A reconstruction estimates the complete features of a modality of T steps.
type reconstruction struct {
	encode *nn.CrossmodalTransformer // of width T
	out    *nn.Linear
	axis   string
	cmd    float64 // weight of the moments
}

func newReconstruction(p *nn.Params, c *Config, steps, width int) *reconstruction {
	heads := c.Reconstruction.Heads
	if steps%heads != 0 {
		heads = 1
	}
	return &reconstruction{
		encode: nn.NewCrossmodalTransformer(p.Sub("encode"), c.transformer(steps, heads)),
		out:    nn.NewLinear(p.Sub("out"), 3*c.Width, width),
		axis:   c.Reconstruction.Axis, cmd: c.Reconstruction.CMD,
	}
}

// Forward returns X̂_m [B T d_m] = W·E(h) + b for h [B T 3d]. The encoder E reads the T values of a
// channel of a sample as one vector. These vectors attend to each other: in the authors' code those
// of the same channel in all samples of the batch, sample b to the samples up to b. So L_rec
// depends on the order of a batch; predictions do not. With axis=channel it is the channels of one
// sample, channel c to the channels up to c.
func (r *reconstruction) Forward(tp *ag.Tape, h *ag.Tensor) *ag.Tensor {
	if r.axis == "batch" {
		y := r.encode.Forward(tp, tp.Permute(h, 2, 0, 1), nil) // [3d B T]
		return r.out.Forward(tp, tp.Permute(y, 1, 2, 0))
	}
	y := r.encode.Forward(tp, tp.Permute(h, 0, 2, 1), nil) // [B 3d T]
	return r.out.Forward(tp, tp.Permute(y, 0, 2, 1))
}

// loss returns L_rec,m for X̂_m and X_m [B T d_m] and the missing steps M [B T 1]:
//
//	L_rec = (Σ smoothL1(M⊙X̂ − M⊙X) + w·CMD(M⊙X̂, M⊙X)) / n,  n = d_m·ΣM + 1e-4
//
// If nothing is missing in the batch, the sum is 0 and L_rec the constant w·3e-6/1e-4.
func (r *reconstruction) loss(tp *ag.Tape, made, x, missing *ag.Tensor) *ag.Tensor {
	made, x = tp.Mul(missing, made), tp.Mul(missing, x)
	sum := tp.Scale(tp.SmoothL1(made, x, 1), float64(x.Len()))
	n := tp.AddScalar(tp.Scale(tp.Sum(missing), float64(x.Shape()[2])), 1e-4)
	return tp.Div(tp.Add(sum, tp.Scale(momentDistance(tp, made, x), r.cmd)), n)
}

// momentDistance returns CMD, the central moment discrepancy of x and y [B T d_m] up to the third
// moment, with means over all steps of all samples, those that are 0 too. The code adds 1e-12 under
// the root.
func momentDistance(tp *ag.Tape, x, y *ag.Tensor) *ag.Tensor {
	width := x.Shape()[2]
	moments := zoo.CentralMoments(tp, tp.Reshape(tp.Stack(0, x, y), 2, -1, width), 3) // [2 3 d_m]
	each := tp.Split(moments, 0, 1, 1)
	difference := tp.Sub(each[0], each[1])
	square := tp.Sum(tp.Mul(difference, difference), 2)
	return tp.Sum(tp.Sqrt(tp.AddScalar(square, 1e-12)))
}

// missingSteps returns M_m [B T_m 1]: 1 at the steps of the recording that are missing in the
// corrupted input, 0 at the others and at padding.
func missingSteps(tp *ag.Tape, b *zoo.Batch) (m sequences) {
	in := b.Corrupted
	recorded := sequences{in.Mask, tp.UntilEnd(in.AudioLen, in.Audio.Shape()[1]),
		tp.UntilEnd(in.VisionLen, in.Vision.Shape()[1])}
	for i, keep := range b.KeepMasks {
		m[i] = tp.Reshape(tp.Sub(recorded[i], keep), in.Batch(), -1, 1)
	}
	return m
}
