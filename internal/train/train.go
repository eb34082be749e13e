package train

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"time"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/datasets"
	"github.com/seed-6655bf3b/recap/internal/results"
	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/settings"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
	"github.com/seed-6655bf3b/recap/optim"
)

// Options say how a seed is trained, beside its configuration.
type Options struct {
	Log  *slog.Logger
	Step func(phase string, done, total int) // called after each step
	// also write event files; a resumed seed that has one always does
	TensorBoard bool
	WholeEpochs bool // when interrupted, finish the epoch under way
}

// Seed trains and tests one seed in its directory, from where its state on disk stands. The data
// must be those of the state (see [Data.CheckOrigin]).
func Seed(ctx context.Context, c settings.Config, data *Data, d rundir.Dir, o Options) error {
	l, err := data.learner(&c)
	if err != nil {
		return err
	}
	if err := l.loadPretrained(&c, data.bert, o.Log); err != nil {
		return err
	}
	set, use := data.Set, l.diskUse(&c)
	o.Log.Info("training", "run", string(d), "parameters", Count(l.Params), "utterances",
		set.Train.Len(), "disk", Megabytes(use.Peak))
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
		step: o.Step, recorded: o.TensorBoard || hasEvents(d), wholeEpochs: o.WholeEpochs,
	}
	if err := t.train(ctx); err != nil {
		return err
	}
	return t.test(ctx)
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
	step      func(phase string, done, total int) // called after each step

	wholeEpochs bool // when interrupted, the epoch under way is finished
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
	for _, ph := range t.Model.Phases()[at.phase:] {
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
		for epoch := at.epoch + 1; epoch <= epochs && !t.outOfPatience(ph, epoch-1); epoch++ {
			if ctx.Err() != nil {
				return &Interrupted{filepath.Dir(string(t.dir))}
			}
			if err := t.epoch(ctx, ph, opts, epoch); err != nil {
				return err
			}
		}
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
	opt := optim.NewAdam(c.LR, c.WeightDecay, rest)
	opt.Decoupled = c.Optimizer == "adamw"
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
		if t.config.Train.Schedule == "constant" {
			return peak
		}
		return optim.WarmupCosine{LR: peak, Epochs: epochs}.At(epoch)
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
	began := time.Now()
	epochs := t.config.Train.Epochs[ph.Name]
	var lr float64
	for i, opt := range opts {
		lr = t.schedule(opt, ph.Passes[i], epoch, epochs)
	}
	terms, err := t.steps(ctx, ph, opts, epoch)
	if err != nil {
		return err
	}
	r := rundir.Record{Phase: ph.Name, Epoch: epoch, LR: lr, Terms: terms}
	if ph.Supervised {
		if err := t.validate(&r); err != nil {
			return err
		}
	}
	if err := t.tape.Device().Sync(); err != nil {
		return fmt.Errorf("train: %s, epoch %d: %w", ph.Name, epoch, err)
	}
	r.Seconds = time.Since(began).Seconds()
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

// steps makes the passes of an epoch and returns the mean of each term over the steps of its pass;
// that of the loss is the sum over the passes.
func (t *trainer) steps(
	ctx context.Context, ph zoo.Phase, opts []*optim.Adam, epoch int,
) (rundir.Numbers, error) {
	means := rundir.Numbers{}
	for k := range ph.Passes {
		sums, steps, err := t.pass(ctx, ph, k, opts[k], epoch)
		if err != nil {
			return nil, err
		}
		for name, sum := range sums {
			means[name] += sum / float64(steps)
		}
	}
	return means, nil
}

// pass goes once through the phase's utterances for its k-th pass and returns the sum of each term
// over the steps. A term that is not finite ends the run, though at the next flush only: the state
// on disk, that of the last whole epoch, knows nothing of the steps after it.
func (t *trainer) pass(
	ctx context.Context, ph zoo.Phase, k int, opt *optim.Adam, epoch int,
) (sums rundir.Numbers, steps int, err error) {
	c := &t.config
	pass, split, purpose := ph.Passes[k], t.utterances(ph), ph.PassName(k)
	rates, masks := t.masks(split, purpose, epoch)
	batches := datasets.Order(split.Len(), c.Train.Batch, ph.MinBatch,
		stream(c.Seed, purpose, epoch, "order"))
	fill := t.batcher.FillCorrupted
	if ph.NeedsComplete {
		fill = t.batcher.Fill
	}
	sums = rundir.Numbers{}
	grads := ag.Grads{}
	for i, index := range batches {
		if i%c.Train.Accumulate == 0 {
			t.tape.Reset()
			clear(grads)
		}
		t.tape.Seed(stream(c.Seed, purpose, epoch, "step", i).Uint64())
		fill(split, index, masks)
		b := t.batcher.Batch(t.tape, ph, &rates, epoch)
		b.Step, b.Steps = i, len(batches)
		terms, updates := pass.Terms(t.tape, b)
		zoo.Apply(t.tape, updates)
		t.terms.record(t.tape, terms)
		t.differentiate(pass, grads, zoo.Total(t.tape, terms))
		if (i+1)%c.Train.Accumulate == 0 || i+1 == len(batches) {
			t.update(pass, opt, grads)
		}
		if (i+1)%stepsPerFlush == 0 || i+1 == len(batches) {
			if err := t.flushTerms(ph, epoch, i+1, sums); err != nil {
				return nil, 0, err
			}
		}
		done, passes := (epoch-1)*len(ph.Passes)+k, c.Train.Epochs[ph.Name]*len(ph.Passes)
		t.step(ph.Name, done*len(batches)+i+1, passes*len(batches))
		if ctx.Err() != nil && !t.wholeEpochs {
			return nil, 0, &Interrupted{filepath.Dir(string(t.dir))}
		}
	}
	return sums, len(batches), nil
}

// differentiate adds the gradient of a batch's loss to those before it.
func (t *trainer) differentiate(pass zoo.Pass, grads ag.Grads, loss *ag.Tensor) {
	if loss == nil {
		return
	}
	t.tape.Accumulate(grads, loss)
	if limit := t.config.Train.ClipValue; limit > 0 {
		optim.ClipValue(t.tape, grads, pass.Params, limit)
	}
}

// update makes a step of the pass's optimiser, with the gradient's norm clipped.
func (t *trainer) update(pass zoo.Pass, opt *optim.Adam, grads ag.Grads) {
	if limit := t.config.Train.Clip; limit > 0 && len(grads) > 0 {
		clipped := pass.ClipParams
		if clipped == nil {
			clipped = pass.Params
		}
		optim.ClipNorm(t.tape, grads, clipped, limit)
	}
	opt.Step(grads)
}

// staticSeed draws the rates of train.resample=static, the same in every run, as the literature's
// code does.
const staticSeed = 1111

// masks draws the missing rates and the keep masks of an epoch.
func (t *trainer) masks(
	s *datasets.Split, phase string, epoch int,
) (datasets.Rates, *datasets.KeepMasks) {
	if t.config.Data.Resample == "static" {
		rates := datasets.TrainingRates(s.Len(), rand.New(rand.NewPCG(staticSeed, 0)))
		return rates, s.KeepMasks(rates)
	}
	rates := datasets.TrainingRates(s.Len(), stream(t.config.Seed, phase, epoch, "rates"))
	return rates, s.RandomMasks(rates, stream(t.config.Seed, phase, epoch, "holes"))
}

// stream returns the random numbers for one purpose.
func stream(seed uint64, purpose ...any) *rand.Rand {
	h := fnv.New64a()
	fmt.Fprintf(h, "%q", purpose)
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}

// test writes the predictions for the test split at all rates, those of the first choice last: with
// them the run is finished.
func (t *trainer) test(ctx context.Context) error {
	c := &t.config
	rates, err := settings.ParseRates(c.Eval.Rates)
	if err != nil {
		return err
	}
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
