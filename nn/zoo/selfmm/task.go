package selfmm

import (
	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// Tasks are the regressions of Self-MM, of the fusion and of each modality, with their memory.
// TETFN has them too.
type Tasks struct {
	device ag.Device
	bound  float64 // H, the largest label
	tasks  []*task // x = m, t, a, v
}

// NewTasks creates the regressions "fusion", "text", "audio" and "vision" of inputs of the given
// widths. The labels that they generate are at most bound.
func NewTasks(p *nn.Params, widths [4]int, c HeadsConfig, bound float64) *Tasks {
	return &Tasks{device: p.Device(), bound: bound, tasks: []*task{
		newTask(p, "fusion", widths[0], c.Fusion),
		newTask(p, "text", widths[1], c.Text),
		newTask(p, "audio", widths[2], c.Audio),
		newTask(p, "vision", widths[3], c.Vision),
	}}
}

// Score returns ŷ_m for the input of the fusion.
func (m *Tasks) Score(tp *ag.Tape, fusion *ag.Tensor) zoo.Output {
	_, score := m.tasks[0].Forward(tp, fusion)
	return zoo.Output{Score: score}
}

// Terms returns the losses of the tasks for their inputs, in the order of [NewTasks]. Their sum is
//
//	L = mean |ŷ_m − Y_m| + Σ_x mean w_x·|ŷ_x − Y_x|,  w_x = tanh|Y_x − Y_m|,  x = t, a, v
//
// and the updates of the memory. The labels Y_x start as Y_m and change first after the losses of
// epoch 2. Until then the terms of x are 0, so that only the task of the fusion is trained.
func (m *Tasks) Terms(
	tp *ag.Tape, b *zoo.Batch, inputs []*ag.Tensor,
) ([]zoo.Term, []zoo.MemoryUpdate) {
	if m.tasks[0].labels == nil {
		panic("selfmm: Terms: the tasks have no labels; call Phase.NewMemory first")
	}
	var terms, shifts []zoo.Term
	var f []*ag.Tensor
	for i, input := range inputs {
		x := m.tasks[i]
		fx, score := x.Forward(tp, input)
		f = append(f, fx)
		if i == 0 {
			terms = append(terms, zoo.Term{Name: x.name, Weight: 1, Loss: tp.L1(score, b.Label)})
			continue
		}
		y := tp.Gather(x.labels, b.Index)
		shift := tp.Abs(tp.Sub(y, b.Label))
		loss := tp.Mean(tp.Mul(tp.Tanh(shift), tp.Abs(tp.Sub(score, y))))
		terms = append(terms, zoo.Term{Name: x.name, Weight: 1, Loss: loss})
		shifts = append(shifts,
			zoo.Term{Name: "shift_" + zoo.Modality(i-1).String(), Loss: tp.Mean(shift)})
	}
	var updates []zoo.MemoryUpdate
	tp.NoGrad(func() { updates = m.updates(tp, b, f) })
	return append(terms, shifts...), updates
}

// A task x is a regression, with its memory of the N samples of the training set.
type task struct {
	name    string // "fusion", "text", "audio" or "vision"
	dropout float64
	first   *nn.Linear
	rest    *nn.MLP

	labels *ag.Tensor // Y_x [N]; of the fusion the human labels
	// Φ_x [N D_x], the representation of each sample when it was last in a batch
	features *ag.Tensor
}

func newTask(p *nn.Params, name string, in int, c HeadConfig) *task {
	p = p.Sub(name)
	return &task{name: name, dropout: c.Dropout, first: nn.NewLinear(p.Sub("first"), in, c.Width),
		rest: nn.NewMLP(p.Sub("rest"), c.Width, c.Width, 1)}
}

// letter returns the index x of the formulas: m, t, a or v.
func (x *task) letter() string {
	if x.name == "fusion" {
		return "m"
	}
	return x.name[:1]
}

// Forward returns the representation F_x [B D_x] of an input [B W], and the prediction ŷ_x [B]:
//
//	F_x = ReLU(W₁·drop(input) + b₁)
//	ŷ_x = W₃·ReLU(W₂·F_x + b₂) + b₃
func (x *task) Forward(tp *ag.Tape, input *ag.Tensor) (f, score *ag.Tensor) {
	f = tp.ReLU(x.first.Forward(tp, tp.Dropout(input, x.dropout)))
	return f, tp.Reshape(x.rest.Forward(tp, f), -1)
}

// relativeDistance returns δ_x [B] for representations F_x [B D_x]. It is positive for one that is
// nearer to the centroid of positive samples than to that of negative samples,
//
//	δ_x = (d⁻ − d⁺)/(d⁺ + ε),  d± = ‖F_x − C_x±‖₂
func (x *task) relativeDistance(tp *ag.Tape, f *ag.Tensor) *ag.Tensor {
	b, width := f.Shape()[0], f.Shape()[1]
	difference := tp.Sub(tp.Reshape(f, b, 1, width), x.centroids(tp)) // [B 2 D_x]
	distances := tp.Sqrt(tp.Sum(tp.Mul(difference, difference), 2))   // [B 2]
	each := tp.Split(distances, 1, 1, 1)
	positive, negative := each[0], each[1]
	return tp.Reshape(tp.Div(tp.Sub(negative, positive), tp.AddScalar(positive, epsilon)), b)
}

// centroids returns C_x⁺ and C_x⁻, [2 D_x]: the means of Φ_x over the samples with Y_x > 0 and
// with Y_x < 0, or 0 where there are none. Samples of label 0 count in neither, as in MMSA; the
// paper's code counts them as positive. Samples that have not been in a batch have features 0.
func (x *task) centroids(tp *ag.Tape) *ag.Tensor {
	minus := tp.Neg(x.labels)
	class := tp.Stack(0, tp.Less(minus, x.labels), tp.Less(x.labels, minus)) // [2 N]
	count := tp.Clamp(tp.Sum(class, 1), 1, float64(x.labels.Len()))
	return tp.Div(tp.MatMul(class, x.features, ag.NN), tp.Reshape(count, 2, 1))
}
