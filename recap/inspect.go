package recap

import (
	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// Inspect predicts as Predict does, and also returns the embedded and the completed features of
// each modality, [B L d]. For a corrupted input these are X̃_m and X'_m; for a complete input the
// embedded features are X_m.
func (m *Model) Inspect(
	tp *ag.Tape, in *zoo.Input,
) (embedded, completed [zoo.Modalities]*ag.Tensor, out zoo.Output) {
	embedded = m.embedder.Forward(tp, in)
	completed = m.generate(tp, embedded)
	return embedded, completed, m.output(tp, completed)
}
