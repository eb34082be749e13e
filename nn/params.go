package nn

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	ag "github.com/seed-6655bf3b/recap/autograd"
)

// A Param is a named tensor: a parameter, a buffer, or a piece of an optimizer's state.
type Param struct {
	Name string
	*ag.Tensor
}

// Params creates the parameters and buffers of a model, and lists them in order of creation, as
// PyTorch's Module does. [Params.Sub] returns a view of it whose names begin with a prefix.
type Params struct {
	*registry
	prefix string
	rng    *rand.Rand // nil: initial values are 0
}

// A registry is what all views share.
type registry struct {
	dev     ag.Device
	params  []Param
	buffers []Param
	named   map[string]bool
	plan    *Plan // nil unless only shapes are wanted
}

// A Plan lists the tensors of a model without their values.
type Plan struct {
	Names  []string         // of parameters and buffers, in order of creation
	Shapes map[string][]int // by name
	Size   int              // numbers in all tensors, math.MaxInt if they are more
}

// PlanParams returns an empty set of parameters that are not created, and the plan that lists them.
// [Params.New] and [Params.NewBuffer] return nil and draw no values, so that the sizes of a model
// can be checked before memory is allocated.
func PlanParams() (*Params, *Plan) {
	plan := &Plan{Shapes: map[string][]int{}}
	return &Params{registry: &registry{named: map[string]bool{}, plan: plan}}, plan
}

func (pl *Plan) add(name string, shape []int) {
	pl.Names = append(pl.Names, name)
	pl.Shapes[name] = slices.Clone(shape)
	if pl.Size += pl.Count(name); pl.Size < 0 {
		pl.Size = math.MaxInt
	}
}

// Count returns the number of elements of a tensor, math.MaxInt if it is larger.
func (pl *Plan) Count(name string) int {
	n := 1
	for _, d := range pl.Shapes[name] {
		if d < 0 || d > 0 && n > math.MaxInt/d {
			return math.MaxInt
		}
		n *= d
	}
	return n
}

// NewParams returns an empty set of parameters on a device. Initial values are drawn from rng in
// order of creation. With a nil rng none are drawn, as in [Params.ToLoad].
func NewParams(dev ag.Device, rng *rand.Rand) *Params {
	return &Params{&registry{dev: dev, named: map[string]bool{}}, "", rng}
}

// Device returns the device of the parameters.
func (p *Params) Device() ag.Device { return p.dev }

// Sub returns a view of p in which names begin with "name.", after p's own prefix.
func (p *Params) Sub(name string) *Params {
	return &Params{p.registry, p.prefix + name + ".", p.rng}
}

// ToLoad returns a view of p for parameters that are then loaded from a file: no initial values
// are drawn for them, they are 0 (PyTorch's skip_init).
func (p *Params) ToLoad() *Params { return &Params{p.registry, p.prefix, nil} }

// New creates a parameter under p's prefix, with initial values from init. It panics if the name
// is taken.
func (p *Params) New(name string, init Init, shape ...int) *ag.Tensor {
	values := p.draw(name, init, shape)
	var x *ag.Tensor
	if p.plan == nil {
		x = ag.NewParam(p.dev, values, shape...)
	}
	p.params = append(p.params, Param{p.prefix + name, x})
	return x
}

// NewBuffer creates a buffer under p's prefix, with initial values from init: a tensor that
// belongs to the model's state but is not trained, such as the running mean of a batch norm
// (PyTorch's register_buffer). It has no gradient, and [Params.All] does not list it, so no
// optimizer changes it. The model updates it itself: after Backward by methods such as
// [ag.Tensor.AddScaled], within a forward computation by [ag.Tape.SetRows]. It panics if the name
// is taken.
func (p *Params) NewBuffer(name string, init Init, shape ...int) *ag.Tensor {
	values := p.draw(name, init, shape)
	var x *ag.Tensor
	if p.plan == nil {
		x = ag.NewTensor(p.dev, values, shape...)
	}
	p.buffers = append(p.buffers, Param{p.prefix + name, x})
	return x
}

// draw reserves a name and returns the initial values of its tensor, nil for a plan.
func (p *Params) draw(name string, init Init, shape []int) []float64 {
	name = p.prefix + name
	if p.named[name] {
		panic(fmt.Sprintf("nn: New: parameter %q exists; give each layer its own Sub", name))
	}
	p.named[name] = true
	if p.plan != nil {
		p.plan.add(name, shape)
		return nil
	}
	n := 1
	for _, d := range shape {
		n *= d
	}
	v := make([]float64, n)
	if p.rng != nil {
		for i := range v {
			v[i] = init(p.rng)
		}
	}
	return v
}

// InitMatrices draws the parameters [out in] under p's prefix again, each from init(in, out), and
// leaves vectors such as biases as they are: what PyTorch code does with a loop over parameters().
func (p *Params) InitMatrices(init func(in, out int) Init) {
	if p.plan != nil || p.rng == nil {
		return
	}
	for _, x := range p.All() {
		if s := x.Shape(); len(s) == 2 {
			one, v := init(s[1], s[0]), make([]float64, x.Len())
			for i := range v {
				v[i] = one(p.rng)
			}
			x.Assign(v)
		}
	}
}

// All returns the parameters under p's prefix, without the buffers, with their full names, in
// order of creation.
func (p *Params) All() []Param { return p.under(p.params) }

// Buffers returns the buffers under p's prefix, with their full names, in order of creation.
func (p *Params) Buffers() []Param { return p.under(p.buffers) }

// State returns the parameters and then the buffers under p's prefix: what [Save] writes and
// [Load] reads of a model (PyTorch's state_dict).
func (p *Params) State() []Param { return append(p.All(), p.Buffers()...) }

// under returns the tensors whose names have p's prefix.
func (p *Params) under(all []Param) []Param {
	var ps []Param
	for _, x := range all {
		if strings.HasPrefix(x.Name, p.prefix) {
			ps = append(ps, x)
		}
	}
	return ps
}

// Tensors returns the tensors of [Params.All].
func (p *Params) Tensors() []*ag.Tensor {
	var xs []*ag.Tensor
	for _, x := range p.All() {
		xs = append(xs, x.Tensor)
	}
	return xs
}

// Count returns the number of elements of the parameters under p's prefix, buffers not counted. It
// counts the parameters of a plan too.
func (p *Params) Count() int {
	n := 0
	for _, x := range p.All() {
		if p.plan != nil {
			n += p.plan.Count(x.Name)
		} else {
			n += x.Len()
		}
	}
	return n
}
