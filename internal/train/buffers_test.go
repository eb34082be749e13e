package train

import (
	"bytes"
	"context"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// averaged is a model with a buffer that it does not train: the mean over time of the last batch.
type averaged struct {
	zoo.Model
	mean nn.Param // [1 d_a]
}

func (m *averaged) Phases() []zoo.Phase {
	phases := m.Model.Phases()
	ph := &phases[1]
	terms := ph.Passes[0].Terms
	ph.Passes[0].Terms = func(tp *ag.Tape, b *zoo.Batch) ([]zoo.Term, []zoo.MemoryUpdate) {
		list, updates := terms(tp, b)
		mean := tp.Mean(tp.Mean(b.Corrupted.Audio, 1), 0)
		row := tp.StopGradient(tp.Reshape(mean, 1, -1))
		return list, append(updates,
			zoo.MemoryUpdate{Memory: m.mean.Tensor, Index: []int{0}, Rows: row})
	}
	return phases
}

func (m *averaged) PredictParams() []nn.Param { return append(m.Model.PredictParams(), m.mean) }

// TestBuffersAreSavedAndRestored trains an epoch that changes a buffer, and restores the state and
// the checkpoint into a new trainer.
func TestBuffersAreSavedAndRestored(t *testing.T) {
	withBuffer := func() *trainer {
		tr := newTrainer(t, map[string]string{"train.epochs.stage1": "0"})
		tr.predictor, tr.log = newPredictor(&tr.config, tr.Learner), slog.New(slog.DiscardHandler)
		p := nn.NewParams(tr.Device, rand.New(rand.NewPCG(1, 1)))
		p.NewBuffer("running_mean", nn.Zeros, 1, tr.Dims.AudioD)
		tr.Buffers = p.Buffers()
		tr.Model = &averaged{tr.Model, tr.Buffers[0]}
		return tr
	}
	tr := withBuffer()
	if err := tr.train(context.Background()); err != nil {
		t.Fatal(err)
	}
	want := tr.Buffers[0].Values()
	if slices.Max(want) == 0 {
		t.Fatal("training did not change the buffer")
	}
	resumed := withBuffer()
	resumed.dir = tr.dir
	if at, _, err := resumed.restore(); err != nil || at.epoch != 3 ||
		!slices.Equal(resumed.Buffers[0].Values(), want) {
		t.Errorf("restored at %+v: %v, want %v; error %v", at, resumed.Buffers[0].Values(),
			want, err)
	}
	names := map[string]bool{}
	for _, p := range tr.Model.PredictParams() {
		names[p.Name] = true
	}
	if !names["running_mean"] || !tr.dir.Has(rundir.BestFile) {
		t.Error("no checkpoint with the buffer")
	}
}

// supervised has a snapshot of its supervised phase.
type supervised struct{ zoo.Model }

func (m supervised) Phases() []zoo.Phase {
	phases := m.Model.Phases()
	phases[1].Snapshot = phases[1].Params()[:1]
	return phases
}

// TestSnapshotWhenPatienceEndsAPhase trains with a learning rate so small that no epoch is better
// than the first.
func TestSnapshotWhenPatienceEndsAPhase(t *testing.T) {
	tr := newTrainer(t, map[string]string{"train.epochs.stage1": "0", "train.epochs.stage2": "6",
		"train.patience": "1", "train.lr": "1e-30", "train.schedule": "constant"})
	var log bytes.Buffer
	tr.predictor, tr.log = newPredictor(&tr.config, tr.Learner),
		slog.New(slog.NewTextHandler(&log, nil))
	tr.Model = supervised{tr.Model}
	if err := tr.train(context.Background()); err != nil {
		t.Fatal(err)
	}
	if n := len(tr.journal.Records); n != 2 || !tr.dir.Has(rundir.SnapshotFile("stage2")) {
		t.Errorf("%d epochs, want 2; snapshot: %v", n, tr.dir.Has(rundir.SnapshotFile("stage2")))
	}
	const want = `msg="no better validation any more: the phase ends" phase=stage2 patience=1`
	if strings.Count(log.String(), want) != 1 ||
		strings.Count(log.String(), "no better validation") != 1 {
		t.Errorf("the log does not say once %q:\n%s", want, &log)
	}
}
