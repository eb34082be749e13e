package experiment

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/datasets"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// A predictor applies a trained model.
type predictor struct {
	*learner
	tape  *ag.Tape // for inference
	feed  feed
	batch int
}

func newPredictor(c *Config, l *learner) *predictor {
	return &predictor{l, ag.NewInferenceTape(l.device), newFeed(c, l.dims), c.Train.Batch}
}

// input resets the tape and returns utterances of a split on it. Prediction meets the same tokens
// at each rate, so a frozen encoder should remember them.
func (p *predictor) input(s *datasets.Split, index []int, masks *datasets.KeepMasks) *zoo.Input {
	p.tape.Reset()
	p.feed.FillCorrupted(s, index, masks)
	in := p.feed.Corrupted(p.tape)
	in.Recurs = true
	return in
}

// predict goes through a split at a missing rate; of the modalities in drop everything is missing.
func (p *predictor) predict(s *datasets.Split, rate float64, drop []zoo.Modality) *Predictions {
	rates := datasets.FixedRates(s.Len(), rate)
	for _, m := range drop {
		gone := datasets.FixedRates(s.Len(), 1)
		switch m {
		case zoo.Language:
			rates.Language = gone.Language
		case zoo.Audio:
			rates.Audio = gone.Audio
		case zoo.Vision:
			rates.Vision = gone.Vision
		}
	}
	masks := s.KeepMasks(rates)
	out := &Predictions{Rate: rate, ID: s.ID}
	for _, index := range datasets.Order(s.Len(), p.batch, 0, nil) {
		y := p.model.Predict(p.tape, p.input(s, index, masks))
		out.add(y, p.feed.data.Label, p.feed.class, p.dims.Classes, s.Len())
	}
	return out
}

// test predicts with each of the run's choices, at each rate.
func (p *predictor) test(ctx context.Context, c *Config, d runDir, s *datasets.Split, rates []float64, drop []zoo.Modality) ([][]*Predictions, error) {
	var all [][]*Predictions
	for _, choice := range choices(c, p.feed.kind) {
		path := d.file(choice.of(bestFile))
		file, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("experiment: checkpoint: %w", err)
		}
		if err := nn.Load(file, p.model.PredictParams()); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		var list []*Predictions
		for _, rate := range rates {
			if ctx.Err() != nil {
				return nil, &Interrupted{filepath.Dir(string(d))}
			}
			list = append(list, p.predict(s, rate, drop))
		}
		all = append(all, list)
	}
	return all, nil
}

// open makes the model of a run and loads its checkpoint.
func openPredictor(d runDir, c *Config) (*predictor, error) {
	file, dims, err := checkpoint(d)
	if err != nil {
		return nil, err
	}
	l, err := newLearner(c, dims)
	if err != nil {
		return nil, err
	}
	if err := nn.Load(file, l.model.PredictParams()); err != nil {
		return nil, fmt.Errorf("%s: %w", d.file(bestFile), err)
	}
	return newPredictor(c, l), nil
}
