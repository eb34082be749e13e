package train

import (
	"context"
	"log/slog"
	"math"
	"testing"
	"time"

	"github.com/seed-6655bf3b/recap/internal/results"
	"github.com/seed-6655bf3b/recap/internal/settings"
)

// TestMeter counts the work of a seed in which a training step takes 40 ms for an utterance, a
// prediction 30 ms.
func TestMeter(t *testing.T) {
	var p Progress
	m := NewMeter()
	m.report = func(now Progress) { p = now }
	m.phases["stage1"] = &work{left: 100, total: 100}
	m.phases["stage2"] = &work{left: 300, total: 300}
	m.tests = work{left: 60, total: 60}
	m.now.Phase, m.epochTraining, m.epochTests = "stage1", 20, 6
	near := func(what string, got time.Duration, want float64) {
		t.Helper()
		if math.Abs(got.Seconds()-want) > 0.05*want {
			t.Errorf("%s is %v, want %g s", what, got, want)
		}
	}
	atLeast := func(want bool, left, whole float64) {
		t.Helper()
		near("the rest of the seed", p.Left.Time, left)
		near("the seed", p.Whole.Time, whole)
		if p.Left.AtLeast != want || p.Whole.AtLeast != want {
			t.Errorf("%+v, %+v, want at least: %v", p.Left, p.Whole, want)
		}
	}
	ago := func(ms int) { m.last = time.Now().Add(-time.Duration(ms) * time.Millisecond) }

	ago(10 * 40)
	m.trained("stage1", 10, 1)
	atLeast(true, 0, 0)
	// a prediction is estimated as a third
	near("the rest of the epoch", p.EpochLeft, 10*0.04+6*0.04/3)
	if p.Step != 1 || p.Done < 0.023 || p.Done > 0.024 || p.Measured {
		t.Errorf("after the first step: %+v", p)
	}
	ago(6 * 30)
	m.predicted(6)
	near("the rest of the epoch", p.EpochLeft, 10*0.04)
	if p.Step != 0 {
		t.Errorf("in the validation: %+v", p)
	}
	m.saved("stage1", 1)
	ago(10 * 40)
	m.trained("stage1", 10, 2)
	atLeast(true, 80*0.04+54*0.03, 100*0.04+60*0.03)
	if !p.Measured {
		t.Errorf("after an epoch of stage1: %+v", p)
	}
	m.now.Phase, m.epochTraining, m.epochTests = "stage2", 40, 0
	ago(20 * 100) // stage2 takes more time than stage1
	m.trained("stage2", 20, 1)
	near("the rest of the epoch", p.EpochLeft, 20*0.1)
	if !p.Left.AtLeast || p.Measured {
		t.Errorf("in the first epoch of stage2: %+v", p)
	}
	m.saved("stage2", 1)
	ago(20 * 100)
	m.trained("stage2", 20, 2)
	atLeast(false, 80*0.04+260*0.1+54*0.03, 100*0.04+300*0.1+60*0.03)
	two := p.Left.Add(2, p.Whole)
	near("the rest of three seeds", two.Time, 80*0.04+260*0.1+54*0.03+2*(4+30+1.8))
}

// TestProgressOfASeed trains and tests a seed. The meter counts all of its work, no more and no
// less, also if a phase ends early, and if the test split is used in each epoch.
func TestProgressOfASeed(t *testing.T) {
	for _, c := range []struct{ patience, by string }{{"0", "valid"}, {"1", "valid"},
		{"0", settings.SelectTest}} {
		tr := newTrainer(t, map[string]string{"train.lr": "1e-30", "train.patience": c.patience,
			"train.schedule": "constant", "select": c.by})
		tr.log = slog.New(slog.DiscardHandler)
		tr.predictor = newPredictor(&tr.config, tr.Learner)
		tr.predictor.OnBatch = tr.meter.predicted
		var all []Progress
		tr.meter.report = func(p Progress) { all = append(all, p) }
		tr.plan(2)
		if err := tr.train(context.Background()); err != nil {
			t.Fatal(err)
		}
		trained := len(all)
		for i, p := range all {
			if p.Done < 0 || p.Done >= 1 || p.Left.AtLeast != (p.SavedPhase != "stage2") ||
				p.Measured != (p.SavedPhase == p.Phase) || p.Left == (Estimate{}) {
				t.Errorf("%v, report %d: %+v", c, i, p)
			}
		}
		if err := tr.test(context.Background(), []float64{0, 0.5}); err != nil {
			t.Fatal(err)
		}
		p := all[len(all)-1]
		rates := 2 * len(results.Choices(&tr.config, tr.batcher.kind)) // of all checkpoints
		if p.Phase != TestPhase || p.Epoch != rates || p.Epochs != rates || p.Done != 1 ||
			p.Left != (Estimate{}) ||
			p.EpochLeft != 0 || p.SavedPhase != "stage2" || len(all) == trained {
			t.Errorf("%v, at the end: %+v", c, p)
		}
		if p := all[trained-1]; p.Phase != "stage2" || p.EpochLeft != 0 {
			t.Errorf("%v, after the last validation: %+v", c, p)
		}
		for i, p := range all[trained:] {
			if !p.Measured || (p.Done == 1) != (trained+i == len(all)-1) {
				t.Errorf("%v, report %d of the test: %+v", c, i, p)
			}
		}
	}
}

