package explore

import (
	"slices"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/datasets"
	"github.com/seed-6655bf3b/recap/internal/results"
	"github.com/seed-6655bf3b/recap/internal/train"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// tokensOf returns the tokens of utterance i between [CLS] and [SEP].
func tokensOf(s *datasets.Split, i int) []int {
	t := s.Language.T
	n := 0
	for n < t && s.Language.Mask[i*t+n] != 0 {
		n++
	}
	return s.Language.ID[i*t+min(1, n) : i*t+max(n-1, min(1, n))]
}

// addMissing updates MissingFrom with the keep masks of the rate with index r. It must be called
// for all rates in order.
func (sample *Sample) addMissing(s *datasets.Split, i int, k *datasets.KeepMasks, r int) {
	for m, keep := range [zoo.Modalities][]bool{
		k.Language[i*s.Language.T:][1:][:len(sample.Tokens)],
		k.Audio[i*s.Audio.T:][:s.Audio.Len[i]],
		k.Vision[i*s.Vision.T:][:s.Vision.Len[i]],
	} {
		if r == 0 {
			sample.MissingFrom[m] = make([]int, len(keep))
		}
		for t, present := range keep {
			if present {
				sample.MissingFrom[m][t] = r + 1
			}
		}
	}
}

// An Inspector is a model that returns its features together with the prediction: the embedding of
// the input and the completed features, [B L d] for each modality. RECAP's model implements it.
type Inspector interface {
	Inspect(tp *ag.Tape, in *zoo.Input) (embedded, completed [zoo.Modalities]*ag.Tensor,
		out zoo.Output)
}

// addViews appends a view with the given keep masks to each sample. index has the samples' indices
// in s.
func addViews(
	p *train.Predictor, e *Exploration, s *datasets.Split, index []int, masks *datasets.KeepMasks,
) error {
	first := e.Samples[0].Views == nil
	done := 0
	for index := range slices.Chunk(index, p.BatchSize) {
		batch := e.Samples[done:][:len(index)]
		done += len(index)
		model, ok := p.Model.(Inspector)
		if !ok {
			addPredictions(p, batch, p.Model.Predict(p.Tape, p.Input(s, index, masks)))
			continue
		}
		if first {
			embedded, _, _ := model.Inspect(p.Tape, p.Input(s, index, nil))
			e.L, e.D = embedded[0].Shape()[1], embedded[0].Shape()[2]
			for m, x := range embedded {
				for i, row := range rowsOf(x) {
					batch[i].Complete[m] = row
				}
			}
		}
		corrupted, completed, y := model.Inspect(p.Tape, p.Input(s, index, masks))
		addPredictions(p, batch, y)
		for m := range zoo.Modalities {
			x, y := rowsOf(corrupted[m]), rowsOf(completed[m])
			for i := range batch {
				v := &batch[i].Views[len(batch[i].Views)-1]
				v.Corrupted[m], v.Completed[m] = x[i], y[i]
			}
		}
	}
	return p.Device.Sync()
}

// addPredictions appends a view with the prediction to each sample.
func addPredictions(p *train.Predictor, batch []Sample, y zoo.Output) {
	var out results.Predictions
	p.Append(&out, y, len(batch))
	for i := range batch {
		v := View{Score: out.Score[i]}
		if out.Weight != nil {
			v.Weight = out.Weight[i][:]
		}
		batch[i].Views = append(batch[i].Views, v)
	}
}

// rowsOf divides x [B …] into its B samples.
func rowsOf(x *ag.Tensor) [][]float32 {
	values := x.Values()
	rows := make([][]float32, x.Shape()[0])
	n := len(values) / len(rows)
	for i := range rows {
		for _, v := range values[i*n:][:n] {
			rows[i] = append(rows[i], float32(v))
		}
	}
	return rows
}
