package train

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"time"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/datasets"
	"github.com/seed-6655bf3b/recap/internal/results"
	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/settings"
	"github.com/seed-6655bf3b/recap/internal/version"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
	"github.com/seed-6655bf3b/recap/optim"
)

// Options say how a seed is trained, beside its configuration.
type Options struct {
	Log      *slog.Logger
	Meter    *Meter
	Progress func(Progress)  // called after each step, and after each batch of predictions
	Stop     <-chan struct{} // closed to end the training after the epoch under way

	// also write event files; a resumed seed that has one always does
	TensorBoard bool
}

// Seed trains and tests one seed in its directory, from where its state on disk stands. The data
// must be those of the state (see [Data.CheckOrigin]). If ctx is cancelled, it ends after the step
// under way; the error is then, and after Stop, an [*Interrupted].
func Seed(ctx context.Context, c settings.Config, data *Data, d rundir.Dir, o Options) error {
	l, err := data.learner(&c, o.Log)
	if err != nil {
		return err
	}
	set, err := data.For(&c)
	if err != nil {
		return err
	}
	use := l.diskUse(&c)
	if !d.Has(rundir.StateFile) {
		if err := rundir.CheckSpace(string(d), use.Peak); err != nil {
			return err
		}
	}
	t := &trainer{
		config: c, dir: d, set: set, labelled: set.Train.Fraction(c.Data.Labels, c.Seed),
		origin: data.Origin, Learner: l,
		tape: ag.NewTape(l.Device), batcher: newBatcher(&c, l.Dims),
		predictor: newPredictor(&c, l), log: o.Log,
		meter: o.Meter, recorded: o.TensorBoard || eventFiles(d) != nil, stop: o.Stop,
	}
	rates, err := settings.ParseRates(c.Eval.Rates)
	if err != nil {
		return err
	}
	t.meter.report = o.Progress
	t.logModel(use.Peak)
	t.plan(len(rates))
	t.predictor.OnBatch = t.meter.predicted
	if err := t.train(ctx); err != nil {
		return err
	}
	return t.test(ctx, rates)
}

// logModel writes to the log what is trained, and how many bytes of disk the seed needs.
func (t *trainer) logModel(disk int64) {
	var phases []string
	for _, ph := range t.Model.Phases() {
		phases = append(phases, fmt.Sprintf("%d of %s", t.config.Train.Epochs[ph.Name], ph.Name))
	}
	t.log.Info("training", "run", string(t.dir), "parameters", Count(t.Params),
		"in_checkpoint", Count(t.Model.PredictParams()), "utterances", t.set.Train.Len(),
		"epochs", strings.Join(phases, ", "), "disk", Megabytes(disk))
}

// A trainer trains one model with one seed.
type trainer struct {
	config   settings.Config
	dir      rundir.Dir
	set      *datasets.Set
	labelled *datasets.Split // the training utterances whose label may be used
	origin   Origin
	*Learner

	memory    []nn.Param // what the phase under way keeps of each utterance
	tape      *ag.Tape
	batcher   batcher
	terms     termLog
	predictor *Predictor
	journal   *rundir.Journal
	recorded  bool       // for TensorBoard too
	events    *eventFile // nil unless recorded
	log       *slog.Logger
	meter     *Meter
	stop      <-chan struct{}   // see Options
	constant  map[string]string // metadata of all saved files
	timed     time.Time         // until when the epochs in the journal were timed
}

// stopped reports whether no further epoch is made.
func (t *trainer) stopped(ctx context.Context) bool {
	select {
	case <-t.stop:
		return true
	default:
		return ctx.Err() != nil
	}
}

// train runs the phases from where the state on disk stands, and leaves the selected parameters on
// disk.
func (t *trainer) train(ctx context.Context) error {
	at, opts, err := t.restore()
	if err != nil {
		return err
	}
	if t.recorded {
		if t.events, err = openEvents(t.dir, t.journal.Records); err != nil {
			return err
		}
	}
	t.tape.ActivationCheckpointing = t.config.Train.ActivationCheckpointing
	t.timed, t.meter.last = time.Now(), time.Now()
	for i, ph := range t.Model.Phases() {
		if i < at.phase {
			t.skip(ph, t.config.Train.Epochs[ph.Name])
			continue
		}
		epochs, ok := t.config.Train.Epochs[ph.Name]
		if !ok {
			return settings.Invalid("train.epochs."+ph.Name, "a number", "none")
		}
		if opts == nil {
			if err := t.saveStart(ph); err != nil {
				return err
			}
			opts = t.begin(ph)
		}
		t.skip(ph, at.epoch)
		epoch := at.epoch + 1
		for ; epoch <= epochs && !t.outOfPatience(ph, epoch-1); epoch++ {
			if t.stopped(ctx) {
				return &Interrupted{filepath.Dir(string(t.dir))}
			}
			t.begun(ph, epoch, epochs)
			if err := t.epoch(ctx, ph, opts, epoch); err != nil {
				return err
			}
		}
		t.skip(ph, epochs+1-epoch)
		at, opts = position{}, nil
	}
	return t.saveUnchosen()
}

// begin makes what a phase starts with, beside the model's parameters: its memory, and an
// optimiser for each of its passes.
func (t *trainer) begin(ph zoo.Phase) []*optim.Adam {
	t.memory = nil
	if ph.NewMemory != nil {
		t.memory = ph.NewMemory(t.utterances(ph).Label)
	}
	opts := make([]*optim.Adam, len(ph.Passes))
	for i, pass := range ph.Passes {
		opts[i] = t.optimizer(pass)
	}
	return opts
}

// utterances returns those that a phase learns from.
func (t *trainer) utterances(ph zoo.Phase) *datasets.Split {
	if ph.Supervised {
		return t.labelled
	}
	return t.set.Train
}

