package experiment

import (
	"context"
	"fmt"
	"hash/fnv"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"time"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/datasets"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
	"github.com/seed-6655bf3b/recap/optim"
	"github.com/seed-6655bf3b/recap/recap"
)

// A trainer trains one model with one seed.
type trainer struct {
	config   Config
	dir      runDir
	set      *datasets.Set
	labelled *datasets.Split // the training utterances whose label may be used
	*learner

	tape      *ag.Tape
	feed      feed
	ledger    ledger
	predictor *predictor
	journal   *journal
	recorded  bool    // for TensorBoard too
	events    *events // nil unless recorded
	log       *slog.Logger
	step      func(phase string, done, total int) // called after each step

	wholeEpochs bool // when interrupted, the epoch under way is finished
}

// train runs the phases from where the state on disk stands, and leaves the selected parameters on disk.
func (t *trainer) train(ctx context.Context) error {
	at, opt, err := t.restore()
	if err != nil {
		return err
	}
	if t.recorded {
		if t.events, err = t.dir.openEvents(t.journal.records); err != nil {
			return err
		}
	}
	for _, ph := range t.model.Phases()[at.phase:] {
		epochs, ok := t.config.Train.Epochs[ph.Name]
		if !ok {
			return wrong("train.epochs."+ph.Name, "a number", "none")
		}
		if opt == nil {
			opt = t.optimizer(ph)
		}
		for epoch := at.epoch + 1; epoch <= epochs; epoch++ {
			if ctx.Err() != nil {
				return &Interrupted{filepath.Dir(string(t.dir))}
			}
			if err := t.epoch(ctx, ph, opt, epoch); err != nil {
				return err
			}
		}
		at, opt = position{}, nil
	}
	return t.saveUnchosen()
}

// optimizer returns AdamW for a phase's parameters. What is pretrained has learning rates of its own.
func (t *trainer) optimizer(ph zoo.Phase) *optim.Adam {
	c := &t.config.Train
	groups := []optim.Group{
		{WeightDecay: c.WeightDecay},
		{WeightDecay: c.WeightDecay, Scale: c.TextLR / c.LR},
		{WeightDecay: c.WeightDecay, Scale: c.GeneratorLR / c.LR},
	}
	for _, p := range ph.Params {
		g := &groups[t.pretrained[p.Name]]
		g.Params = append(g.Params, p)
	}
	opt := optim.NewAdamW(c.LR, c.WeightDecay, nil)
	for _, g := range groups {
		opt.AddGroup(g)
	}
	return opt
}

// epoch trains for one epoch, validates where the phase learns from labels, and puts everything on disk: chosen parameters, then a line
// of the journal, what is kept of the phase after its last, then the state, which makes the epoch count.
func (t *trainer) epoch(ctx context.Context, ph zoo.Phase, opt *optim.Adam, epoch int) error {
	began := time.Now()
	epochs := t.config.Train.Epochs[ph.Name]
	opt.LR = optim.WarmupCosine{LR: t.config.Train.LR, Epochs: epochs}.At(epoch)
	terms, err := t.steps(ctx, ph, opt, epoch)
	if err != nil {
		return err
	}
	r := record{Phase: ph.Name, Epoch: epoch, LR: opt.LR, Terms: terms}
	if ph.Labels {
		if err := t.validate(&r); err != nil {
			return err
		}
	}
	if err := t.tape.Device().Sync(); err != nil {
		return fmt.Errorf("experiment: %s, epoch %d: %w", ph.Name, epoch, err)
	}
	r.Seconds = time.Since(began).Seconds()
	if err := t.journal.add(r); err != nil {
		return err
	}
	if t.events != nil {
		if err := t.events.add(&r); err != nil {
			return err
		}
	}
	if epoch == epochs && len(ph.Keep) > 0 {
		if err := saveTensors(t.dir.file(keptFile(ph)), ph.Keep, t.facts(ph.Name, epoch)); err != nil {
			return err
		}
	}
	if err := t.saveState(ph, opt, epoch); err != nil {
		return err
	}
	t.log.Info("epoch", r.attributes(epochs)...)
	if epoch == epochs && epochs > 1 && ph.Warn != nil {
		if text := ph.Warn(t.journal.find(ph.Name, 1).Terms, terms); text != "" {
			t.log.Warn(text, "phase", ph.Name)
		}
	}
	return nil
}

