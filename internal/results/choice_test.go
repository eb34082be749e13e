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
	onValid := settings.Config{Select: settings.SelectValid}
	onTest := settings.Config{Select: settings.SelectTest}
	classes := settings.Config{Select: settings.SelectTest, Data: settings.DataConfig{Classes: 3}}
	for _, c := range []struct {
		config settings.Config
		kind   metric.Kind
		want   []string // metric, split, file
	}{
		{onValid, metric.MOSI, []string{"MAE valid best.safetensors"}},
		{onValid, metric.SIMS, []string{"MAE valid best.safetensors"}},
		{classes, metric.MOSI, []string{"loss valid best.safetensors"}},
		{onTest, metric.MOSI, []string{"MAE test best.safetensors",
			"Has0_acc_2 test best-Has0_acc_2.safetensors",
			"Non0_acc_2 test best-Non0_acc_2.safetensors",
			"Mult_acc_5 test best-Mult_acc_5.safetensors",
			"Mult_acc_7 test best-Mult_acc_7.safetensors"}},
		{onTest, metric.SIMS, []string{"MAE test best.safetensors",
			"Mult_acc_2 test best-Mult_acc_2.safetensors",
			"Mult_acc_3 test best-Mult_acc_3.safetensors",
			"Mult_acc_5 test best-Mult_acc_5.safetensors"}},
	} {
		var got []string
		for _, choice := range Choices(&c.config, c.kind) {
			split := map[float64]string{1: "valid", 2: "test"}[choice.Score(&rundir.Record{
				Valid: rundir.Numbers{choice.Metric: 1}, Test: rundir.Numbers{choice.Metric: 2}})]
			got = append(got,
				choice.Metric+" "+split+" "+choice.File("best.safetensors"))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s, kind %v: %q, want %q", c.config.Select, c.kind, got, c.want)
		}
	}
}

// TestBestEpoch takes the smallest loss and MAE and the largest accuracy of a phase.
func TestBestEpoch(t *testing.T) {
	epoch := func(phase string, v float64) rundir.Record {
		return rundir.Record{Phase: phase,
			Valid: rundir.Numbers{"MAE": v, "loss": v, "Mult_acc_7": v}}
	}
	records := []rundir.Record{epoch("first", 4), epoch("b", math.NaN()), epoch("b", 2),
		epoch("b", 3), epoch("a", 0), epoch("a", 9), epoch("b", 1)}
	for key, want := range map[string]float64{"MAE": 1, "loss": 1, "Mult_acc_7": 3} {
		c := Choice{Metric: key}
		if got := c.Best(records, "b"); got != want {
			t.Errorf("%s: %g, want %g", key, got, want)
		}
		if got := c.Best(records, "first"); got != 4 {
			t.Errorf("%s of one epoch: %g, want 4", key, got)
		}
		if got := c.Best(records, "c"); !math.IsNaN(got) {
			t.Errorf("%s without an epoch: %g", key, got)
		}
	}
}