// optimizer returns Adam or AdamW for a pass's parameters, in groups where they have settings of
// their own.
func (t *trainer) optimizer(pass zoo.Pass) *optim.Adam {
	c := &t.config.Train
	rest := slices.Clone(pass.Params)
	for _, g := range pass.Groups {
		rest = slices.DeleteFunc(rest, func(p nn.Param) bool {
			return slices.Contains(g.Params, p)
		})
	}
	newAdam := optim.NewAdam
	if c.Moments == settings.CompactMoments {
		newAdam = optim.NewCompactAdam
	}
	opt := newAdam(c.LR, c.WeightDecay, rest)
	opt.Decoupled = c.Optimizer == "adamw"
	if c.Eps > 0 {
		opt.Eps = c.Eps
	}
	for _, g := range pass.Groups {
		own := t.groupTraining(g)
		opt.AddGroup(optim.Group{Params: g.Params, LR: own.LR, WeightDecay: own.WeightDecay})
	}
	return opt
}

// groupTraining returns the settings of a group, those of the other parameters where it has none.
func (t *trainer) groupTraining(g zoo.Group) zoo.GroupTraining {
	c := &t.config.Train
	own, ok := c.Groups[g.Name]
	if !ok {
		own = zoo.GroupTraining{LR: c.LR, WeightDecay: c.WeightDecay}
	}
	if g.NoDecay {
		own.WeightDecay = 0
	}
	return own
}

// schedule sets the learning rates of an epoch in a pass's optimizer, and returns that of the
// parameters without a group.
func (t *trainer) schedule(opt *optim.Adam, pass zoo.Pass, epoch, epochs int) float64 {
	at := func(peak float64) float64 {
		kind := t.config.Train.Schedule
		if kind == "constant" {
			return peak
		}
		return optim.WarmupCosine{LR: peak, Epochs: epochs, Positive: kind == "cosine-positive"}.
			At(epoch)
	}
	rest, groups := opt.Groups[0], opt.Groups[1:] // see optimizer
	rest.LR = at(t.config.Train.LR)
	for i, g := range groups {
		g.LR = at(t.groupTraining(pass.Groups[i]).LR)
	}
	return rest.LR
}

// epoch trains for one epoch, validates where the phase learns from labels, and puts everything on
// disk: chosen parameters, then a line of the journal, what is kept of the phase after its last,
// then the state, which makes the epoch count.
func (t *trainer) epoch(ctx context.Context, ph zoo.Phase, opts []*optim.Adam, epoch int) error {
	epochs := t.config.Train.Epochs[ph.Name]
	var lr float64
	for i, opt := range opts {
		lr = t.schedule(opt, ph.Passes[i], epoch, epochs)
	}
	terms, err := t.steps(ctx, ph, opts, epoch)
	if err != nil {
		return err
	}
	if err := t.checkParams(ph, epoch); err != nil {
		return err
	}
	r := rundir.Record{Phase: ph.Name, Epoch: epoch, LR: lr, Terms: terms,
		Program: version.Text()}
	if ph.Supervised {
		if err := t.validate(&r); err != nil {
			return err
		}
	}
	if err := t.tape.Device().Sync(); err != nil {
		return fmt.Errorf("train: %s, epoch %d: %w", ph.Name, epoch, err)
	}
	now := time.Now() // the state before was saved since t.timed, that of this epoch is not yet
	r.Seconds, t.timed = now.Sub(t.timed).Seconds(), now
	if err := t.journal.Append(r); err != nil {
		return err
	}
	if t.events != nil {
		if err := t.events.add(&r); err != nil {
			return err
		}
	}
	last := epoch == epochs || t.outOfPatience(ph, epoch)
	if last && len(ph.Snapshot) > 0 {
		if err := rundir.SaveTensors(t.dir.File(rundir.SnapshotFile(ph.Name)), ph.Snapshot,
			t.metadata(ph.Name, epoch)); err != nil {
			return err
		}
	}
	if err := t.saveState(ph, opts, epoch); err != nil {
		return err
	}
	t.meter.saved(ph.Name, epoch)
	t.log.Info("epoch", r.Attributes(epochs)...)
	if last && epoch < epochs {
		t.log.Info("no better validation any more: the phase ends", "phase", ph.Name, "patience",
			t.config.Train.Patience)
	}
	if last && epoch > 1 && ph.Warn != nil {
		if text := ph.Warn(t.journal.Find(ph.Name, 1).Terms, terms); text != "" {
			t.log.Warn(text, "phase", ph.Name)
		}
	}
	return nil
}

// test writes the predictions for the test split at all rates, those of the first choice last: with
// them the run is finished.
func (t *trainer) test(ctx context.Context, rates []float64) error {
	c := &t.config
	if t.stopped(ctx) {
		return &Interrupted{filepath.Dir(string(t.dir))}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-t.stop:
			cancel()
		case <-ctx.Done():
		}
	}()
	t.predictor.OnRate = t.testing
	tested, err := t.predictor.Test(ctx, c, t.dir, t.set.Test, rates, nil)
	if err != nil {
		return err
	}
	for i, choice := range slices.Backward(results.Choices(c, t.batcher.kind)) {
		var b bytes.Buffer
		if err := errors.Join(results.WriteCSV(&b, tested[i]),
			rundir.WriteFile(t.dir.File(choice.File(rundir.PredictionsFile)),
				b.Bytes())); err != nil {
			return err
		}
	}
	return nil
}

// An Interrupted run was stopped by its context; the state of its last whole epoch is on disk.
type Interrupted struct{ Dir string }

func (e *Interrupted) Error() string {
	return fmt.Sprintf("train: interrupted; continue with: recap train --resume %s", e.Dir)
}