// steps goes once through the phase's utterances and returns the mean of each term over the steps. A term that is not finite ends the run,
// though at the next reading only: the state on disk, that of the last whole epoch, knows nothing of the steps after it.
func (t *trainer) steps(ctx context.Context, ph zoo.Phase, opt *optim.Adam, epoch int) (numbers, error) {
	c := &t.config
	split := t.set.Train
	if ph.Labels {
		split = t.labelled
	}
	holes := t.holes(split, ph.Name, epoch)
	batches := datasets.Order(split.Len(), c.Train.Batch, ph.Least, stream(c.Seed, ph.Name, epoch, "order"))
	sums := numbers{}
	for i, index := range batches {
		t.tape.Reset()
		t.tape.Seed(stream(c.Seed, ph.Name, epoch, "step", i).Uint64())
		t.feed.Fill(split, index, holes)
		terms := ph.Terms(t.tape, t.feed.Batch(t.tape))
		t.ledger.note(t.tape, terms)
		t.update(ph, opt, t.total(terms))
		if (i+1)%stepsPerReading == 0 || i+1 == len(batches) {
			if err := t.read(ph, epoch, i+1, sums); err != nil {
				return nil, err
			}
		}
		t.step(ph.Name, (epoch-1)*len(batches)+i+1, c.Train.Epochs[ph.Name]*len(batches))
		if ctx.Err() != nil && !t.wholeEpochs {
			return nil, &Interrupted{filepath.Dir(string(t.dir))}
		}
	}
	for name := range sums {
		sums[name] /= float64(len(batches))
	}
	return sums, nil
}

// update moves the phase's parameters against the gradient of the loss.
func (t *trainer) update(ph zoo.Phase, opt *optim.Adam, loss *ag.Tensor) {
	if loss == nil {
		return
	}
	grads := t.tape.Backward(loss)
	if t.config.Train.Clip > 0 {
		optim.ClipNorm(t.tape, grads, ph.Params, t.config.Train.Clip)
	}
	opt.Step(grads)
}

// total returns Σ Weight·Loss, nil where no term has weight.
func (t *trainer) total(terms []zoo.Term) (loss *ag.Tensor) {
	for _, term := range terms {
		if term.Weight == 0 {
			continue
		}
		weighted := t.tape.Scale(term.Loss, term.Weight)
		if loss == nil {
			loss = weighted
		} else {
			loss = t.tape.Add(loss, weighted)
		}
	}
	return loss
}

// staticSeed draws the rates of train.resample=static, the same in every run, as the literature's code does.
const staticSeed = 1111

// holes draws what is missing in training.
func (t *trainer) holes(s *datasets.Split, phase string, epoch int) *datasets.Holes {
	if t.config.Data.Resample == "static" {
		return s.Holes(datasets.TrainingRates(s.Len(), rand.New(rand.NewPCG(staticSeed, 0))))
	}
	rates := datasets.TrainingRates(s.Len(), stream(t.config.Seed, phase, epoch, "rates"))
	return s.FreshHoles(rates, stream(t.config.Seed, phase, epoch, "holes"))
}

// stream returns the random numbers for one purpose.
func stream(seed uint64, purpose ...any) *rand.Rand {
	h := fnv.New64a()
	fmt.Fprintf(h, "%q", purpose)
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}

// A learner is a model with its parameters.
type learner struct {
	model  zoo.Model
	params []nn.Param
	dims   zoo.Dims
	device ag.Device

	pretrained map[string]int // group of a parameter by name
}

// newLearner makes the model that c names.
func newLearner(c *Config, d zoo.Dims) (*learner, error) {
	dev, err := ag.Open(c.device())
	if err != nil {
		return nil, fmt.Errorf("experiment: %w", err)
	}
	p := nn.NewParams(dev, stream(c.Seed, "init"))
	i := slices.IndexFunc(Models, func(s Spec) bool { return s.Name == c.Model })
	l := &learner{model: Models[i].New(p, c, d), params: p.All(), dims: d, device: dev}
	if err := dev.Sync(); err != nil {
		return nil, fmt.Errorf("experiment: model of %d parameters: %w", count(l.params), err)
	}
	return l, nil
}

// Groups of parameters by where they come from: those that are not named start from scratch.
const (
	pretrainedText = 1 + iota
	pretrainedGenerator
)

// loadPretrained gives the model the parameters that the configuration takes from files.
func (l *learner) loadPretrained(c *Config, log *slog.Logger) error {
	l.pretrained = map[string]int{}
	mark := func(ps []nn.Param, group int) {
		for _, p := range ps {
			l.pretrained[p.Name] = group
		}
	}
	if l.dims.BERT != nil {
		bert, err := nn.OpenBERT(c.Recap.Text.BERT)
		if err != nil {
			return fmt.Errorf("experiment: text.bert: %w", err)
		}
		defer bert.Close()
		if err := bert.Load(l.model.Text().Params); err != nil {
			return fmt.Errorf("experiment: text.bert: %w", err)
		}
		mark(l.model.Text().Trained(), pretrainedText)
		log.Info("pretrained encoder of words", "file", bert.Path, "width", bert.Config.Width, "layers", bert.Config.Layers,
			"finetune", c.Recap.Text.Finetune, "unused", bert.Unused)
	}
	if m, ok := l.model.(*recap.Model); ok && c.Recap.Generator.File != "" {
		if err := m.LoadGenerator(c.Recap.Generator.File); err != nil {
			return err
		}
		mark(m.LoadedGenerator(), pretrainedGenerator)
		log.Info("pretrained generators", "file", c.Recap.Generator.File, "widths", c.Recap.Generator.Widths, "blocks", c.Recap.Generator.Blocks)
	}
	return nil
}
