package explore

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"math"
	"slices"

	"github.com/seed-6655bf3b/recap/datasets"
	"github.com/seed-6655bf3b/recap/internal/metric"
	"github.com/seed-6655bf3b/recap/internal/results"
	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/train"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// An Exploration has the results of a trained model for some test utterances at each missing rate.
type Exploration struct {
	Seed       uint64     // of the model
	Utterances int        // the size of the test split
	Rates      []float64  // missing rates
	Range      [2]float64 // of the labels, or the first and the last class
	Classes    int        // 0 if the model predicts labels
	L, D       int        // the shape [L D] of the features; 0 if the model is not an Inspector
	Baseline   results.Baseline
	Samples    []Sample
}

// A Sample is one test utterance.
type Sample struct {
	ID, Text string
	Label    float32

	// Tokens are those between [CLS] and [SEP]. A token that continues a word begins with ##.
	Tokens []string

	// MissingFrom has, for each token and each frame, the index of the first of the rates at which
	// it is missing, or the number of rates if it is never missing.
	MissingFrom [zoo.Modalities][]int

	// features X_m [L D] of the complete input; nil without an Inspector
	Complete [zoo.Modalities][]float32
	Views    []View // one for each rate
}

// A View has the results for a sample at one missing rate.
type View struct {
	Score  float32   // the prediction
	Weight []float64 // modality weights; nil if the model has none

	// Features [L D]: X̃_m of the corrupted input, and X'_m, completed by the model. They are nil
	// if the model is not an Inspector.
	Corrupted, Completed [zoo.Modalities][]float32
}

// Options are the options of [Run].
type Options struct {
	Samples int    // the number of test utterances
	Device  string // "" for the run's
	// a pretrained model with the vocabulary of the data (see nn.FindPretrained); "" for the run's
	Vocabulary string
	Progress   func(rate, rates int) // called before each rate, from 0 on; may be nil
}

// maxViews is the largest number of missing rates of an exploration.
const maxViews = 11

// Run applies a trained model to some test utterances at each missing rate. The model is the first
// finished seed of the run in dir, or the seed whose directory dir is. The utterances are spread
// evenly over the order of the errors in predictions.csv. If the run was tested at more than 11
// rates, the exploration has 11 of them.
func Run(ctx context.Context, dir string, o Options, log *slog.Logger) (*Exploration, error) {
	d, err := rundir.FirstFinished(dir)
	if err != nil {
		return nil, err
	}
	c, err := d.Config()
	if err != nil {
		return nil, err
	}
	c.MoveTo(o.Device)
	tokens, err := openTranscriber(&c, o.Vocabulary)
	if err != nil {
		return nil, err
	}
	p, err := train.OpenPredictor(d, &c)
	if err != nil {
		return nil, err
	}
	set, err := train.OpenData(&c)
	if err != nil {
		return nil, err
	}
	tested, err := results.Read(d, &c, p.Kind())
	if err != nil {
		return nil, err
	}
	if got, want := set.Test.Len(), len(tested[0][0].ID); got != want {
		return nil, fmt.Errorf("explore: %s: expected the %d test utterances of its predictions, found %d; "+
			"restore the data that it was trained on", d, want, got)
	}
	e := &Exploration{Seed: c.Seed, Utterances: set.Test.Len(), Range: set.Range,
		Classes: c.Data.Classes,
		Baseline: results.NewBaseline(set.Train.Fraction(c.Data.Labels, c.Seed).Label,
			tested[0][0].Label, c.Data.Classes, p.Kind())}
	if e.Classes > 0 {
		e.Range = [2]float64{0, float64(e.Classes - 1)}
	}
	for _, i := range train.EvenlySpaced(len(tested[0]), maxViews) {
		e.Rates = append(e.Rates, tested[0][i].Rate)
	}
	if len(e.Rates) < len(tested[0]) {
		log.Info("samples are shown at a subset of the rates", "rates", e.Rates,
			"of", len(tested[0]))
	}
	return e, explore(ctx, p, e, d, set.Test, spreadByError(tested[0], o.Samples), tokens,
		o.Progress)
}

// spreadByError sorts the utterances by their mean absolute error over all rates and selects n of
// them at even distances. It returns their indices in increasing order. NaN counts as the smallest
// error.
func spreadByError(tested []*results.Predictions, n int) []int {
	sum := make([]float64, len(tested[0].ID))
	for _, p := range tested {
		for i, y := range p.Label {
			sum[i] += math.Abs(float64(p.Score[i]) - float64(y))
		}
	}
	order := train.Indices(len(sum))
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(sum[a], sum[b]) })
	var selected []int
	for _, i := range train.EvenlySpaced(len(order), n) {
		selected = append(selected, order[i])
	}
	slices.Sort(selected)
	return selected
}

// explore sets e.Samples to the utterances of s with the given indices.
func explore(
	ctx context.Context, p *train.Predictor, e *Exploration, d rundir.Dir, s *datasets.Split,
	index []int, tokens *transcriber, progress func(rate, rates int),
) error {
	for _, i := range index {
		sample := Sample{ID: s.ID[i], Label: s.Label[i]}
		if e.Classes > 0 {
			sample.Label = float32(metric.ClassOf(float64(sample.Label), e.Classes,
				p.Kind()))
		}
		if s.RawText != nil {
			sample.Text = s.RawText[i]
		}
		sample.Tokens = tokens.texts(tokensOf(s, i), sample.Text)
		e.Samples = append(e.Samples, sample)
	}
	for r, rate := range e.Rates {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if progress != nil {
			progress(r, len(e.Rates))
		}
		masks := s.KeepMasks(datasets.FixedRates(s.Len(), rate))
		for k, i := range index {
			e.Samples[k].addMissing(s, i, masks, r)
		}
		if err := addViews(p, e, s, index, masks); err != nil {
			return fmt.Errorf("explore: %s: %w", d, err)
		}
	}
	return nil
}
