package train

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"slices"

	"github.com/seed-6655bf3b/recap/datasets"
	"github.com/seed-6655bf3b/recap/internal/metric"
	"github.com/seed-6655bf3b/recap/internal/settings"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// Data is what training reads: the data set and the pretrained text encoder, each opened once for
// all seeds of a run.
type Data struct {
	Set    *datasets.Set // of the seed that it was opened for, or of the last call of For
	Origin Origin
	seed   uint64             // of Set
	whole  *datasets.Set      // as in the file; nil unless each seed has splits of its own
	bert   *nn.PretrainedBERT // nil for a text encoder trained from scratch

	prepared    *Learner // of Prepare
	preparedFor string   // hash of its configuration
}

// Open opens what c asks for and fills in c.Dataset where it is empty. The caller closes the
// result.
func Open(c *settings.Config) (*Data, error) {
	d, err := OpenWithOrigin(c)
	if err != nil {
		return nil, err
	}
	if dir := c.Method.TextEncoder().BERT; dir != "" {
		if d.bert, err = nn.OpenBERT(dir); err != nil {
			return nil, fmt.Errorf("train: text.bert: %w", err)
		}
	}
	return d, nil
}

// Close closes the file of the pretrained text encoder.
func (d *Data) Close() error {
	if d.bert == nil {
		return nil
	}
	return d.bert.Close()
}

// OpenData returns the data set that c asks for and fills in c.Dataset where it is empty.
func OpenData(c *settings.Config) (*datasets.Set, error) {
	set, err := openWhole(c)
	if err != nil {
		return nil, err
	}
	return choose(set, c)
}

// OpenWithOrigin is [Open] without the text encoder. The origin of the data takes time for a large
// pickle.
func OpenWithOrigin(c *settings.Config) (*Data, error) {
	set, err := openWhole(c)
	if err != nil {
		return nil, err
	}
	d := &Data{Origin: originOf(set), seed: c.Seed}
	if c.Data.Resplit == settings.ResplitBySeed {
		d.whole = set
	}
	if d.Set, err = choose(set, c); err != nil {
		return nil, err
	}
	return d, nil
}

// For returns the data set of one of the run's seeds, that of c.
func (d *Data) For(c *settings.Config) (*datasets.Set, error) {
	if d.whole == nil || d.seed == c.Seed {
		return d.Set, nil
	}
	set, err := choose(d.whole, c)
	if err != nil {
		return nil, err
	}
	d.Set, d.seed = set, c.Seed
	return set, nil
}

// openWhole is [OpenData] without data.resplit, data.limit and eval.split.
func openWhole(c *settings.Config) (*datasets.Set, error) {
	if err := c.CheckData(); err != nil {
		return nil, err
	}
	var set *datasets.Set
	if generator, made := settings.Generators[c.Dataset]; made {
		set, _ = datasets.Synthetic(generator().Scale(c.Data.Scale))
	} else {
		var err error
		set, err = datasets.OpenWith(c.Data.File, c.DatasetOptions())
		if _, gone := os.Stat(c.Data.File); errors.Is(gone, fs.ErrNotExist) {
			return nil, fmt.Errorf("%w; if the file was moved, give its new path with --data FILE "+
				"(recap train --resume DIR --data FILE records it for a run)", err)
		}
		if err != nil {
			return nil, err
		}
		if c.Dataset == "" {
			if err := settings.CheckDatasetName(set.Name); err != nil {
				return nil, fmt.Errorf("train: %s: %w; name the data set with -d NAME",
					c.Data.File, err)
			}
			c.Dataset = set.Name
		}
	}
	return set, nil
}

// choose divides the utterances again if data.resplit says so, takes the first data.limit of each
// split, all if it is 0, and makes the split that eval.split names the one that is tested.
func choose(set *datasets.Set, c *settings.Config) (*datasets.Set, error) {
	if seed, ok := c.Data.Resplit.Seed(c.Seed); ok {
		var err error
		if set, err = set.Resplit(seed); err != nil {
			return nil, err
		}
	}
	if n := c.Data.Limit; n > 0 {
		for _, s := range []**datasets.Split{&set.Train, &set.Valid, &set.Test} {
			*s = (*s).Subset(Indices(min(n, (*s).Len())))
		}
	}
	if c.Eval.Split == settings.ValidSplit {
		set.Test = set.Valid
	}
	return set, nil
}

// Indices returns 0, 1, …, n−1.
func Indices(n int) []int {
	index := make([]int, n)
	for i := range index {
		index[i] = i
	}
	return index
}

