package runs

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"

	"github.com/seed-6655bf3b/recap/datasets"
	"github.com/seed-6655bf3b/recap/datasets/wordpiece"
	"github.com/seed-6655bf3b/recap/internal/results"
	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/settings"
	"github.com/seed-6655bf3b/recap/internal/tables"
	"github.com/seed-6655bf3b/recap/internal/train"
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
func Evaluate(ctx context.Context, dir string, o EvalOptions, log *slog.Logger) (*tables.Summary, error) {
	there, err := rundir.SeedDirs(dir)
	if err != nil {
		return nil, err
	}
	return evaluate(ctx, there, nil, o, log)
}

// evaluate tests seeds of one run on a data set, nil for the run's.
func evaluate(ctx context.Context, there []rundir.Dir, set *datasets.Set, o EvalOptions, log *slog.Logger) (*tables.Summary, error) {
	s := &tables.Summary{Note: o.note()}
	for _, d := range there {
		c, err := d.Config()
		if err != nil {
			return nil, err
		}
		if o.File != "" {
			c.Data.File = o.File
		}
		c.MoveTo(o.Device)
		p, err := train.OpenPredictor(d, &c)
		if err != nil {
			return nil, err
		}
		if set == nil {
			if set, err = train.OpenData(&c); err != nil {
				return nil, err
			}
		}
		split, err := train.Fit(set.Test, p.Dims, log)
		if err != nil {
			return nil, err
		}
		if o.Rates != "" {
			c.Eval.Rates = o.Rates
		}
		rates, err := settings.ParseRates(c.Eval.Rates)
		if err != nil {
			return nil, err
		}
		tested, err := p.Test(ctx, &c, d, split, rates, o.Drop)
		if err != nil {
			return nil, err
		}
		s.AddTested(&c, p.Batcher.Kind, tested)
	}
	return s, nil
}

func (o *EvalOptions) note() string {
	var notes []string
	if o.File != "" {
		notes = append(notes, "data of "+filepath.Base(o.File))
	}
	if len(o.Drop) > 0 {
		var dropped []string
		for _, m := range o.Drop {
			dropped = append(dropped, settings.ModalityName(m))
		}
		notes = append(notes, "without "+strings.Join(dropped, ", "))
	}
	return strings.Join(notes, "; ")
}

// Predict applies a run to the utterances of a feature file (datasets.OpenFeatures), on a device,
// by default the run's. dir is a seed's directory, or a run's with one seed.
func Predict(dir, file, device string, log *slog.Logger) (*results.Predictions, error) {
	p, _, err := openOne(dir, device)
	if err != nil {
		return nil, err
	}
	split, err := datasets.OpenFeatures(file, "test")
	if err != nil {
		return nil, err
	}
	if split, err = train.Fit(split, p.Dims, log); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return p.Predict(split, 0, nil), nil
}

// PredictText applies a run to texts, with all of audio and vision missing. The texts are the
// predictions' ids. The vocabulary is that of a pretrained model (nn.FindPretrained), by default
// the run's own, and so is the device.
func PredictText(dir string, texts []string, model, device string, log *slog.Logger) (*results.Predictions, error) {
	p, c, err := openOne(dir, device)
	if err != nil {
		return nil, err
	}
	if model == "" {
		model = c.Method.TextEncoder().BERT
	}
	if _, made := settings.Generators[c.Dataset]; made || model == "" {
		return nil, fmt.Errorf("runs: %s: expected a run with tokens of BERT, found one on %s with no pretrained encoder; train with --data, and name the vocabulary with --bert", dir, c.Dataset)
	}
	if model, err = nn.FindPretrained(model); err != nil {
		return nil, fmt.Errorf("runs: %w", err)
	}
	words, err := wordpiece.Open(model)
	if err != nil {
		return nil, fmt.Errorf("runs: %w", err)
	}
	split, err := train.Fit(speechless(texts, words, p.Dims), p.Dims, log)
	if err != nil {
		return nil, err
	}
	return p.Predict(split, 0, nil), nil
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
func openOne(dir, device string) (*train.Predictor, *settings.Config, error) {
	there, err := rundir.SeedDirs(dir)
	if err != nil {
		return nil, nil, err
	}
	if len(there) > 1 {
		return nil, nil, fmt.Errorf("runs: %s: expected one seed, found %d; give one of %v", dir, len(there), there)
	}
	c, err := there[0].Config()
	if err != nil {
		return nil, nil, err
	}
	c.MoveTo(device)
	p, err := train.OpenPredictor(there[0], &c)
	return p, &c, err
}
