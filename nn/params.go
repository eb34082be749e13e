package nn

import (
	"fmt"
	"math/rand/v2"
	"strings"

	ag "github.com/seed-6655bf3b/recap/autograd"
)

// A Param is a named tensor: a parameter, or a piece of state saved beside the parameters.
type Param struct {
	Name string
	*ag.Tensor
}

// Params makes parameters and remembers them. Sub gives a view of it whose names begin with a
// prefix.
type Params struct {
	*registry
	prefix string
}

// A registry is what all views share.
type registry struct {
	dev   ag.Device
	rng   *rand.Rand
	all   []Param
	named map[string]bool
}

// NewParams returns an empty set of parameters on a device. Their first values are drawn from rng
// in order of creation.
func NewParams(dev ag.Device, rng *rand.Rand) *Params {
	return &Params{&registry{dev: dev, rng: rng, named: map[string]bool{}}, ""}
}

// Device returns the device of the parameters.
func (p *Params) Device() ag.Device { return p.dev }

// Sub returns a view of p in which names begin with "name.", after p's own prefix.
func (p *Params) Sub(name string) *Params {
	return &Params{p.registry, p.prefix + name + "."}
}

// New makes a parameter. It panics if the name is taken.
func (p *Params) New(name string, init Init, shape ...int) *ag.Tensor {
	name = p.prefix + name
	if p.named[name] {
		panic(fmt.Sprintf("nn: New: parameter %q exists; give each layer its own Sub", name))
	}
	p.named[name] = true
	n := 1
	for _, d := range shape {
		n *= d
	}
	v := make([]float64, n)
	for i := range v {
		v[i] = init(p.rng)
	}
	x := ag.NewParam(p.dev, v, shape...)
	p.all = append(p.all, Param{name, x})
	return x
}

// All returns the parameters under p's prefix, with their full names, in order of creation.
func (p *Params) All() []Param {
	var ps []Param
	for _, x := range p.all {
		if strings.HasPrefix(x.Name, p.prefix) {
			ps = append(ps, x)
		}
	}
	return ps
}

// Tensors returns All without names.
func (p *Params) Tensors() []*ag.Tensor {
	var xs []*ag.Tensor
	for _, x := range p.All() {
		xs = append(xs, x.Tensor)
	}
	return xs
}

// Count returns how many numbers the parameters under p's prefix hold.
func (p *Params) Count() int {
	n := 0
	for _, x := range p.All() {
		n += x.Len()
	}
	return n
}
