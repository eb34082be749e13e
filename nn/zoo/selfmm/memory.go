package selfmm

import (
	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// epsilon is ε, which keeps quotients finite.
const epsilon = 1e-8

// NewMemory allocates labels and features of N samples: all labels are the human ones, all
// features are 0. It returns the tensors that training changes.
func (m *Tasks) NewMemory(labels []float32) []nn.Param {
	dev, n := m.device, len(labels)
	human := make([]float64, n)
	for i, y := range labels {
		human[i] = float64(y)
	}
	var state []nn.Param
	for i, x := range m.tasks {
		width := x.first.W.Shape()[0]
		x.labels = ag.NewTensor(dev, human, n)
		x.features = ag.NewTensor(dev, make([]float64, n*width), n, width)
		if i > 0 {
			state = append(state,
				nn.Param{Name: "memory.labels." + x.letter(), Tensor: x.labels})
		}
		state = append(state,
			nn.Param{Name: "memory.features." + x.letter(), Tensor: x.features})
	}
	return state
}

// updates returns the new rows of the memory for the samples of a batch. The features become the
// representations F_x of this forward pass. The labels of epoch n > 1 are computed from the
// relative distances δ of F_x and F_m,
//
//	new = ½·Y_m·δ_x/(δ_m + ε) + ½·(Y_m + δ_x − δ_m), clamped to [−H, H]
//	Y_x ← (n−1)/(n+1)·Y_x + 2/(n+1)·new
//
// Where δ_m is near 0, positive or negative, the quotient is very large and new is clamped.
func (m *Tasks) updates(tp *ag.Tape, b *zoo.Batch, f []*ag.Tensor) (updates []zoo.MemoryUpdate) {
	if n := float64(b.Epoch); n > 1 {
		fusion := m.tasks[0].relativeDistance(tp, f[0])
		for i, x := range m.tasks[1:] {
			distance := x.relativeDistance(tp, f[i+1])
			quotient := tp.Div(tp.Mul(b.Label, distance), tp.AddScalar(fusion, epsilon))
			difference := tp.Add(b.Label, tp.Sub(distance, fusion))
			label := tp.Clamp(tp.Scale(tp.Add(quotient, difference), 0.5), -m.bound, m.bound)
			old := tp.Gather(x.labels, b.Index)
			label = tp.Add(tp.Scale(old, (n-1)/(n+1)), tp.Scale(label, 2/(n+1)))
			updates = append(updates,
				zoo.MemoryUpdate{Memory: x.labels, Index: b.Index, Rows: label})
		}
	}
	for i, x := range m.tasks {
		updates = append(updates, zoo.MemoryUpdate{Memory: x.features, Index: b.Index, Rows: f[i]})
	}
	return updates
}
