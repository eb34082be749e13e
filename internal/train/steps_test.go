package train

import (
	"context"
	"log/slog"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/datasets"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// TestSteadyStep checks that a step of the loop allocates small objects only, no data.
func TestSteadyStep(t *testing.T) {
	if raced {
		t.Skip("the race detector allocates too")
	}
	tr := newTrainer(t, map[string]string{"data.scale": "1"})
	set, ph := tr.set, tr.Model.Phases()[0]
	opt := tr.optimizer(ph.Passes[0])
	index := datasets.Order(set.Train.Len(), 16, 0, nil)[0]
	rates := datasets.FixedRates(set.Train.Len(), 0)
	grads := ag.Grads{}
	step := func() {
		tr.tape.Reset()
		clear(grads)
		tr.batcher.Fill(set.Train, index, nil)
		terms, _ := ph.Passes[0].Terms(tr.tape, tr.batcher.Batch(tr.tape, ph, &rates, 1))
		tr.differentiate(ph.Passes[0], grads, zoo.Total(tr.tape, terms))
		tr.update(ph.Passes[0], opt, grads)
	}
	const warm, steps = 3, 20
	for range warm {
		step()
	}
	n := uint64(math.MaxUint64) // the least of three: a garbage collection empties pools
	for range 3 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range steps {
			step()
		}
		runtime.ReadMemStats(&after)
		n = min(n, (after.TotalAlloc-before.TotalAlloc)/steps)
	}
	// what one input of the batch takes
	data := uint64(4 * 16 * (set.Train.Language.T + set.Train.Audio.T*set.Train.Audio.D))
	if n > data/2 {
		t.Errorf("a step allocates %d bytes, an input takes %d", n, data)
	}
}

// TestStream checks that the random numbers of a purpose are those of every version: FNV-1a's hash
// of the text ["stage1" '\x01' "rates"] is the second half of the seed.
func TestStream(t *testing.T) {
	want := rand.New(rand.NewPCG(5, 0xa993a2940fa492c0)).Uint64()
	if got := stream(5, "stage1", 1, "rates").Uint64(); got != want {
		t.Errorf("stream begins with %d, want %d", got, want)
	}
}

func TestMasks(t *testing.T) {
	tr := newTrainer(t, nil)
	draw := func(phase string, epoch int) any {
		rates, masks := tr.masks(tr.set.Train, phase, epoch)
		return []any{rates, masks}
	}
	first := draw("stage1", 1)
	if !cmp.Equal(first, draw("stage1", 1)) || cmp.Equal(first, draw("stage1", 2)) ||
		cmp.Equal(first, draw("stage2", 1)) {
		t.Error("masks are not a function of phase and epoch")
	}
	rates := datasets.TrainingRates(40, stream(tr.config.Seed, "stage1", 1, "rates"))
	if !cmp.Equal(first, any([]any{rates, tr.set.Train.RandomMasks(rates,
		stream(tr.config.Seed, "stage1", 1, "holes"))})) {
		t.Error("masks are not those of their streams")
	}
	tr.config.Data.Resample = "static"
	static := draw("stage1", 1)
	rates = datasets.TrainingRates(40, rand.New(rand.NewPCG(1111, 0)))
	if !cmp.Equal(static, any([]any{rates, tr.set.Train.KeepMasks(rates)})) {
		t.Error("static masks are not those of the literature's seed")
	}
	tr.config.Seed++
	if !cmp.Equal(static, draw("stage2", 2)) {
		t.Error("static masks depend on epoch or seed")
	}
}

// TestActivationCheckpointing trains RECAP with and without it: the bits are the same, and the
// buffers are fewer.
func TestActivationCheckpointing(t *testing.T) {
	train := func(checkpointing string) ([]float64, int) {
		set := small(t, "recap")
		set["train.activation_checkpointing"] = checkpointing
		tr, dev := newWatched(t, set, nil)
		tr.predictor, tr.log = newPredictor(&tr.config, tr.Learner), slog.New(slog.DiscardHandler)
		if err := tr.train(context.Background()); err != nil {
			t.Fatal(err)
		}
		return values(tr.Params), dev.allocs
	}
	want, buffers := train("false")
	got, fewer := train("true")
	if !slices.Equal(got, want) {
		t.Error("the parameters have other bits")
	}
	if fewer >= buffers {
		t.Errorf("%d buffers, %d without activation checkpointing", fewer, buffers)
	}
}
