package train

import (
	"bytes"
	"context"
	"encoding/binary"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed-6655bf3b/recap/internal/results"
	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/settings"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// trained returns a trainer that has made all epochs.
func trained(t *testing.T, set map[string]string) *trainer {
	t.Helper()
	tr := newTrainer(t, set)
	tr.predictor, tr.log = newPredictor(&tr.config, tr.Learner), slog.New(slog.DiscardHandler)
	if err := tr.train(context.Background()); err != nil {
		t.Fatal(err)
	}
	return tr
}

// values returns the elements of all tensors.
func values(ps []nn.Param) (all []float64) {
	for _, p := range ps {
		all = append(all, p.Values()...)
	}
	return all
}

// TestValidationMustBeFinite saves neither a checkpoint nor a state of a model that predicts no
// numbers.
func TestValidationMustBeFinite(t *testing.T) {
	for _, classes := range []string{"0", "3"} {
		tr := trained(t, map[string]string{"data.classes": classes})
		best := tr.dir.File(rundir.BestFile)
		if err := os.Remove(best); err != nil {
			t.Fatal(err)
		}
		for _, p := range tr.Model.PredictParams() {
			p.Multiply(math.NaN())
		}
		err := tr.validate(&rundir.Record{Phase: "stage2", Epoch: 4})
		if err == nil || !strings.Contains(err.Error(), "phase stage2, epoch 4, ") ||
			!strings.Contains(err.Error(), "expected a finite number, found NaN") {
			t.Errorf("%s classes: error %v", classes, err)
		}
		if tr.dir.Has(rundir.BestFile) {
			t.Errorf("%s classes: the parameters were selected", classes)
		}
	}
}

// TestFlippedBitsOfARun flips random bits of the state and of the checkpoint of a run: each is
// either refused or changes nothing.
func TestFlippedBitsOfARun(t *testing.T) {
	tr := trained(t, nil)
	at, opts, err := tr.restore()
	if err != nil {
		t.Fatal(err)
	}
	ph := tr.Model.Phases()[at.phase]
	want := values(tr.changing(ph, opts))
	again := newTrainer(t, nil)
	again.dir = tr.dir
	rng := rand.New(rand.NewPCG(1, 2))
	flip(t, tr.dir.File(rundir.StateFile), rng, func(bit int) bool {
		found, opts, err := again.restore()
		if err != nil {
			return false
		}
		if found != at || !slices.Equal(values(again.changing(ph, opts)), want) {
			t.Errorf("state: bit %d changes what is restored", bit)
		}
		return true
	})
	best := tr.dir.File(rundir.BestFile)
	if err := rundir.LoadTensors(best, tr.Model.PredictParams()); err != nil {
		t.Fatal(err)
	}
	want = values(tr.Model.PredictParams())
	flip(t, best, rng, func(bit int) bool {
		dims, err := results.Dims(tr.dir)
		if err != nil || rundir.LoadTensors(best, again.Model.PredictParams()) != nil {
			return false
		}
		if dims != tr.Dims || !slices.Equal(values(again.Model.PredictParams()), want) {
			t.Errorf("checkpoint: bit %d changes what is loaded", bit)
		}
		return true
	})
}

// flip flips 200 random bits of a file, one at a time, and calls read, which reports whether the
// file was accepted. At last it restores the file.
func flip(t *testing.T, path string, rng *rand.Rand, read func(bit int) bool) {
	t.Helper()
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	accepted := 0
	for range 200 {
		bit := rng.IntN(8 * len(file))
		flipped := slices.Clone(file)
		flipped[bit/8] ^= 1 << (bit % 8)
		if err := os.WriteFile(path, flipped, 0o644); err != nil {
			t.Fatal(err)
		}
		if read(bit) {
			accepted++
		}
	}
	if accepted > 100 {
		t.Errorf("%s: %d of 200 damaged files were accepted", path, accepted)
	}
	if err := os.WriteFile(path, file, 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestStateHasWhatThePhaseChanges checks which tensors are in which file: the toy trains audio in
// stage1, and everything in stage2.
func TestStateHasWhatThePhaseChanges(t *testing.T) {
	tr := newTrainer(t, nil)
	phases := tr.Model.Phases()
	names := func(ps []nn.Param) (list []string) {
		for _, p := range ps {
			list = append(list, p.Name)
		}
		return list
	}
	if got := names(tr.fixed(phases[0])); !slices.Equal(got,
		[]string{"head.weight", "head.bias"}) {
		t.Errorf("the start file of stage1 has %v", got)
	}
	if got := tr.fixed(phases[1]); len(got) > 0 {
		t.Errorf("the start file of stage2 has %v", names(got))
	}
	for _, name := range names(tr.changing(phases[0], tr.begin(phases[0]))) {
		if strings.Contains(name, "head") {
			t.Errorf("the state of stage1 has %s", name)
		}
	}
}

// TestLostLines removes each line of the journal and the checkpoint of a run.
func TestLostLines(t *testing.T) {
	tr := trained(t, map[string]string{"train.epochs.stage1": "2", "train.epochs.stage2": "3"})
	path := tr.dir.File(rundir.JournalFile)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(text, []byte("\n"))
	for i, want := range []string{"next epoch 1 of stage1, found epoch 2 of stage1",
		"next epoch 2 of stage1, found epoch 1 of stage2",
		"next epoch 1 of stage2, found epoch 2 of stage2",
		"next epoch 2 of stage2, found epoch 3 of stage2", "a line for epoch 3 of stage2"} {
		lost := slices.Concat(lines[:i:i], lines[i+1:])
		if err := os.WriteFile(path, bytes.Join(lost, nil), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, _, err := tr.restore(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("without line %d: error %v, want %q", i+1, err, want)
		}
	}
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, _, err := tr.restore(); err != nil {
		t.Error("with all lines:", err)
	}
	if err := os.Remove(tr.dir.File(rundir.BestFile)); err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{"restore": func() error {
		_, _, err := tr.restore()
		return err
	}(), "the end": tr.saveUnchosen()} {
		if err == nil || !strings.Contains(err.Error(), "expected the checkpoint of epoch") {
			t.Errorf("%s without the checkpoint: error %v", what, err)
		}
	}
}

// bothSupervised validates both phases.
type bothSupervised struct{ zoo.Model }

func (m bothSupervised) Phases() []zoo.Phase {
	phases := m.Model.Phases()
	phases[0].Supervised = true
	return phases
}

// TestLostLinesWithPatience accepts a phase that early stopping ended, but not without its last
// line.
func TestLostLinesWithPatience(t *testing.T) {
	tr := newTrainer(t, map[string]string{"train.epochs.stage1": "5", "train.patience": "1"})
	tr.Model = bothSupervised{tr.Model}
	line := func(phase string, epoch int, mae float64) rundir.Record {
		return rundir.Record{Phase: phase, Epoch: epoch, Valid: rundir.Numbers{"MAE": mae}}
	}
	all := []rundir.Record{line("stage1", 1, 1), line("stage1", 2, 2), line("stage2", 1, 1)}
	tr.journal = &rundir.Journal{Records: all}
	if err := tr.checkJournal(position{1, 1}); err != nil {
		t.Error(err)
	}
	tr.journal.Records = slices.Concat(all[:1], all[2:])
	if err := tr.checkJournal(position{1, 1}); err == nil ||
		!strings.Contains(err.Error(), "next epoch 2 of stage1, found epoch 1 of stage2") {
		t.Errorf("without the last line of stage1: error %v", err)
	}
}

// TestDiskUse compares the estimate with the files of a run.
func TestDiskUse(t *testing.T) {
	var dir rundir.Dir
	for _, moments := range []string{settings.CompactMoments, settings.FullMoments} {
		tr := trained(t, map[string]string{"train.moments": moments})
		dir = tr.dir
		found := int64(0)
		paths, _ := filepath.Glob(dir.File("*.safetensors"))
		for _, path := range paths {
			file, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			header := 8 + int(binary.LittleEndian.Uint64(file))
			found += int64(len(file) - header)
		}
		use := tr.diskUse(&tr.config)
		const counters = 16 // bytes of the numbers of steps
		if use.End > found || found > use.End+counters {
			t.Errorf("%s: estimated %d bytes of tensors, found %d", moments, use.End, found)
		}
		if use.Peak <= use.End {
			t.Errorf("%s: at most %d bytes, but %d at the end", moments, use.Peak, use.End)
		}
	}
	err := rundir.CheckSpace(string(dir)+"/no/such", 1<<60)
	if _, statfs := os.Stat("/proc"); statfs == nil &&
		(err == nil || !strings.Contains(err.Error(), "MB of free disk space")) {
		t.Errorf("an exabyte is free: %v", err)
	}
}
