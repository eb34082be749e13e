package train

import (
	"context"
	"fmt"
	"path/filepath"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/datasets"
	"github.com/seed-6655bf3b/recap/internal/metric"
	"github.com/seed-6655bf3b/recap/internal/results"
	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/settings"
	"github.com/seed-6655bf3b/recap/internal/weights"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// A Predictor computes the predictions of a trained model.
type Predictor struct {
	*Learner
	Tape      *ag.Tape // for inference
	BatchSize int
	OnBatch   func(utterances int)  // called after each batch of Predict; may be nil
	OnRate    func(rate, rates int) // called before each rate of Test, from 1 on; may be nil
	batcher   batcher
}

func newPredictor(c *settings.Config, l *Learner) *Predictor {
	return &Predictor{Learner: l, Tape: ag.NewInferenceTape(l.Device), BatchSize: c.Train.Batch,
		batcher: newBatcher(c, l.Dims)}
}

// Input resets the tape and returns the utterances of a split with the given indices, corrupted by
// the keep masks, complete if masks is nil. The input is cacheable: a frozen text encoder sees the
// same tokens again at other rates.
func (p *Predictor) Input(s *datasets.Split, index []int, masks *datasets.KeepMasks) *zoo.Input {
	p.Tape.Reset()
	p.batcher.FillCorrupted(s, index, masks)
	in := p.batcher.Corrupted(p.Tape)
	in.Cacheable = true
	return in
}

// Kind returns the kind of labels of the data that the model was trained with.
func (p *Predictor) Kind() metric.Kind { return p.batcher.kind }

// Append appends to out the outputs y for the batch of the last [Predictor.Input]. n is the number
// of utterances of the split.
func (p *Predictor) Append(out *results.Predictions, y zoo.Output, n int) {
	out.Add(y, p.batcher.data.Label, p.batcher.class, p.Dims.Classes, n)
}

// Predict returns the predictions for a split at a missing rate. The modalities in drop are
// removed completely.
func (p *Predictor) Predict(
	s *datasets.Split, rate float64, drop []zoo.Modality,
) *results.Predictions {
	rates := datasets.FixedRates(s.Len(), rate)
	for _, m := range drop {
		missing := datasets.FixedRates(s.Len(), 1)
		switch m {
		case zoo.Language:
			rates.Language = missing.Language
		case zoo.Audio:
			rates.Audio = missing.Audio
		case zoo.Vision:
			rates.Vision = missing.Vision
		}
	}
	masks := s.KeepMasks(rates)
	out := &results.Predictions{Rate: rate, ID: s.ID}
	for _, index := range datasets.Order(s.Len(), p.BatchSize, 0, nil) {
		y := p.Model.Predict(p.Tape, p.Input(s, index, masks))
		p.Append(out, y, s.Len())
		if p.OnBatch != nil {
			p.OnBatch(len(index))
		}
	}
	return out
}

// Test returns the predictions for a split by each selected checkpoint at each missing rate,
// [choice][rate] (see [results.Choices]). If ctx is cancelled, the error is an [*Interrupted].
func (p *Predictor) Test(
	ctx context.Context, c *settings.Config, d rundir.Dir, s *datasets.Split,
	rates []float64, drop []zoo.Modality,
) ([][]*results.Predictions, error) {
	var all [][]*results.Predictions
	choices := results.Choices(c, p.batcher.kind)
	for i, choice := range choices {
		if err := rundir.LoadTensors(d.File(choice.File(rundir.BestFile)),
			p.Model.PredictParams()); err != nil {
			return nil, fmt.Errorf("train: checkpoint: %w", err)
		}
		var list []*results.Predictions
		for j, rate := range rates {
			if ctx.Err() != nil {
				return nil, &Interrupted{filepath.Dir(string(d))}
			}
			if p.OnRate != nil {
				p.OnRate(i*len(rates)+j+1, len(choices)*len(rates))
			}
			list = append(list, p.Predict(s, rate, drop))
		}
		all = append(all, list)
	}
	return all, nil
}

// fits returns an error if a checkpoint does not have the parameters of the model that c and d
// describe. It creates nothing, since both may be damaged and ask for any amount of memory.
func fits(path string, c *settings.Config, d zoo.Dims) error {
	m, planned, err := plan(c, d)
	if err != nil {
		return err
	}
	header, err := weights.ReadHeader(path)
	if err != nil {
		return err
	}
	var names []string
	for _, p := range m.PredictParams() {
		names = append(names, p.Name)
	}
	bits := 32
	if c.Device == "cpu64" {
		bits = 64
	}
	return planned.Check(header, names, bits)
}

// OpenPredictor creates the model of a seed and loads the first selected checkpoint.
func OpenPredictor(d rundir.Dir, c *settings.Config) (*Predictor, error) {
	dims, err := results.Dims(d)
	if err != nil {
		return nil, err
	}
	path := d.File(rundir.BestFile)
	if err := fits(path, c, dims); err != nil {
		return nil, fmt.Errorf("train: %s: %w", path, err)
	}
	l, err := newLearner(c, dims, nil)
	if err != nil {
		return nil, err
	}
	if err := rundir.LoadTensors(path, l.Model.PredictParams()); err != nil {
		return nil, fmt.Errorf("train: checkpoint: %w", err)
	}
	return newPredictor(c, l), nil
}
