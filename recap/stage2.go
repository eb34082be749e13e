package recap

import (
	"fmt"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// stage2 is the fusion and prediction phase. It starts from stage 1's E_m and G_m; G_m is frozen
// and E_m is trained further; if Release is set, E_m is new. Without stage 1 nothing is frozen. The
// loss is eq 19,
//
//	L_stage2 = λ_task·L_task + λ_rank·L_rank,
//
// plus λ_aux·Σ_m L_MI^m, "the MI-based auxiliary loss", the errors of the predictors g_m. If λ_aux
// is 0, they train the predictors, and nothing else.
func (m *Model) stage2() zoo.Phase {
	trained := []string{"embed", "fuse", "predict"}
	if m.config.Release {
		trained = []string{"embed", "fuse"}
	}
	if m.config.Without.Stage1 {
		trained = append(trained, "generate")
	}
	params := m.trained(trained...)
	return zoo.Phase{
		Name: "stage2", Supervised: true, Warn: collapsedWeight,
		Passes: []zoo.Pass{{Params: params, Groups: m.groups(params), Terms: m.predictionTerms}},
	}
}

func (m *Model) predictionTerms(tp *ag.Tape, b *zoo.Batch) ([]zoo.Term, []zoo.MemoryUpdate) {
	w := m.config.Loss
	completed := m.complete(tp, b.Corrupted)
	score, alpha := m.fusion.Forward(tp, completed)
	terms := []zoo.Term{{Name: "task", Weight: w.Task,
		Loss: tp.Mean(zoo.TaskErrors(tp, score, b, &m.dims))}}
	if m.predictors == nil {
		return terms, nil
	}
	var errs [zoo.Modalities]*ag.Tensor
	for i, g := range m.predictors {
		x, weight := completed[i], w.Auxiliary
		if weight == 0 {
			x, weight = tp.StopGradient(x), 1
		}
		if m.config.Release {
			weight = 0
		}
		errs[i] = zoo.TaskErrors(tp, g.Forward(tp, x), b, &m.dims)
		terms = append(terms,
			zoo.Term{Name: "probe_" + zoo.Modality(i).String(), Weight: weight,
				Loss: tp.Mean(errs[i])})
	}
	terms = append(terms, zoo.Term{Name: "constant", Loss: zoo.ConstantError(tp, b, &m.dims)})
	mi := tp.StopGradient(tp.Stack(1, errs[:]...))
	terms = append(terms,
		zoo.Term{Name: "rank", Weight: w.Rank, Loss: rankingLoss(tp, alpha, mi, w.Margin)})
	for i, a := range tp.Split(alpha, 1, 1, 1, 1) {
		terms = append(terms,
			zoo.Term{Name: "alpha_" + zoo.Modality(i).String(), Loss: tp.Mean(a)})
	}
	return terms, nil
}

// collapsedWeight warns if the attention weight of a modality has collapsed to nearly 0 although
// its predictor is better than a constant. With the weight, the gradient that could raise it is
// nearly 0 too. A modality that does not predict the label, for example one of zeros, is rightly
// ignored.
func collapsedWeight(_, last map[string]float64) string {
	for i := range zoo.Modalities {
		name := zoo.Modality(i).String()
		alpha, logged := last["alpha_"+name]
		probe, constant := last["probe_"+name], last["constant"]
		if logged && alpha < 0.01 && probe < 0.95*constant {
			return fmt.Sprintf("an attention weight has collapsed: alpha_%s is %.3f, although "+
				"this modality alone predicts with an error of %.3f, and a constant with %.3f",
				name, alpha, probe, constant)
		}
	}
	return ""
}

// complete returns X'_m of an input. The generators' weights are constants, except in a model
// without stage 1.
func (m *Model) complete(tp *ag.Tape, in *zoo.Input) (completed features) {
	corrupted := m.embedder.Forward(tp, in)
	if m.config.Without.Stage1 {
		return m.generate(tp, corrupted)
	}
	tp.Frozen(m.generatorParams, func() { completed = m.generate(tp, corrupted) })
	return completed
}

// Predict returns the prediction and the weights of the modalities for an input, corrupted or
// complete.
func (m *Model) Predict(tp *ag.Tape, in *zoo.Input) zoo.Output {
	return m.output(tp, m.complete(tp, in))
}

// output returns the prediction from completed features.
func (m *Model) output(tp *ag.Tape, completed features) zoo.Output {
	score, alpha := m.fusion.Forward(tp, completed)
	out := m.dims.Output(tp, score)
	out.Weight = alpha
	return out
}
