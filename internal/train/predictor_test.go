package train

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-6655bf3b/recap/datasets"
	"github.com/seed-6655bf3b/recap/internal/metric"
	"github.com/seed-6655bf3b/recap/internal/results"
	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/settings"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// TestPredictor opens the checkpoint of a seed, and tests it as the seed's end does.
func TestPredictor(t *testing.T) {
	tr := trained(t, map[string]string{"select": settings.SelectTest, "device": "cpu64"})
	p, err := OpenPredictor(tr.dir, &tr.config)
	if err != nil {
		t.Fatal(err)
	}
	best := tr.dir.File(rundir.BestFile)
	if err := rundir.LoadTensors(best, tr.Model.PredictParams()); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(values(p.Params), values(tr.Params)) || p.Dims != tr.Dims ||
		p.Kind() != metric.MOSI || p.BatchSize != 16 {
		t.Error("the predictor is not that of the checkpoint")
	}
	s := tr.set.Test
	var batches, rates []int
	p.OnBatch = func(n int) { batches = append(batches, n) }
	one := p.Predict(s, 0.25, nil)
	want := &results.Predictions{Rate: 0.25, ID: s.ID}
	masks := s.KeepMasks(datasets.FixedRates(s.Len(), 0.25))
	for _, index := range [][]int{Indices(16), Indices(32)[16:], Indices(40)[32:]} {
		in := p.Input(s, index, masks)
		if !in.Cacheable {
			t.Error("the inputs are not cacheable")
		}
		want.Add(p.Model.Predict(p.Tape, in), p.batcher.data.Label, nil, 0, s.Len())
	}
	if !cmp.Equal(one, want) || !slices.Equal(batches, []int{16, 16, 8}) {
		t.Errorf("batches %v, %+v, want %+v", batches, one, want)
	}
	p.OnBatch = nil
	choices := results.Choices(&tr.config, metric.MOSI)
	p.OnRate = func(rate, of int) { rates = append(rates, rate, of) }
	all, err := p.Test(t.Context(), &tr.config, tr.dir, s, []float64{0.25, 1}, nil)
	if err != nil || len(all) != len(choices) || len(all) < 2 || !cmp.Equal(all[0][0], one) ||
		all[1][1].Rate != 1 {
		t.Errorf("%d tests: %v", len(all), err)
	}
	for i := range rates {
		if n := 2 * len(choices); rates[i] != []int{i/2 + 1, n}[i%2] || len(rates) != 2*n {
			t.Errorf("rates %v of %d", rates, n)
		}
	}
	p.OnRate = nil
	again, err := p.Test(t.Context(), &tr.config, tr.dir, s, []float64{0.25, 1}, nil)
	if err != nil || !cmp.Equal(again, all) {
		t.Errorf("tested again: other predictions (%v)", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = p.Test(ctx, &tr.config, tr.dir, s, []float64{0}, nil)
	if interrupted := (*Interrupted)(nil); !errors.As(err, &interrupted) ||
		interrupted.Dir != filepath.Dir(string(tr.dir)) {
		t.Errorf("error %v", err)
	}
	if err := os.Remove(tr.dir.File(choices[1].File(rundir.BestFile))); err != nil {
		t.Fatal(err)
	}
	_, err = p.Test(t.Context(), &tr.config, tr.dir, s, []float64{0}, nil)
	if !strings.HasPrefix(fmt.Sprint(err), "train: checkpoint: ") {
		t.Errorf("error %v of a checkpoint that is gone", err)
	}
}

// TestRemovedModalities predicts without some modalities: their masks keep nothing.
func TestRemovedModalities(t *testing.T) {
	tr := newTrainer(t, nil)
	p, s := newPredictor(&tr.config, tr.Learner), tr.set.Test.Subset([]int{0, 1, 2})
	for _, drop := range [][]zoo.Modality{nil, {zoo.Language}, {zoo.Audio}, {zoo.Vision},
		{zoo.Vision, zoo.Language}} {
		rates := datasets.FixedRates(3, 0.5)
		for _, m := range drop {
			*map[zoo.Modality]*[]float64{zoo.Language: &rates.Language, zoo.Audio: &rates.Audio,
				zoo.Vision: &rates.Vision}[m] = []float64{1, 1, 1}
		}
		var want datasets.Batch
		want.FillCorrupted(s, Indices(3), s.KeepMasks(rates))
		p.Predict(s, 0.5, drop)
		if got := p.batcher.data; !cmp.Equal(got, want) {
			t.Errorf("without %v: %+v, want %+v", drop, got, want)
		}
	}
}

// TestOpenPredictorErrors opens seeds whose checkpoint is gone, is another model's, or is damaged.
func TestOpenPredictorErrors(t *testing.T) {
	tr := trained(t, nil)
	path := tr.dir.File(rundir.BestFile)
	for want, change := range map[string]func(c *settings.Config){
		"train: " + path + ": ": func(c *settings.Config) { c.Device = "cpu64" },
		"train: ":               func(c *settings.Config) { c.Device = "abacus" },
	} {
		c := tr.config
		change(&c)
		if _, err := OpenPredictor(tr.dir, &c); !strings.HasPrefix(fmt.Sprint(err), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	file[len(file)-1] ^= 1
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = OpenPredictor(tr.dir, &tr.config)
	if !strings.HasPrefix(fmt.Sprint(err), "train: checkpoint: rundir: "+path) {
		t.Errorf("error %v of a damaged checkpoint", err)
	}
	if _, err := OpenPredictor(rundir.Dir(t.TempDir()), &tr.config); !strings.HasPrefix(
		fmt.Sprint(err), "results: checkpoint: ") {
		t.Errorf("error %v without a checkpoint", err)
	}
	if err := fits(filepath.Join(t.TempDir(), "x"), &tr.config, tr.Dims); !os.IsNotExist(
		errors.Unwrap(err)) {
		t.Errorf("error %v without a file", err)
	}
	large := tr.config
	dims := tr.Dims
	dims.AudioD = 1 << 20
	if err := fits(path, &large, dims); !strings.Contains(fmt.Sprint(err), "expected at most") {
		t.Errorf("error %v of a model that is too large", err)
	}
}
