package train

import (
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/seed-6655bf3b/recap/datasets"
	"github.com/seed-6655bf3b/recap/internal/settings/settingstest"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// TestFitChecksSegments fits an utterance with a segment that the text encoder has or has not.
func TestFitChecksSegments(t *testing.T) {
	for _, c := range []struct {
		segment int
		bert    *nn.BERTConfig
		want    string
	}{
		{1, nil, ""}, {1, &nn.BERTConfig{Types: 2}, ""}, {2, &nn.BERTConfig{Types: 3}, ""},
		{2, nil, "expected a segment below 2"},
		{1, &nn.BERTConfig{Types: 1}, "expected a segment below 1"},
	} {
		frames := datasets.Frames{T: 1, D: 1, X: []float32{0}, Len: []int{1}}
		s := &datasets.Split{ID: []string{"a"}, Audio: frames, Vision: frames,
			Language: datasets.Tokens{T: 2, ID: []int{101, 102}, Mask: []float32{1, 1},
				Segment: []int{0, c.segment}}}
		_, err := Fit(s, zoo.Dims{Vocab: 103, TextT: 3, AudioT: 1, AudioD: 1, VisionT: 1,
			VisionD: 1, BERT: c.bert}, slog.New(slog.DiscardHandler))
		if (err == nil) != (c.want == "") || err != nil &&
			!strings.Contains(err.Error(), `utterance 0 ("a"): text_bert: token 1: `+c.want) {
			t.Errorf("segment %d: %v, want %q", c.segment, err, c.want)
		}
	}
}

// TestResplitSettings opens a set with data.resplit, data.limit and eval.split together.
func TestResplitSettings(t *testing.T) {
	open := func(set map[string]string) *datasets.Set {
		c := settingstest.Resolved(t, set)
		s, err := OpenData(&c)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	whole := open(nil)
	divided := open(map[string]string{"data.resplit": "3"})
	if slices.Equal(whole.Test.ID, divided.Test.ID) {
		t.Error("data.resplit=3: the test split is that of the file")
	}
	limited := open(map[string]string{"data.resplit": "3", "data.limit": "2",
		"eval.split": "valid"})
	if !slices.Equal(limited.Test.ID, divided.Valid.ID[:2]) {
		t.Errorf("the test split has %v, want the first two of the new validation split, %v",
			limited.Test.ID, divided.Valid.ID[:2])
	}
}

// TestPretrainedModelMustFitTheTokens has a model of just the sizes of the data, and smaller ones.
func TestPretrainedModelMustFitTheTokens(t *testing.T) {
	tr := newTrainer(t, nil)
	fits := nn.BERTConfig{Vocab: tr.set.Vocab(), Positions: tr.set.Shape().LanguageSteps,
		Types: tr.set.LargestSegment() + 1}
	for want, change := range map[string]func(c *nn.BERTConfig){
		"":                           func(*nn.BERTConfig) {},
		"expected tokens below":      func(c *nn.BERTConfig) { c.Vocab-- },
		"expected sequences of at":   func(c *nn.BERTConfig) { c.Positions-- },
		"expected segments below 0,": func(c *nn.BERTConfig) { c.Types-- },
	} {
		b := &nn.PretrainedBERT{Config: fits}
		change(&b.Config)
		dims, err := (&Data{Set: tr.set, bert: b}).dims(&tr.config)
		switch {
		case want == "" && (err != nil || *dims.BERT != fits):
			t.Errorf("a model of just these sizes: %v, %v", dims.BERT, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

// TestSevenClassesNeedLabelsTo3 refuses classes that labels from -1 to 1 do not have.
func TestSevenClassesNeedLabelsTo3(t *testing.T) {
	tr := newTrainer(t, map[string]string{"data.classes": "7"})
	set := *tr.set
	set.Range, tr.config.Dataset = [2]float64{-1, 1}, "sims"
	const want = "data.classes: expected 0, 2, 3 or 5 for labels from -1 to 1"
	if _, err := (&Data{Set: &set}).dims(&tr.config); err == nil ||
		!strings.Contains(err.Error(), want) {
		t.Errorf("error %v", err)
	}
}
