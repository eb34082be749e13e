package nn

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	ag "github.com/seed-6655bf3b/recap/autograd"
)

// Mamba is a selective state space layer (Gu and Dao 2023, Mamba: linear-time sequence modeling
// with selective state spaces, figure 3), in one direction or in both. A direction computes
//
//	(x, z) = input·W_inᵀ,  u = SiLU(conv(x)),  (ρ, B, C) = u·W_xᵀ
//	o = scan(u, ρ·W_dtᵀ, B, C, z),  output = o·W_outᵀ
//
// where scan is autograd.Tape.SelectiveScan and conv autograd.Tape.CausalConv. Both directions
// share W_in and W_out. The second runs in reversed time and has a conv, W_x, W_dt and scan of its
// own; o is the mean of the two (Zhu et al. 2024, Vision Mamba, with the sum halved).
//
// It adds no residual and has no norm. No step is masked.
type Mamba struct {
	in, out    *ag.Tensor       // [2D d], [d D]
	directions []mambaDirection // forward, and backward if there is one
}

// A mambaDirection holds the weights of one direction.
type mambaDirection struct {
	conv, convBias *ag.Tensor // [D 1 K], [D]
	project        *ag.Tensor // [R+2N D], to ρ, B and C
	step           *ag.Tensor // [D R]
	scan           ag.ScanWeights
}

// MambaConfig holds the sizes of a [Mamba], whose convolution has windows of 4 steps and whose ρ
// has R = ⌈Width/16⌉ elements.
type MambaConfig struct {
	Width         int // d, of input and output
	Expand        int // E: the layer computes in D = E·d channels
	State         int // N, the number of states of a channel
	Bidirectional bool

	// Blocks is the number of layers of a stack with the initial values of Vision Mamba: W_out is
	// divided by √Blocks, and the bias of the backward steps is 0. If Blocks is 0, W_out is not
	// divided, and that bias is from U(−1/√R, 1/√R).
	Blocks int
}

const mambaKernel = 4 // K, steps of a window of the convolution

// rank returns R.
func (c MambaConfig) rank() int { return (c.Width + 15) / 16 }

// inner returns D.
func (c MambaConfig) inner() int { return c.Expand * c.Width }

// NewMamba creates "in_proj.weight", "out_proj.weight", and of each direction "conv1d.weight",
// "conv1d.bias", "x_proj.weight", "dt_proj.weight" and "dt_proj.bias", all with PyTorch's initial
// values but the bias of the forward steps: after Softplus it is log-uniform in 0.001 to 0.1. "D"
// is 1, and "A_log" ln n for state n from 1 to N. The backward direction has "conv1d_b" and so on,
// and "A_b_log".
func NewMamba(p *Params, c MambaConfig) *Mamba { return newMamba(p, c, newStates(p, c)) }

// newStates creates A_log [D N] of each direction.
func newStates(p *Params, c MambaConfig) []*ag.Tensor {
	logs := []*ag.Tensor{p.New("A_log", logStates(c.State), c.inner(), c.State)}
	if c.Bidirectional {
		logs = append(logs, p.New("A_b_log", logStates(c.State), c.inner(), c.State))
	}
	return logs
}

// logStates returns an [Init] of ln 1, ln 2, …, ln n, and again.
func logStates(n int) Init {
	i := -1
	return func(*rand.Rand) float64 { i++; return math.Log(float64(i%n + 1)) }
}

// newMamba creates all parameters but logs, A_log of each direction.
func newMamba(p *Params, c MambaConfig, logs []*ag.Tensor) *Mamba {
	d, inner := c.Width, c.inner()
	out := FanIn(inner)
	if c.Blocks > 0 {
		out = scaled(1/math.Sqrt(float64(c.Blocks)), out)
	}
	l := &Mamba{in: p.Sub("in_proj").New("weight", FanIn(d), 2*inner, d)}
	for i, log := range logs {
		suffix, bias := "", stepBias
		if i == 1 {
			suffix, bias = "_b", FanIn(c.rank())
			if c.Blocks > 0 {
				bias = Zeros
			}
		}
		l.directions = append(l.directions, newDirection(p, c, suffix, bias, log))
	}
	l.out = p.Sub("out_proj").New("weight", out, d, inner)
	return l
}

