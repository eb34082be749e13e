package optim

import (
	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn"
)

// SGD is stochastic gradient descent with momentum (Polyak 1964, heavy ball, in PyTorch's form):
//
//	v ← Momentum·v + g,  x ← x − LR·v
type SGD struct {
	LR, Momentum float64

	params   []nn.Param
	velocity []nn.Param // empty without momentum
}

// NewSGD returns an [SGD] of the parameters with learning rate lr. Momentum 0 gives plain gradient
// descent, without state.
func NewSGD(lr, momentum float64, params []nn.Param) *SGD {
	o := &SGD{LR: lr, Momentum: momentum, params: params}
	if momentum != 0 {
		for _, p := range params {
			o.velocity = append(o.velocity, newState(p, "sgd", "momentum_buffer", p.Shape()...))
		}
	}
	return o
}

// Step updates the parameters that have a gradient in grads.
func (o *SGD) Step(grads ag.Grads) {
	for i, p := range o.params {
		g := grads[p.Tensor]
		if g == nil {
			continue
		}
		if o.velocity != nil {
			v := o.velocity[i]
			v.Multiply(o.Momentum)
			v.AddScaled(1, g)
			g = v.Tensor
		}
		p.AddScaled(-o.LR, g)
	}
}

// State returns the velocities, sgd.NAME.momentum_buffer for each parameter; none without
// momentum. Loading into them changes the optimizer.
func (o *SGD) State() []nn.Param { return o.velocity }

// newState returns state of a parameter, zeros.
func newState(p nn.Param, optimizer, name string, shape ...int) nn.Param {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return nn.Param{Name: optimizer + "." + p.Name + "." + name,
		Tensor: ag.NewTensor(p.Device(), make([]float32, n), shape...)}
}
