package experiment

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"

	"github.com/seed-6655bf3b/recap/datasets"
	"github.com/seed-6655bf3b/recap/datasets/wordpiece"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// EvalOptions say on what a finished run is evaluated.
type EvalOptions struct {
	Rates  string         // "" for those of the run
	Drop   []zoo.Modality // of which everything is missing
	File   string         // "" for the run's data
	Device string         // "" for the run's
}

// Evaluate tests the checkpoints of a run, or of one seed of it.
func Evaluate(ctx context.Context, dir string, o EvalOptions, log *slog.Logger) (*Summary, error) {
	there, err := seedDirs(dir)
	if err != nil {
		return nil, err
	}
	return evaluate(ctx, there, nil, o, log)
}

// evaluate tests seeds of one run on a data set, nil for the run's.
func evaluate(ctx context.Context, there []runDir, set *datasets.Set, o EvalOptions, log *slog.Logger) (*Summary, error) {
	s := &Summary{Note: o.note()}
	for _, d := range there {
		c, err := d.config()
		if err != nil {
			return nil, err
		}
		if o.File != "" {
			c.Data.File = o.File
		}
		c.moveTo(o.Device)
		p, err := openPredictor(d, &c)
		if err != nil {
			return nil, err
		}
		if set == nil {
			if set, err = openData(&c); err != nil {
				return nil, err
			}
		}
		split, err := fit(set.Test, p.dims, log)
		if err != nil {
			return nil, err
		}
		if o.Rates != "" {
			c.Eval.Rates = o.Rates
		}
		rates, err := ParseRates(c.Eval.Rates)
		if err != nil {
			return nil, err
		}
		tested, err := p.test(ctx, &c, d, split, rates, o.Drop)
		if err != nil {
			return nil, err
		}
		s.addTested(&c, p.feed.kind, tested)
	}
	return s, nil
}

func (o *EvalOptions) note() string {
	var notes []string
	if o.File != "" {
		notes = append(notes, "data of "+filepath.Base(o.File))
	}
	if len(o.Drop) > 0 {
		notes = append(notes, "without "+strings.Join(names(o.Drop, modalityName), ", "))
	}
	return strings.Join(notes, "; ")
}

// Predict applies a run to the utterances of a feature file (datasets.OpenFeatures), on a device,
// by default the run's. dir is a seed's directory, or a run's with one seed.
func Predict(dir, file, device string, log *slog.Logger) (*Predictions, error) {
	p, _, err := openOne(dir, device)
	if err != nil {
		return nil, err
	}
	split, err := datasets.OpenFeatures(file, "test")
	if err != nil {
		return nil, err
	}
	if split, err = fit(split, p.dims, log); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return p.predict(split, 0, nil), nil
}

// PredictText applies a run to texts, with all of audio and vision missing. The texts are the
// predictions' ids. The vocabulary is that of a pretrained model (nn.FindPretrained), by default
// the run's own, and so is the device.
func PredictText(dir string, texts []string, model, device string, log *slog.Logger) (*Predictions, error) {
	p, c, err := openOne(dir, device)
	if err != nil {
		return nil, err
	}
	if model == "" {
		model = c.Method.Words().BERT
	}
	if _, made := generators[c.Dataset]; made || model == "" {
		return nil, fmt.Errorf("experiment: %s: expected a run with tokens of BERT, found one on %s with no pretrained encoder; train with --data, and name the vocabulary with --bert", dir, c.Dataset)
	}
	if model, err = nn.FindPretrained(model); err != nil {
		return nil, fmt.Errorf("experiment: %w", err)
	}
	words, err := wordpiece.Open(model)
	if err != nil {
		return nil, fmt.Errorf("experiment: %w", err)
	}
	split, err := fit(speechless(texts, words, p.dims), p.dims, log)
	if err != nil {
		return nil, err
	}
	return p.predict(split, 0, nil), nil
}

// speechless returns utterances of which only the words are there.
func speechless(texts []string, words *wordpiece.Tokenizer, d zoo.Dims) *datasets.Split {
	n := len(texts)
	none := func(steps, width int) datasets.Frames {
		return datasets.Frames{T: steps, D: width, X: make([]float32, n*steps*width), Len: slices.Repeat([]int{1}, n)}
	}
	s := &datasets.Split{ID: texts, RawText: texts, Audio: none(d.AudioT, d.AudioD), Vision: none(d.VisionT, d.VisionD)}
	s.Language = datasets.Tokens{T: d.TextT, ID: make([]int, n*d.TextT), Mask: make([]float32, n*d.TextT), Segment: make([]int, n*d.TextT)}
	for i, text := range texts {
		for j, id := range words.Encode(text, d.TextT) {
			s.Language.ID[i*d.TextT+j], s.Language.Mask[i*d.TextT+j] = id, 1
		}
	}
	return s
}

// openOne opens the checkpoint of a seed's directory, or of a run's with one seed.
func openOne(dir, device string) (*predictor, *Config, error) {
	there, err := seedDirs(dir)
	if err != nil {
		return nil, nil, err
	}
	if len(there) > 1 {
		return nil, nil, fmt.Errorf("experiment: %s: expected one seed, found %d; give one of %v", dir, len(there), there)
	}
	c, err := there[0].config()
	if err != nil {
		return nil, nil, err
	}
	c.moveTo(device)
	p, err := openPredictor(there[0], &c)
	return p, &c, err
}