func newDirection(
	p *Params, c MambaConfig, suffix string, bias Init, log *ag.Tensor,
) mambaDirection {
	inner, rank := c.inner(), c.rank()
	conv, step := p.Sub("conv1d"+suffix), p.Sub("dt_proj"+suffix)
	return mambaDirection{
		conv:     conv.New("weight", FanIn(mambaKernel), inner, 1, mambaKernel),
		convBias: conv.New("bias", FanIn(mambaKernel), inner),
		project:  p.Sub("x_proj"+suffix).New("weight", FanIn(inner), rank+2*c.State, inner),
		step:     step.New("weight", FanIn(rank), inner, rank),
		scan: ag.ScanWeights{StepBias: step.New("bias", bias, inner), ALog: log,
			Skip: p.New("D"+suffix, Ones, inner)},
	}
}

// stepBias is an [Init]: softplus⁻¹(Δ) = Δ + ln(1 − e^−Δ) for a Δ that is log-uniform in 0.001 to
// 0.1.
func stepBias(rng *rand.Rand) float64 {
	delta := 0.001 * math.Pow(100, rng.Float64())
	return delta + math.Log(-math.Expm1(-delta))
}

// scaled returns an [Init] that draws from init and multiplies by a.
func scaled(a float64, init Init) Init {
	return func(rng *rand.Rand) float64 { return a * init(rng) }
}

// Forward maps x [B T d] to [B T d].
func (l *Mamba) Forward(tp *ag.Tape, x *ag.Tensor) *ag.Tensor {
	inner := l.out.Shape()[1]
	in := tp.Split(l.in, 0, inner, inner)
	u, z := tp.Linear(x, in[0], nil), tp.Linear(x, in[1], nil)
	o := l.directions[0].forward(tp, u, z, false)
	if len(l.directions) == 2 {
		o = tp.Scale(tp.Add(o, l.directions[1].forward(tp, u, z, true)), 0.5)
	}
	return tp.Linear(o, l.out, nil)
}

// forward returns o [B T D] for x and z [B T D].
func (l *mambaDirection) forward(tp *ag.Tape, x, z *ag.Tensor, reverse bool) *ag.Tensor {
	inner, states := l.scan.ALog.Shape()[0], l.scan.ALog.Shape()[1]
	rank := l.step.Shape()[1]
	conv := tp.Reshape(l.conv, inner, mambaKernel)
	u := tp.SiLU(tp.CausalConv(x, conv, l.convBias, reverse))
	p := tp.Split(tp.Linear(u, l.project, nil), 2, rank, states, states)
	return tp.SelectiveScan(u, tp.Linear(p[0], l.step, nil), p[1], p[2], z, l.scan, reverse)
}

// PairMamba is a bidirectional [Mamba] for each of two streams, which share the matrices A of the
// scans, one for each direction (Li et al. 2025, TF-Mamba).
type PairMamba struct{ streams [2]*Mamba }

// NewPairMamba creates "A_log" and "A_b_log", and the other parameters of [NewMamba] for each
// stream, below "streams.0" and "streams.1". It panics unless c is bidirectional.
func NewPairMamba(p *Params, c MambaConfig) *PairMamba {
	if !c.Bidirectional {
		panic("nn: PairMamba: want Bidirectional")
	}
	logs, streams := newStates(p, c), p.Sub("streams")
	return &PairMamba{[2]*Mamba{newMamba(streams.Sub("0"), c, logs),
		newMamba(streams.Sub("1"), c, logs)}}
}

// Forward maps x and y [B T d] to [B T d] each. It panics if their shapes differ.
func (l *PairMamba) Forward(tp *ag.Tape, x, y *ag.Tensor) (xs, ys *ag.Tensor) {
	if sx, sy := x.Shape(), y.Shape(); !slices.Equal(sx, sy) {
		panic(fmt.Sprintf("nn: PairMamba: x %v, y %v: want equal shapes", sx, sy))
	}
	return l.streams[0].Forward(tp, x), l.streams[1].Forward(tp, y)
}