// TestSecondsCountEverything compares the times in the journal with the time on the clock.
func TestSecondsCountEverything(t *testing.T) {
	tr := newTrainer(t, nil)
	tr.log, tr.predictor = slog.New(slog.DiscardHandler), newPredictor(&tr.config, tr.Learner)
	slow := 0
	tr.predictor.OnBatch = func(int) { // a slow validation
		time.Sleep(20 * time.Millisecond)
		slow++
	}
	start := time.Now()
	if err := tr.train(context.Background()); err != nil {
		t.Fatal(err)
	}
	whole, sum := time.Since(start).Seconds(), 0.
	for _, r := range tr.journal.Records {
		sum += r.Seconds
	}
	if sum > whole || sum < 0.02*float64(slow) || slow == 0 {
		t.Errorf("the epochs take %g s, %d slow batches; the training takes %g s", sum, slow,
			whole)
	}
}

// TestMeterCountsOnce counts the time since the last step, not that before.
func TestMeterCountsOnce(t *testing.T) {
	m := NewMeter()
	m.report = func(Progress) {}
	m.last = time.Now().Add(-time.Second)
	m.trained("stage1", 10, 1)
	m.trained("stage1", 10, 2)
	if got := m.phases["stage1"].took.Seconds(); got < 1 || got > 1.5 {
		t.Errorf("%g s, want a second", got)
	}
	m = NewMeter()
	m.report = func(Progress) {}
	m.tests.left, m.last = 2, time.Now().Add(-time.Second)
	m.predicted(1)
	if p := m.now.Left; p.AtLeast || p.Time < time.Second || p.Time > 1500*time.Millisecond {
		t.Errorf("one prediction of two: %+v left, want a second", p)
	}
}

// TestEstimates adds work whose time is known or not.
func TestEstimates(t *testing.T) {
	second, unknown := Estimate{time.Second, false}, Estimate{time.Second, true}
	for _, x := range []struct {
		n    int
		e    Estimate
		want Estimate
	}{{0, unknown, second}, {1, unknown, Estimate{2 * time.Second, true}},
		{2, second, Estimate{3 * time.Second, false}}, {0, second, second}} {
		if got := second.Add(x.n, x.e); got != x.want {
			t.Errorf("%d times %+v: %+v, want %+v", x.n, x.e, got, x.want)
		}
	}
	if got := unknown.Add(1, second); got != (Estimate{2 * time.Second, true}) {
		t.Errorf("%+v", got)
	}
	for n, want := range map[int]Estimate{0: {}, 1: {0, true}} {
		var e Estimate
		if e.add(false, 5, n); e != want {
			t.Errorf("%d utterances without a measurement: %+v, want %+v", n, e, want)
		}
	}
}

// TestPlan counts the utterances of a seed: in each epoch those that the phase trains on and
// validates, and the test split at each rate by each checkpoint. A meter may have had another seed.
func TestPlan(t *testing.T) {
	for by, want := range map[string][3]int{"valid": {80, 120, 3*40 + 2*40},
		settings.SelectTest: {80, 120, 3*80 + 2*40*5}} {
		tr := newTrainer(t, map[string]string{"select": by})
		tr.meter.now = Progress{Phase: TestPhase, SavedEpoch: 3}
		tr.plan(2)
		m := tr.meter
		a, b := m.phases["stage1"], m.phases["stage2"]
		if m.now != (Progress{}) || [3]int{a.left, b.left, m.tests.left} != want ||
			[3]int{a.total, b.total, m.tests.total} != want {
			t.Errorf("%s: %+v, %+v, %+v, %+v; want %v", by, m.now, a, b, m.tests, want)
		}
		tr.skip(tr.Model.Phases()[1], 2)
		each := map[string]int{"valid": 40, settings.SelectTest: 80}[by]
		if b.left != 40 || a.left != 80 || m.tests.left != want[2]-2*each {
			t.Errorf("%s, after two epochs: %+v, %+v, %+v", by, a, b, m.tests)
		}
	}
}