// dims returns the sizes of the data and of the text encoder, which a model is made for.
func (d *Data) dims(c *settings.Config) (zoo.Dims, error) {
	set, err := d.For(c)
	if err != nil {
		return zoo.Dims{}, err
	}
	s := set.Shape()
	dims := zoo.Dims{Vocab: set.Vocab(), TextT: s.LanguageSteps,
		AudioT: s.AudioSteps, AudioD: s.AudioD, VisionT: s.VisionSteps, VisionD: s.VisionD,
		Classes: c.Data.Classes, Range: set.Range}
	if d.bert != nil {
		dir := c.Method.TextEncoder().BERT
		b := &d.bert.Config
		switch {
		case b.Vocab < dims.Vocab:
			return dims, fmt.Errorf(
				"train: %s: expected tokens below %d, the vocabulary of %s, found %d; give the "+
					"model that the tokens were made for", set.Name, b.Vocab, dir, dims.Vocab-1,
			)
		case b.Positions < dims.TextT:
			return dims, fmt.Errorf(
				"train: %s: expected sequences of at most %d tokens, the positions of %s, "+
					"found %d; give a model with more", set.Name, b.Positions, dir, dims.TextT,
			)
		}
		if largest := set.LargestSegment(); largest >= b.Types {
			return dims, fmt.Errorf(
				"train: %s: expected segments below %d, the token types of %s, found %d; save "+
					"zeros in the third row of text_bert", set.Name, b.Types, dir, largest,
			)
		}
		dims.Vocab, dims.BERT = d.bert.Config.Vocab, &d.bert.Config
	}
	if dims.Classes == 7 && metric.KindOf(c.Dataset, dims.Range) == metric.SIMS {
		return dims, settings.Invalid("data.classes", "0, 2, 3 or 5 for labels from -1 to 1",
			dims.Classes)
	}
	return dims, nil
}

// Check returns an error if the model of c is too large, or does not fit the data.
func (d *Data) Check(c *settings.Config) error {
	dims, err := d.dims(c)
	if err != nil {
		return err
	}
	_, _, err = plan(c, dims)
	return err
}

// Warning returns what the user should know before the model of c is trained on the data, or "".
func (d *Data) Warning(c *settings.Config) (string, error) {
	w, ok := c.Method.(DimsWarner)
	if !ok {
		return "", nil
	}
	dims, err := d.dims(c)
	if err != nil {
		return "", err
	}
	return w.WarnDims(&dims), nil
}

// StepsPerEpoch returns how many steps the optimisers make in an epoch of each phase of a model.
func (d *Data) StepsPerEpoch(c *settings.Config) (map[string]int, error) {
	dims, err := d.dims(c)
	if err != nil {
		return nil, err
	}
	m, _, err := plan(c, dims)
	if err != nil {
		return nil, err
	}
	steps := map[string]int{}
	for _, ph := range m.Phases() {
		split := d.Set.Train
		if ph.Supervised {
			split = split.Fraction(c.Data.Labels, c.Seed)
		}
		batches := len(datasets.Order(split.Len(), c.Train.Batch, ph.MinBatch, nil))
		each := c.Train.Accumulate
		steps[ph.Name] = len(ph.Passes) * ((batches + each - 1) / each)
	}
	return steps, nil
}

func shapeOf(d zoo.Dims) datasets.Shape {
	return datasets.Shape{LanguageSteps: d.TextT, AudioSteps: d.AudioT, AudioD: d.AudioD,
		VisionSteps: d.VisionT, VisionD: d.VisionD}
}

// Fit makes a split from elsewhere fit a trained model: sequences are padded to the model's
// lengths, and tokens that training did not know become [UNK]. Segments that the text encoder does
// not have are an error.
func Fit(s *datasets.Split, d zoo.Dims, log *slog.Logger) (*datasets.Split, error) {
	s, err := s.Fit(shapeOf(d))
	if err != nil {
		return nil, err
	}
	if err := checkSegments(s, d); err != nil {
		return nil, err
	}
	unknown, tokens := 0, 0
	ids := slices.Clone(s.Language.ID)
	for i, id := range ids {
		tokens += int(s.Language.Mask[i])
		if id >= d.Vocab {
			ids[i] = datasets.UnkID
			unknown++
		}
	}
	if unknown > 0 {
		log.Warn("tokens unseen in training are read as [UNK]", "tokens", unknown, "of",
			tokens, "vocabulary", d.Vocab)
		known := *s
		known.Language.ID = ids
		s = &known
	}
	return s, nil
}

func checkSegments(s *datasets.Split, d zoo.Dims) error {
	types := 2 // of a text encoder that is trained from scratch
	if d.BERT != nil {
		types = d.BERT.Types
	}
	for j, segment := range s.Language.Segment {
		if i := j / s.Language.T; segment >= types {
			return fmt.Errorf("train: utterance %d (%.60q): text_bert: token %d: expected a "+
				"segment below %d, the type_vocab_size of the text encoder, found %d; "+
				"save the tokenizer's token_type_ids", i, s.ID[i], j%s.Language.T, types, segment)
		}
	}
	return nil
}

// EvenlySpaced returns at most k of the indices below n, evenly spaced, the first and the last
// among them.
func EvenlySpaced(n, k int) []int {
	if k >= n {
		return Indices(n)
	}
	index := make([]int, k)
	for i := range index {
		index[i] = i * (n - 1) / max(k-1, 1)
	}
	return index
}
