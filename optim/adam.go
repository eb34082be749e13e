package optim

import (
	"fmt"
	"math"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn"
)

// Adam moves each parameter by a running mean of its gradient over the root of a running mean of
// its square (Kingma and Ba 2015, algorithm 1). With t the number of this parameter's own steps:
//
//	m ← β₁m + (1−β₁)g,  v ← β₂v + (1−β₂)g²
//	x ← x − LR · m/(1−β₁ᵗ) / (√(v/(1−β₂ᵗ)) + Eps)
//
// Weight decay λ is added to the gradient, g ← g + λx; or Decoupled from it, x ← x − LR·λ·x before
// the step, which is AdamW (Loshchilov and Hutter 2019).
type Adam struct {
	Groups       []*Group
	Beta1, Beta2 float64
	Eps          float64
	Decoupled    bool

	slots    []slot
	stateOut bool // the counts in the tensors are newer than those in the slots
}

// A Group is a set of parameters with a learning rate and weight decay of their own, as an element
// of PyTorch's param_groups. LR and WeightDecay may be changed between two steps.
type Group struct {
	Params      []nn.Param
	LR          float64
	WeightDecay float64
}

// A slot is a parameter with what Adam knows of it.
type slot struct {
	x, m, v, count nn.Param
	t              int // steps made
	group          *Group
}

// NewAdam returns Adam with β₁ 0.9, β₂ 0.999 and Eps 1e-8.
func NewAdam(lr, decay float64, params []nn.Param) *Adam {
	o := &Adam{Beta1: 0.9, Beta2: 0.999, Eps: 1e-8}
	o.AddGroup(Group{Params: params, LR: lr, WeightDecay: decay})
	return o
}

// NewAdamW returns NewAdam's optimizer with decoupled weight decay.
func NewAdamW(lr, decay float64, params []nn.Param) *Adam {
	o := NewAdam(lr, decay, params)
	o.Decoupled = true
	return o
}

// AddGroup adds parameters to those the optimizer moves. It panics if one is there already.
func (o *Adam) AddGroup(g Group) {
	o.Groups = append(o.Groups, &g)
	known := map[*ag.Tensor]bool{}
	for _, s := range o.slots {
		known[s.x.Tensor] = true
	}
	for _, p := range g.Params {
		if known[p.Tensor] {
			panic(fmt.Sprintf("optim: AddGroup: parameter %q is in the optimizer already", p.Name))
		}
		known[p.Tensor] = true
		count := nn.Param{Name: "adam." + p.Name + ".step", Tensor: ag.NewTensor(p.Device(), []float64{0})}
		o.slots = append(o.slots, slot{x: p, m: zerosLike(p, "adam", "exp_avg"), v: zerosLike(p, "adam", "exp_avg_sq"),
			count: count, group: &g})
	}
}

// SetLR sets the learning rate of every group.
func (o *Adam) SetLR(lr float64) {
	for _, g := range o.Groups {
		g.LR = lr
	}
}

// Step moves the parameters that have a gradient. The others are left alone, weight decay
// included.
func (o *Adam) Step(grads ag.Grads) {
	if o.stateOut {
		for i := range o.slots {
			o.slots[i].t = int(o.slots[i].count.Item())
		}
		o.stateOut = false
	}
	for i := range o.slots {
		s := &o.slots[i]
		g := grads[s.x.Tensor]
		if g == nil {
			continue
		}
		s.t++
		s.x.AdamStep(g, s.m.Tensor, s.v.Tensor, ag.Adam{
			LR: s.group.LR, Beta1: o.Beta1, Beta2: o.Beta2, Eps: o.Eps, WeightDecay: s.group.WeightDecay, Decoupled: o.Decoupled,
			Correction1: 1 - math.Pow(o.Beta1, float64(s.t)), Correction2: 1 - math.Pow(o.Beta2, float64(s.t)),
		})
	}
}

// State returns the moments and step counts of all parameters, as PyTorch names them. Loading into
// them changes the optimizer. Call it anew for each saving: the step counts returned are those of
// the moment.
func (o *Adam) State() []nn.Param {
	var ps []nn.Param
	for _, s := range o.slots {
		if !o.stateOut {
			s.count.Assign([]float64{float64(s.t)})
		}
		ps = append(ps, s.m, s.v, s.count)
	}
	o.stateOut = true
	return ps
}
