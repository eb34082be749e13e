package optim

import (
	"fmt"
	"math"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn"
)

// Adam divides a running mean of each gradient by the root of a running mean of its square
// (Kingma and Ba 2015, Adam: a method for stochastic optimization, algorithm 1). With t the
// number of steps of this parameter:
//
//	m ← β₁m + (1−β₁)g,  v ← β₂v + (1−β₂)g²
//	x ← x − LR · m/(1−β₁ᵗ) / (√(v/(1−β₂ᵗ)) + Eps)
//
// Weight decay λ is added to the gradient, g ← g + λx. If Decoupled, it is applied before the step
// instead, x ← x − LR·λ·x: this is AdamW (Loshchilov and Hutter 2019, Decoupled weight decay
// regularization).
type Adam struct {
	Groups       []*Group
	Beta1, Beta2 float64
	Eps          float64
	Decoupled    bool

	compact       bool // see NewCompactAdam
	states        []paramState
	stateReturned bool // by State: nn.Load may have changed the counts since
}

// A Group is a set of parameters with a learning rate and weight decay of their own, as an element
// of PyTorch's param_groups. LR and WeightDecay may be changed between two steps.
type Group struct {
	Params      []nn.Param
	LR          float64
	WeightDecay float64
}

// A paramState is a parameter with its optimizer state.
type paramState struct {
	x, m, count nn.Param
	v           []nn.Param // one, or the means of rows and of columns
	t           int        // number of steps
	group       *Group
}

// NewAdam returns an [Adam] of the parameters, with learning rate lr, weight decay, β₁ 0.9, β₂
// 0.999 and Eps 1e-8.
func NewAdam(lr, decay float64, params []nn.Param) *Adam {
	return newAdam(lr, decay, params, false)
}

// NewAdamW is [NewAdam] with decoupled weight decay.
func NewAdamW(lr, decay float64, params []nn.Param) *Adam {
	o := NewAdam(lr, decay, params)
	o.Decoupled = true
	return o
}

// NewCompactAdam is [NewAdam] with less state for parameters with two or more axes: m in bfloat16,
// and of v the means of its rows and of its columns only, as in Adafactor (Shazeer and Stern 2018);
// see [autograd.Tensor.AdamCompactStep]. In float32, such a parameter with its gradient and state
// takes 10 bytes for each number instead of 16.
func NewCompactAdam(lr, decay float64, params []nn.Param) *Adam {
	return newAdam(lr, decay, params, true)
}

func newAdam(lr, decay float64, params []nn.Param, compact bool) *Adam {
	o := &Adam{Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, compact: compact}
	o.AddGroup(Group{Params: params, LR: lr, WeightDecay: decay})
	return o
}

// AddGroup adds a group of parameters to the optimizer. It panics if one of them is in the
// optimizer already.
func (o *Adam) AddGroup(g Group) {
	o.Groups = append(o.Groups, &g)
	known := map[*ag.Tensor]bool{}
	for _, s := range o.states {
		known[s.x.Tensor] = true
	}
	for _, p := range g.Params {
		if known[p.Tensor] {
			panic(fmt.Sprintf("optim: AddGroup: parameter %q is in the optimizer already", p.Name))
		}
		known[p.Tensor] = true
		s := paramState{x: p, group: &g, count: newState(p, "adam", "step")}
		if shape := p.Shape(); o.compact && len(shape) > 1 {
			s.v = []nn.Param{newState(p, "adam", "exp_avg_sq_row", shape[0]),
				newState(p, "adam", "exp_avg_sq_col", shape[1:]...)}
			s.m = newState(p, "adam", "exp_avg_bf16", shape[0], (s.v[1].Len()+1)/2)
		} else {
			s.m = newState(p, "adam", "exp_avg", shape...)
			s.v = []nn.Param{newState(p, "adam", "exp_avg_sq", shape...)}
		}
		o.states = append(o.states, s)
	}
}

// SetLR sets the learning rate of every group.
func (o *Adam) SetLR(lr float64) {
	for _, g := range o.Groups {
		g.LR = lr
	}
}

// Step updates the parameters that have a gradient in grads. The others do not change, not even by
// weight decay.
func (o *Adam) Step(grads ag.Grads) {
	if o.stateReturned {
		for i := range o.states {
			o.states[i].t = int(o.states[i].count.Item())
		}
		o.stateReturned = false
	}
	for i := range o.states {
		s := &o.states[i]
		g := grads[s.x.Tensor]
		if g == nil {
			continue
		}
		s.t++
		a := ag.Adam{
			LR: s.group.LR, Beta1: o.Beta1, Beta2: o.Beta2, Eps: o.Eps,
			WeightDecay: s.group.WeightDecay, Decoupled: o.Decoupled,
			Correction1: 1 - math.Pow(o.Beta1, float64(s.t)),
			Correction2: 1 - math.Pow(o.Beta2, float64(s.t)),
		}
		if len(s.v) == 1 {
			s.x.AdamStep(g, s.m.Tensor, s.v[0].Tensor, a)
		} else {
			s.x.AdamCompactStep(g, s.m.Tensor, s.v[0].Tensor, s.v[1].Tensor, a)
		}
	}
}

// State returns the moments and step counts of all parameters, with PyTorch's names: for each
// parameter adam.NAME.exp_avg, exp_avg_sq and step. The moments of [NewCompactAdam] are
// exp_avg_bf16, two numbers in the bits of one float32, exp_avg_sq_row and exp_avg_sq_col. Loading
// into them changes the optimizer. Call State again before each nn.Save: it returns the current
// step counts.
func (o *Adam) State() []nn.Param {
	var ps []nn.Param
	for _, s := range o.states {
		if !o.stateReturned {
			s.count.Assign([]float64{float64(s.t)})
		}
		ps = append(append(append(ps, s.m), s.v...), s.count)
	}
	o.stateReturned = true
	return ps
}
