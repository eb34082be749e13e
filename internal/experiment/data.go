package experiment

import (
	"fmt"
	"log/slog"
	"math"
	"slices"

	"github.com/seed-6655bf3b/recap/datasets"
	"github.com/seed-6655bf3b/recap/internal/metric"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// generators make the data sets that need no file.
var generators = map[string]func() datasets.SyntheticConfig{
	"synthetic":      datasets.DefaultSynthetic,
	"synthetic-mosi": datasets.MOSISynthetic,
}

// openData returns the data set that c asks for and fills in c.Dataset where it is empty.
func openData(c *Config) (*datasets.Set, error) {
	if err := c.checkData(); err != nil {
		return nil, err
	}
	var set *datasets.Set
	if generator, made := generators[c.Dataset]; made {
		set, _ = datasets.Synthetic(generator().Scale(c.Data.Scale))
	} else {
		var err error
		if set, err = datasets.OpenWith(c.Data.File, c.Data.own()); err != nil {
			return nil, err
		}
		if c.Dataset == "" {
			c.Dataset = set.Name
		}
	}
	if n := c.Data.Limit; n > 0 {
		for _, s := range []**datasets.Split{&set.Train, &set.Valid, &set.Test} {
			*s = (*s).Subset(firstOf(min(n, (*s).Len())))
		}
	}
	return set, nil
}

// checkData fills in the data set that needs no file where nothing is asked for, and refuses what
// does not go together.
func (c *Config) checkData() error {
	if c.Dataset == "" && c.Data.File == "" {
		c.Dataset = "synthetic"
	}
	_, made := generators[c.Dataset]
	switch {
	case made && c.Data.File != "":
		return fmt.Errorf("experiment: data set %s is made by the program: expected no file, found %s; leave out one of the two", c.Dataset, c.Data.File)
	case made && c.Data.own() != (datasets.Features{}):
		return fmt.Errorf("experiment: data set %s is made by the program: expected no features of your own, found some; give the data set that they belong to with --data FILE", c.Dataset)
	case !made && c.Data.File == "":
		return fmt.Errorf("experiment: data set %s: expected its feature file, found none; give MMSA's pickle (unaligned_50.pkl or alike), or what recap data pack made of it, with --data FILE or %s",
			c.Dataset, EnvName("data.file"))
	}
	return nil
}

// own returns the features that take the place of the data set's.
func (d *DataConfig) own() datasets.Features {
	return datasets.Features{Language: d.Text, Audio: d.Audio, Vision: d.Vision}
}

func firstOf(n int) []int {
	index := make([]int, n)
	for i := range index {
		index[i] = i
	}
	return index
}

// labelsOf returns the family of a data set's labels.
func labelsOf(dataset string, limits [2]float64) metric.Kind {
	if dataset == "sims" || dataset != "mosi" && dataset != "mosei" && limits[1] <= 1 {
		return metric.SIMS
	}
	return metric.MOSI
}

// dimsOf returns what a model has to know of a data set.
func dimsOf(c *Config, set *datasets.Set) (zoo.Dims, error) {
	s := set.Shape()
	d := zoo.Dims{Vocab: set.Vocab(), TextT: s.LanguageSteps, AudioT: s.AudioSteps, AudioD: s.AudioD,
		VisionT: s.VisionSteps, VisionD: s.VisionD, Classes: c.Data.Classes, Range: set.Range}
	if dir := c.Method.Words().BERT; dir != "" {
		bert, err := nn.OpenBERT(dir)
		if err != nil {
			return d, fmt.Errorf("experiment: text.bert: %w", err)
		}
		defer bert.Close()
		switch b := &bert.Config; {
		case b.Vocab < d.Vocab:
			return d, fmt.Errorf("experiment: %s: expected tokens below %d, the vocabulary of %s, found %d; give the model that the tokens were made for", set.Name, b.Vocab, dir, d.Vocab-1)
		case b.Positions < d.TextT:
			return d, fmt.Errorf("experiment: %s: expected sequences of at most %d tokens, the positions of %s, found %d; give a model with more", set.Name, b.Positions, dir, d.TextT)
		}
		d.Vocab, d.BERT = bert.Config.Vocab, &bert.Config
	}
	if d.Classes == 7 && labelsOf(c.Dataset, d.Range) == metric.SIMS {
		return d, wrong("data.classes", "0, 2, 3 or 5 for labels from -1 to 1", d.Classes)
	}
	return d, nil
}

func shapeOf(d zoo.Dims) datasets.Shape {
	return datasets.Shape{LanguageSteps: d.TextT, AudioSteps: d.AudioT, AudioD: d.AudioD, VisionSteps: d.VisionT, VisionD: d.VisionD}
}

// fit makes a split from elsewhere fit a trained model: sequences are padded to the model's
// lengths, and tokens that training did not know become [UNK].
func fit(s *datasets.Split, d zoo.Dims, log *slog.Logger) (*datasets.Split, error) {
	s, err := s.Fit(shapeOf(d))
	if err != nil {
		return nil, err
	}
	unknown := 0
	ids := slices.Clone(s.Language.ID)
	for i, id := range ids {
		if id >= d.Vocab {
			ids[i] = datasets.UnkID
			unknown++
		}
	}
	if unknown > 0 {
		log.Warn("tokens unseen in training are read as [UNK]", "tokens", unknown, "of", len(ids), "vocabulary", d.Vocab)
		known := *s
		known.Language.ID = ids
		s = &known
	}
	return s, nil
}

// classOf returns the class of a label, 0 ≤ class < classes, cut where the metrics of its kind cut
// (package metric).
func classOf(y float64, classes int, kind metric.Kind) int {
	switch {
	case kind == metric.SIMS:
		edges := map[int][]float32{2: {0}, 3: {-0.1, 0.1}, 5: {-0.7, -0.1, 0.1, 0.7}}[classes]
		i, _ := slices.BinarySearch(edges, float32(y)) // intervals (lo, hi] of the labels' precision
		return i
	case classes == 2:
		if y >= 0 {
			return 1
		}
		return 0
	}
	limit := float64(classes / 2)
	return int(math.RoundToEven(min(max(y, -limit), limit)) + limit)
}
