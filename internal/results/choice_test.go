package results

import (
	"math"
	"slices"
	"testing"

	"github.com/seed-6655bf3b/recap/internal/metric"
	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/settings"
)

func TestSelectedScore(t *testing.T) {
	valid := func(phase string, mae float64) rundir.Record {
		return rundir.Record{Phase: phase, Valid: rundir.Numbers{"MAE": mae}}
	}
	c := Choice{Metric: "MAE"}
	for _, k := range []struct {
		records []rundir.Record
		want    float64
	}{
		{[]rundir.Record{valid("a", 0.1), valid("b", 0.5), valid("b", 0.3), valid("b", 0.4)}, 0.3},
		{[]rundir.Record{valid("a", math.NaN()), valid("a", 0.7), {Phase: "b"}}, 0.7},
		{[]rundir.Record{{Phase: "a"}}, math.NaN()},
		{nil, math.NaN()},
	} {
		got := c.SelectedScore(k.records)
		if got != k.want && !(math.IsNaN(got) && math.IsNaN(k.want)) {
			t.Errorf("%v: selected score %g, want %g", k.records, got, k.want)
		}
	}
}

// TestScoreIsRoundedOnTest rounds to four decimals on the test split, as the literature's code.
func TestScoreIsRoundedOnTest(t *testing.T) {
	r := &rundir.Record{Valid: rundir.Numbers{"MAE": 0.123456},
		Test: rundir.Numbers{"MAE": 0.987654}}
	if got := (Choice{Metric: "MAE"}).Score(r); got != 0.123456 {
		t.Errorf("validation score %g, want 0.123456", got)
	}
	if got := (Choice{Metric: "MAE", onTest: true}).Score(r); got != 0.9877 {
		t.Errorf("test score %g, want 0.9877", got)
	}
}

// TestChoices checks which checkpoints are selected by which score, and the names of their files.
func TestChoices(t *testing.T) {
	r := &rundir.Record{Valid: rundir.Numbers{"MAE": 1, "Mult_acc_7": 1, "loss": 1},
		Test: rundir.Numbers{"MAE": 2, "Mult_acc_7": 2, "loss": 2}}
	for _, c := range []struct {
		config settings.Config
		score  float64
		first  []string // files
	}{
		{settings.Config{Select: settings.SelectValid}, 1, []string{"best.safetensors"}},
		{settings.Config{Select: settings.SelectValid, Data: settings.DataConfig{Classes: 3}}, 1,
			[]string{"best.safetensors"}},
		{settings.Config{Select: settings.SelectTest}, 2, []string{"best.safetensors",
			"best-Has0_acc_2.safetensors"}},
	} {
		all := Choices(&c.config, metric.MOSI)
		var files []string
		for _, choice := range all[:len(c.first)] {
			files = append(files, choice.File("best.safetensors"))
		}
		if got := all[0].Score(r); got != c.score || !slices.Equal(files, c.first) {
			t.Errorf("%+v: score %g, files %q, want %g and %q", c.config, got, files, c.score,
				c.first)
		}
	}
}

// TestOfMetric checks that every metric is computed from the predictions that Merge takes for it.
func TestOfMetric(t *testing.T) {
	c := settings.Config{Select: settings.SelectTest}
	var tested [][]*Predictions
	for i := range Choices(&c, metric.MOSI) {
		shift := float32(i) * 0.4
		tested = append(tested, []*Predictions{{Label: []float32{-2, -0.3, 0, 0.6, 1, 2.2},
			Score: []float32{-1 + shift, -0.1, -0.2 + shift, 0.4 - shift, 1.6, 2 - shift}}})
	}
	for key, want := range Merge(&c, metric.MOSI, tested)[0] {
		got := OfMetric(&c, metric.MOSI, tested, key)[0].Evaluate(metric.MOSI, 0)[key]
		if got != want {
			t.Errorf("%s: %g, want %g", key, got, want)
		}
	}
}
