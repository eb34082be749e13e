package train

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/datasets"
	"github.com/seed-6655bf3b/recap/internal/results"
	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/settings"
	"github.com/seed-6655bf3b/recap/internal/settings/settingstest"
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
	tr.journal.Records = all[:2]
	if err := tr.checkJournal(position{1, 1}); err == nil ||
		!strings.Contains(err.Error(), "next epoch 1 of stage2, found the end of the file") {
		t.Errorf("without stage2: error %v", err)
	}
	tr.journal.Records = slices.Concat(all, []rundir.Record{line("stage2", 2, 2)})
	if err := tr.checkJournal(position{1, 3}); err == nil ||
		!strings.Contains(err.Error(), "next epoch 3 of stage2, found the end of the file") {
		t.Errorf("without the last line: error %v", err)
	}
}

// reordered trains everything first, then the head alone.
type reordered struct{ zoo.Model }

func (m reordered) Phases() []zoo.Phase {
	phases := m.Model.Phases()
	phases[0], phases[1] = phases[1], phases[0]
	phases[1].Passes[0].Params = m.PredictParams()[2:]
	phases[1].Snapshot = nil
	return phases
}

// TestDiskUseOfTheToy counts its numbers: 12·12+12 of audio and 12+1 of the head. A state has the
// numbers that the phase trains and two moments of each.
func TestDiskUseOfTheToy(t *testing.T) {
	const audio, head = 12*12 + 12, 12 + 1
	const both = audio + head
	for _, x := range []struct {
		set       map[string]string
		peak, end int64
	}{
		{nil, 4 * (both + head + audio + 2*3*both), 4 * (both + head + audio + 3*both)},
		{map[string]string{"device": "cpu64"}, 8 * (both + head + audio + 2*3*both),
			8 * (both + head + audio + 3*both)},
		{map[string]string{"select": settings.SelectTest},
			4 * (5*both + head + audio + 2*3*both), 4 * (5*both + head + audio + 3*both)},
	} {
		tr := newTrainer(t, x.set)
		if got := tr.diskUse(&tr.config); got != (DiskUse{x.peak, x.end}) {
			t.Errorf("%v: %+v, want %d and %d", x.set, got, x.peak, x.end)
		}
	}
	tr := newTrainer(t, nil)
	tr.Model = reordered{tr.Model}
	want := DiskUse{4 * (both + audio + 2*3*both), 4 * (both + audio + 3*head)}
	if got := tr.diskUse(&tr.config); got != want {
		t.Errorf("the head last: %+v, want %+v", got, want)
	}
	tr.Buffers = tr.Params[:1]
	want = DiskUse{4 * (both + audio + 2*(3*both+144)), 4 * (both + audio + 3*head + 144)}
	if got := tr.diskUse(&tr.config); got != want {
		t.Errorf("with a buffer: %+v, want %+v", got, want)
	}
	data := &Data{Set: tr.set}
	if got, err := data.Prepare(&tr.config, slog.New(slog.DiscardHandler)); err != nil ||
		got.End != 4*(both+head+audio+3*both) {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestMomentCount counts a byte and a scale for each row and column of compact moments.
func TestMomentCount(t *testing.T) {
	tr := newTrainer(t, nil)
	p := nn.NewParams(tr.Device, rand.New(rand.NewPCG(1, 1)))
	for i, shape := range [][]int{{4, 5}, {2, 3, 4}, {3}, {}} {
		p.New(string(rune('a'+i)), nn.Zeros, shape...)
	}
	for moments, want := range map[string]int{settings.FullMoments: 2 * (20 + 24 + 3 + 1),
		settings.CompactMoments: (4*3 + 4 + 5) + (2*6 + 2 + 12) + 2*3 + 2} {
		if got := momentCount(p.All(), moments); got != want {
			t.Errorf("%s: %d, want %d", moments, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0 MB", 1: "1 MB", 1_000_000: "1 MB",
		1_000_001: "2 MB", 12_345_678: "13 MB"} {
		if got := Megabytes(n); got != want {
			t.Errorf("%d bytes: %s, want %s", n, got, want)
		}
	}
}

// TestMetadata compares those of all files that a seed leaves.
func TestMetadata(t *testing.T) {
	tr := trained(t, map[string]string{"seed": "19", "variant": "no-dropout"})
	dims, err := json.Marshal(tr.Dims)
	if err != nil {
		t.Fatal(err)
	}
	best := tr.chosen(results.Choices(&tr.config, tr.batcher.kind)[0])
	for name, at := range map[string][2]string{
		rundir.StateFile:              {"stage2", "3"},
		rundir.BestFile:               {"stage2", strconv.Itoa(best.Epoch)},
		rundir.SnapshotFile("stage1"): {"stage1", "2"},
		rundir.StartFile("stage1"):    {"stage1", "0"},
	} {
		got, err := rundir.ReadMeta(tr.dir.File(name))
		if err != nil {
			t.Fatal(err)
		}
		delete(got, "sha256")
		delete(got, "sha256_metadata")
		want := map[string]string{"dataset": "synthetic", "model": "toy", "variant": "no-dropout",
			"seed": "19", "dims": string(dims), "data_sha256": tr.origin.Hash,
			"data_utterances": "100, 40, 50", "config": tr.config.Hash(), "phase": at[0],
			"epoch": at[1]}
		if !maps.Equal(got, want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	moved := tr.config
	moved.Data.File = "/elsewhere"
	if configHash(moved, map[string]string{dataKey: "1"}) != tr.config.Hash() ||
		configHash(moved, nil) == tr.config.Hash() {
		t.Error("the path of the data is in the hash beside a hash of the data, or not without")
	}
}

// TestStatesThatDoNotFit restores states of other settings, phases and epochs.
func TestStatesThatDoNotFit(t *testing.T) {
	tr := trained(t, nil)
	path := tr.dir.File(rundir.StateFile)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	meta, err := rundir.ReadMeta(path)
	if err != nil {
		t.Fatal(err)
	}
	at, opts, err := tr.restore()
	if err != nil || at != (position{1, 3}) {
		t.Fatal(at, err)
	}
	all := tr.changing(tr.Model.Phases()[1], opts)
	const moments = ": expected moments of train.moments=%s, found those of %s; set " +
		"train.moments to %s in config.yaml or train a new run"
	const position = ": expected a phase and an epoch, found %q and %q; train a new run"
	for want, change := range map[string]func(c *settings.Config, meta map[string]string){
		fmt.Sprintf(moments, "compact", "full", "full"): func(c *settings.Config,
			_ map[string]string) {
			c.Train.Moments = settings.CompactMoments
		},
		": expected the state of the configuration beside it, found another's; restore " +
			"config.yaml or train a new run": func(c *settings.Config,
			_ map[string]string) {
			c.Train.LR *= 2
		},
		fmt.Sprintf(position, "stage3", "3"): func(_ *settings.Config, meta map[string]string) {
			meta["phase"] = "stage3"
		},
		fmt.Sprintf(position, "stage2", "x"): func(_ *settings.Config, meta map[string]string) {
			meta["epoch"] = "x"
		},
	} {
		changed, other := maps.Clone(meta), newTrainer(t, nil)
		other.dir = tr.dir
		change(&other.config, changed)
		if err := rundir.SaveTensors(path, all, changed); err != nil {
			t.Fatal(err)
		}
		if _, _, err := other.restore(); fmt.Sprint(err) != "train: "+path+want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	compact := trained(t, map[string]string{"train.moments": settings.CompactMoments})
	compact.config.Train.Moments = settings.FullMoments
	if _, _, err := compact.restore(); !strings.HasSuffix(fmt.Sprint(err), fmt.Sprintf(moments,
		"full", "compact", "compact")) {
		t.Errorf("error %v of compact moments", err)
	}
	if err := rundir.SaveTensors(path, all[1:], meta); err != nil {
		t.Fatal(err)
	}
	if _, _, err := tr.restore(); !strings.HasPrefix(fmt.Sprint(err), "train: state: "+path) {
		t.Errorf("error %v of a state without a tensor", err)
	}
	if err := errors.Join(os.WriteFile(path, whole, 0o600),
		os.Remove(tr.dir.File(rundir.JournalFile))); err != nil {
		t.Fatal(err)
	}
	if _, _, err := tr.restore(); !strings.Contains(fmt.Sprint(err), "expected a line for epoch "+
		"3 of stage2, to which state.safetensors belongs") {
		t.Errorf("error %v without the journal", err)
	}
}

// TestStateOfTheFirstPhase restores it with what the phase does not train, which is in a file of
// its own, or in the state itself as in version 0.1.
func TestStateOfTheFirstPhase(t *testing.T) {
	for _, old := range []bool{false, true} {
		tr := newTrainer(t, nil)
		var err error
		tr.journal, err = rundir.OpenJournal(tr.dir.File(rundir.JournalFile), "", 0)
		if err != nil {
			t.Fatal(err)
		}
		ph := tr.Model.Phases()[0]
		opts := tr.begin(ph)
		opts[0].Step(ag.Grads{ph.Params()[0].Tensor: ag.NewTensor(tr.Device,
			slices.Repeat([]float64{1}, 144), 12, 12)})
		if err := errors.Join(tr.journal.Append(rundir.Record{Phase: "stage1", Epoch: 1}),
			tr.saveStart(ph), tr.saveState(ph, opts, 1)); err != nil {
			t.Fatal(err)
		}
		start := tr.dir.File(rundir.StartFile("stage1"))
		if old {
			meta := tr.metadata("stage1", 1)
			delete(meta, dataKey)
			delete(meta, utterancesKey)
			if err := errors.Join(os.Remove(start), rundir.SaveTensors(
				tr.dir.File(rundir.StateFile), slices.Concat(tr.fixed(ph), tr.changing(ph, opts)),
				meta)); err != nil {
				t.Fatal(err)
			}
		}
		again := newTrainer(t, map[string]string{"seed": "1111"})
		again.dir = tr.dir
		for _, p := range again.Params {
			p.Multiply(2)
		}
		at, restored, err := again.restore()
		if err != nil || at != (position{0, 1}) || !slices.Equal(values(again.Params),
			values(tr.Params)) || !slices.Equal(values(moments(ph, restored)),
			values(moments(ph, opts))) {
			t.Errorf("old %v: restored at %+v: %v", old, at, err)
		}
		if p := again.meter.now; p.SavedPhase != "stage1" || p.SavedEpoch != 1 {
			t.Errorf("old %v: %+v", old, p)
		}
		if !tr.dir.Has(rundir.StartFile("stage1")) {
			t.Errorf("old %v: no start file", old)
		}
		if err := os.Remove(start); err != nil {
			t.Fatal(err)
		}
		if old {
			if err := os.Mkdir(start, 0o755); err != nil {
				t.Fatal(err)
			}
			if _, _, err := again.restore(); !strings.HasPrefix(fmt.Sprint(err), "rundir: ") {
				t.Errorf("error %v where the start file cannot be written", err)
			}
			all, meta := tr.changing(ph, opts), tr.metadata("stage1", 1)
			delete(meta, dataKey)
			err := rundir.SaveTensors(tr.dir.File(rundir.StateFile), all, meta)
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := again.restore(); !strings.HasPrefix(fmt.Sprint(err), "train: state: ") {
				t.Errorf("error %v of an old state without the head", err)
			}
		} else {
			_, _, err := again.restore()
			if !strings.HasPrefix(fmt.Sprint(err), "train: what stage1 does not train: ") ||
				!strings.HasSuffix(fmt.Sprint(err), "; restore the file from a copy, or train a "+
					"new run") {
				t.Errorf("error %v without the start file", err)
			}
		}
	}
}

// TestFrozenTextEncoderIsNotSaved needs the parameters of other parts only.
func TestFrozenTextEncoderIsNotSaved(t *testing.T) {
	frozen := &nn.BERTConfig{Width: 8, Layers: 1, Heads: 2, FeedForward: 8, Types: 2, Eps: 1e-12}
	for _, bert := range []*nn.BERTConfig{frozen, nil} {
		tr, _ := newWatched(t, settingstest.Small(t, "recap"), bert)
		for _, p := range tr.fixed(tr.Model.Phases()[1]) {
			if !slices.Contains(tr.Model.PredictParams(), p) {
				t.Errorf("stage2 saves %s, which nothing needs any more", p.Name)
			}
		}
		saved, all := 0, tr.Model.TextEncoder().Params.All()
		needed := tr.neededFrom(tr.Model.Phases()[0])
		for _, p := range all {
			if slices.Contains(needed, p) {
				saved++
			}
		}
		if want := map[bool]int{true: 0, false: len(all)}[bert != nil]; saved != want ||
			len(needed) == saved {
			t.Errorf("frozen %v: %d of %d parameters of the text encoder are needed, %d in all",
				bert != nil, saved, len(all), len(needed))
		}
	}
}

// TestChosen finds the epoch whose parameters are the checkpoint.
func TestChosen(t *testing.T) {
	tr := newTrainer(t, nil)
	tr.Model = bothSupervised{tr.Model}
	line := func(phase string, epoch int, mae float64) rundir.Record {
		return rundir.Record{Phase: phase, Epoch: epoch, Valid: rundir.Numbers{"MAE": mae}}
	}
	best := tr.dir.File(rundir.BestFile)
	for _, x := range []struct {
		records []rundir.Record
		phase   string // of the checkpoint; "" for none
		epoch   int
	}{
		{nil, "", 0}, {[]rundir.Record{{Phase: "stage1", Epoch: 1}}, "", 0},
		{[]rundir.Record{line("stage1", 1, math.NaN())}, "", 0},
		{[]rundir.Record{line("stage1", 1, math.NaN()), line("stage1", 2, 3)}, "stage1", 2},
		{[]rundir.Record{line("stage1", 1, 3), line("stage1", 2, 2), line("stage1", 3, 2),
			line("stage1", 4, 5)}, "stage1", 2},
		{[]rundir.Record{line("stage1", 1, 1), line("stage2", 1, 5), line("stage2", 2, 6)},
			"stage2", 1},
	} {
		tr.journal = &rundir.Journal{Records: x.records}
		want := "<nil>"
		if x.phase != "" {
			want = fmt.Sprintf("train: %s: expected the checkpoint of epoch %d of %s, which was "+
				"selected by MAE, found none; restore the file from a copy, or train a new run",
				best, x.epoch, x.phase)
		}
		if err := tr.checkChosen(); fmt.Sprint(err) != want {
			t.Errorf("%v: error %v, want %s", x.records, err, want)
		}
	}
	if err := rundir.SaveTensors(best, nil, nil); err != nil {
		t.Fatal(err)
	}
	if err := tr.checkChosen(); err != nil {
		t.Error(err)
	}
}

// TestValidate saves a checkpoint if the epoch is better than those before it, and has the scores
// of both splits if the test split selects.
func TestValidate(t *testing.T) {
	for _, x := range []struct {
		set    map[string]string
		before float64 // MAE of the epoch before; NaN: there is none
		saved  bool
	}{
		{nil, math.NaN(), true}, {nil, 1e6, true}, {nil, 0, false},
		{map[string]string{"select": settings.SelectTest}, math.NaN(), true},
		{map[string]string{"data.classes": "3"}, math.NaN(), true},
	} {
		tr := newTrainer(t, x.set)
		tr.predictor = newPredictor(&tr.config, tr.Learner)
		tr.journal = &rundir.Journal{}
		if !math.IsNaN(x.before) {
			tr.journal.Records = []rundir.Record{{Phase: "stage2", Epoch: 1,
				Valid: rundir.Numbers{"MAE": x.before}}}
		}
		r := rundir.Record{Phase: "stage2", Epoch: 2}
		if err := tr.validate(&r); err != nil {
			t.Fatal(err)
		}
		want := func(s *datasets.Split) rundir.Numbers {
			p := tr.predictor.Predict(s, 0.5, nil)
			n := rundir.Numbers(p.Evaluate(tr.batcher.kind, tr.Dims.Classes))
			if tr.Dims.Classes > 0 {
				n["loss"] = p.Loss
			}
			return n
		}
		tested := tr.config.Select == settings.SelectTest
		if !maps.Equal(r.Valid, want(tr.set.Valid)) || (r.Test != nil) != tested ||
			tested && !maps.Equal(r.Test, want(tr.set.Test)) {
			t.Errorf("%v: %v and %v", x.set, r.Valid, r.Test)
		}
		for _, c := range results.Choices(&tr.config, tr.batcher.kind) {
			if tr.dir.Has(c.File(rundir.BestFile)) != x.saved {
				t.Errorf("%v, MAE %g before: checkpoint of %s: %v", x.set, x.before, c.Metric,
					!x.saved)
			}
		}
	}
}

// TestDiverged says which number is not as it must be, and where the last good state is.
func TestDiverged(t *testing.T) {
	const end = "; a smaller train.lr or train.clip=1 may help. No epoch was finished before"
	for _, x := range []struct {
		set   map[string]string
		value float64 // of the predictions
		want  string
	}{
		{nil, math.NaN(), "prediction for utterance ID: expected a finite number, found NaN"},
		{nil, math.Inf(-1), "prediction for utterance ID: expected a finite number, found -Inf"},
		{nil, math.Inf(1), "prediction for utterance ID: expected a finite number, found +Inf"},
		{map[string]string{"data.classes": "3"}, math.NaN(),
			"validation loss: expected a finite number, found NaN"},
	} {
		tr := newTrainer(t, x.set)
		tr.predictor = newPredictor(&tr.config, tr.Learner)
		bias := tr.Params[len(tr.Params)-1]
		bias.Assign(slices.Repeat([]float64{x.value}, bias.Len()))
		want := "train: phase stage2, epoch 4, " + strings.Replace(x.want, "ID",
			tr.set.Valid.ID[0], 1) + end
		if err := tr.validate(&rundir.Record{Phase: "stage2", Epoch: 4}); fmt.Sprint(err) != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	tr := newTrainer(t, map[string]string{"select": settings.SelectTest})
	tr.predictor = newPredictor(&tr.config, tr.Learner)
	tr.set.Test.Audio.X = slices.Repeat([]float32{float32(math.Inf(1))}, len(tr.set.Test.Audio.X))
	want := "train: phase stage2, epoch 4, prediction for utterance " + tr.set.Test.ID[0]
	if err := tr.validate(&rundir.Record{Phase: "stage2", Epoch: 4}); !strings.HasPrefix(
		fmt.Sprint(err), want) {
		t.Errorf("error %v, want %s", err, want)
	}
	tr = newTrainer(t, map[string]string{"train.lr": "1e9", "train.schedule": "constant"})
	tr.log = slog.New(slog.DiscardHandler)
	want = "train: phase stage1, epoch 1, root mean square of parameter audio.weight: expected"
	if err := tr.train(t.Context()); !strings.HasPrefix(fmt.Sprint(err), want) ||
		tr.dir.Has(rundir.StateFile) {
		t.Errorf("error %v, want %s", err, want)
	}
	tr = newTrainer(t, nil)
	p := tr.Params[0]
	p.Assign(slices.Repeat([]float64{1 << 21}, p.Len()))
	want = "train: phase stage1, epoch 2, root mean square of parameter " + p.Name +
		": expected at most 1e+06, found 2.097152e+06" + end
	if err := tr.checkParams(tr.Model.Phases()[0], 2); fmt.Sprint(err) != want {
		t.Errorf("error %v, want %s", err, want)
	}
	tr = newTrainer(t, map[string]string{"nan_from": "5"})
	tr.predictor, tr.log = newPredictor(&tr.config, tr.Learner), slog.New(slog.DiscardHandler)
	want = "train: phase stage2, epoch 2, step 2: term task: expected a finite number, found " +
		"NaN; a smaller train.lr or train.clip=1 may help. The last good state is " +
		tr.dir.File(rundir.StateFile)
	if err := tr.train(t.Context()); fmt.Sprint(err) != want || len(tr.journal.Records) != 3 {
		t.Errorf("error %v, want %s", err, want)
	}
}

// TestNoEpochIsSelected trains no epoch of the phase that validates: the parameters are saved as
// they are, with a warning.
func TestNoEpochIsSelected(t *testing.T) {
	tr := newTrainer(t, map[string]string{"train.epochs.stage2": "0", "train.epochs.stage1": "1",
		"select": settings.SelectTest})
	var log bytes.Buffer
	tr.predictor = newPredictor(&tr.config, tr.Learner)
	tr.log = slog.New(slog.NewTextHandler(&log, nil))
	if err := tr.train(t.Context()); err != nil {
		t.Fatal(err)
	}
	meta, err := rundir.ReadMeta(tr.dir.File(rundir.BestFile))
	if err != nil || meta["phase"] != "" || meta["epoch"] != "0" || !strings.Contains(log.String(),
		`level=WARN msg="no epoch was selected by validation; the last is saved" score=MAE`) {
		t.Errorf("%v, %v, log %s", meta, err, &log)
	}
	want := values(tr.Model.PredictParams())
	for _, p := range tr.Params {
		p.Multiply(2)
	}
	err = rundir.LoadTensors(tr.dir.File(rundir.BestFile), tr.Model.PredictParams())
	if err != nil ||
		!slices.Equal(values(tr.Model.PredictParams()), want) {
		t.Errorf("the checkpoint does not have the last parameters (%v)", err)
	}
	log.Reset()
	if err := tr.saveUnchosen(); err != nil || log.Len() > 0 {
		t.Errorf("again: %v, log %s", err, &log)
	}
	choices := results.Choices(&tr.config, tr.batcher.kind)
	last := tr.dir.File(choices[len(choices)-1].File(rundir.BestFile))
	if err := os.Remove(last); err != nil {
		t.Fatal(err)
	}
	if err := tr.saveUnchosen(); err != nil || strings.Count(log.String(), "level=WARN") != 1 {
		t.Errorf("without the last checkpoint: %v, log %s", err, &log)
	}
	if _, err := os.Stat(last); err != nil {
		t.Error(err)
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
