package runs

import (
	"fmt"
	"log/slog"
	"math"
	"slices"

	"github.com/seed-6655bf3b/recap/datasets"
	"github.com/seed-6655bf3b/recap/datasets/wordpiece"
	"github.com/seed-6655bf3b/recap/internal/results"
	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/settings"
	"github.com/seed-6655bf3b/recap/internal/train"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// Predict returns the predictions of a trained run for the utterances of a feature file (see
// [datasets.OpenFeatures]). dir is the directory of a seed, or of a run with one seed. The device
// is the run's if its name is "".
func Predict(dir, file, device string, log *slog.Logger) (*results.Predictions, error) {
	p, _, err := openOne(dir, device)
	if err != nil {
		return nil, err
	}
	split, err := datasets.OpenFeatures(file, "test", datasets.Options{})
	if err != nil {
		return nil, err
	}
	if split, err = train.Fit(split, p.Dims, log); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	logText(split, log)
	logMissing(split, log)
	return p.Predict(split, 0, nil), nil
}

// logText warns of utterances without text and of those whose words are all unknown.
func logText(s *datasets.Split, log *slog.Logger) {
	var empty, unknown []string
	for i, id := range s.ID {
		at := i * s.Language.T
		n := 0
		for n < s.Language.T && s.Language.Mask[at+n] == 1 {
			n++
		}
		switch {
		case n <= 2:
			empty = append(empty, id)
		case !slices.ContainsFunc(s.Language.ID[at+1:at+n-1],
			func(token int) bool { return token != datasets.UnkID }):
			unknown = append(unknown, id)
		}
	}
	if empty != nil {
		log.Warn("text without words", "utterances", len(empty), "of", s.Len(), "first", empty[0])
	}
	if unknown != nil {
		log.Warn("text of unknown words alone, [UNK]", "utterances", len(unknown), "of", s.Len(),
			"first", unknown[0])
	}
}

// logMissing says in how many utterances audio or vision is missing.
func logMissing(s *datasets.Split, log *slog.Logger) {
	for _, m := range []struct {
		name   string
		length []int
	}{{"audio", s.Audio.Len}, {"vision", s.Vision.Len}} {
		missing := 0
		for _, n := range m.length {
			if n == 0 {
				missing++
			}
		}
		if missing > 0 {
			log.Info("predicted without "+m.name, "utterances", missing, "of", s.Len(), "first",
				s.ID[slices.Index(m.length, 0)])
		}
	}
}

// PredictText returns the predictions of a trained run for transcripts without audio and vision.
// The transcripts are the ids of the predictions. model is a pretrained model with the vocabulary
// of the run's data (see [nn.FindPretrained]), "" for the run's own. dir and device are as in
// [Predict].
func PredictText(
	dir string, texts []string, model, device string, log *slog.Logger,
) (*results.Predictions, error) {
	p, c, err := openOne(dir, device)
	if err != nil {
		return nil, err
	}
	if model == "" {
		model = c.Method.TextEncoder().BERT
	}
	if _, generated := settings.Generators[c.Dataset]; generated || model == "" {
		return nil, fmt.Errorf("runs: %s: expected a run with BERT's tokens, found one on %s "+
			"without a pretrained text encoder; "+
			"train with --data, and name the vocabulary with --bert", dir, c.Dataset)
	}
	if model, err = nn.FindPretrained(model); err != nil {
		return nil, fmt.Errorf("runs: %w", err)
	}
	tokenizer, err := wordpiece.Open(model)
	if err != nil {
		return nil, fmt.Errorf("runs: %w", err)
	}
	split, err := train.Fit(textOnlySplit(texts, tokenizer, p.Dims, log), p.Dims, log)
	if err != nil {
		return nil, err
	}
	logText(split, log)
	return p.Predict(split, 0, nil), nil
}

// textOnlySplit returns utterances with these transcripts. Audio and vision are one frame of
// zeros. It warns of tokens that the model's sequences have no place for, and of words that are not
// in the vocabulary.
func textOnlySplit(
	texts []string, tokenizer *wordpiece.Tokenizer, d zoo.Dims, log *slog.Logger,
) *datasets.Split {
	n := len(texts)
	zeros := func(steps, width int) datasets.Frames {
		x := make([]float32, n*steps*width)
		return datasets.Frames{T: steps, D: width, X: x, Len: slices.Repeat([]int{1}, n)}
	}
	s := &datasets.Split{ID: texts, RawText: texts, Audio: zeros(d.AudioT, d.AudioD),
		Vision: zeros(d.VisionT, d.VisionD)}
	s.Language = datasets.Tokens{T: d.TextT, ID: make([]int, n*d.TextT),
		Mask: make([]float32, n*d.TextT), Segment: make([]int, n*d.TextT)}
	tokens, kept, unknown := 0, 0, 0
	for i, text := range texts {
		tokens += len(tokenizer.Encode(text, math.MaxInt))
		for j, id := range tokenizer.Encode(text, d.TextT) {
			s.Language.ID[i*d.TextT+j], s.Language.Mask[i*d.TextT+j] = id, 1
			kept++
			if tokenizer.Token(id) == "[UNK]" {
				unknown++
			}
		}
	}
	if kept < tokens {
		log.Warn(fmt.Sprintf("text longer than the model's %d tokens is cut", d.TextT),
			"cut", tokens-kept, "of", tokens)
	}
	if unknown > 0 {
		log.Warn("words that are not in the vocabulary are read as [UNK]", "words", unknown,
			"tokens", kept)
	}
	return s
}

// openOne opens the checkpoint of the seed in dir, or of the run in dir if it has one seed.
func openOne(dir, device string) (*train.Predictor, *settings.Config, error) {
	dirs, err := rundir.SeedDirs(dir)
	if err != nil {
		return nil, nil, err
	}
	if len(dirs) > 1 {
		return nil, nil, fmt.Errorf("runs: %s: expected one seed, found %d; give one of %v",
			dir, len(dirs), dirs)
	}
	if !dirs[0].Finished() {
		return nil, nil, rundir.UnfinishedError(dir)
	}
	c, err := dirs[0].Config()
	if err != nil {
		return nil, nil, err
	}
	c.MoveTo(device)
	p, err := train.OpenPredictor(dirs[0], &c)
	return p, &c, err
}
