package train

import (
	"context"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"path/filepath"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/datasets"
	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/nn/zoo"
	"github.com/seed-6655bf3b/recap/optim"
)

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
		if i > 0 {
			b.Previous = batches[i-1]
		}
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
		done := (epoch-1)*len(ph.Passes) + k
		t.meter.trained(ph.Name, len(index), done*len(batches)+i+1)
		if ctx.Err() != nil {
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
