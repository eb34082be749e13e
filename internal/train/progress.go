package train

import (
	"time"

	"github.com/seed-6655bf3b/recap/internal/results"
	"github.com/seed-6655bf3b/recap/internal/settings"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// TestPhase is the name of the final test in a [Progress].
const TestPhase = "test"

// A Progress tells how far the training of a seed is.
type Progress struct {
	Phase         string // of the model, or TestPhase
	Epoch, Epochs int    // the epoch under way; in the test the missing rate under way
	Step          int    // steps that were made in the phase; 0 during validation and test
	SavedPhase    string // of the last epoch whose state is on disk; "" if there is none
	SavedEpoch    int

	// Estimates. For Done, an epoch of a phase that did not begin takes as long as one of others.
	Done        float64       // the fraction of the seed's time that is over
	EpochLeft   time.Duration // until the epoch, or the test at this rate, is complete
	Left, Whole Estimate      // for the rest of the seed; for a whole seed
	Measured    bool          // whether an epoch of the phase under way was measured
}

// An Estimate is the time for some work.
type Estimate struct {
	Time    time.Duration
	AtLeast bool // Time leaves out phases of which no epoch was measured
}

// Add returns the estimate for the work of e and n times that of f.
func (e Estimate) Add(n int, f Estimate) Estimate {
	return Estimate{e.Time + time.Duration(n)*f.Time, e.AtLeast || n > 0 && f.AtLeast}
}

// A Meter estimates how long a seed takes. It counts the utterances that the seed's training and
// predictions go through, and measures the time for each. The seeds of one configuration may have
// one meter in turn: the later ones profit from what was measured.
type Meter struct {
	report func(Progress)
	last   time.Time        // when the last utterances were counted
	phases map[string]*work // training
	tests  work             // predictions in validation and test
	now    Progress

	epochTraining, epochTests int // utterances left in the epoch
}

// A work is a kind of work.
type work struct {
	left, total int           // utterances of the seed
	seen        int           // utterances since the start of the process
	took        time.Duration // the time for these
	measured    bool          // whether these are a whole epoch or more
}

// untestedCost is the time of a prediction relative to that of a training step, before it is
// measured: a backward pass takes about twice the time of a forward pass.
const untestedCost = 1. / 3

// perUtterance returns the time for an utterance in nanoseconds; unmeasured if there is no
// measurement yet.
func (w *work) perUtterance(unmeasured float64) float64 {
	if w.seen == 0 {
		return unmeasured
	}
	return float64(w.took) / float64(w.seen)
}

// NewMeter returns a meter without measurements.
func NewMeter() *Meter { return &Meter{phases: map[string]*work{}} }

// training returns the training of a phase.
func (m *Meter) training(phase string) *work {
	if m.phases[phase] == nil {
		m.phases[phase] = &work{}
	}
	return m.phases[phase]
}

// count adds n utterances, which took the time since the last call, and reports the progress.
func (m *Meter) count(w *work, n int) {
	now := time.Now()
	w.seen += n
	w.took += now.Sub(m.last)
	w.left = max(0, w.left-n)
	m.last = now
	m.estimate()
	m.report(m.now)
}

// estimate computes the estimates of the progress from the measured times.
func (m *Meter) estimate() {
	var all work
	for _, w := range m.phases {
		all.seen += w.seen
		all.took += w.took
	}
	mean := all.perUtterance(0)
	test := m.tests.perUtterance(untestedCost * mean)
	left, whole := test*float64(m.tests.left), test*float64(m.tests.total)
	m.now.Left, m.now.Whole = Estimate{}, Estimate{}
	m.now.Left.add(m.tests.seen > 0, test, m.tests.left)
	m.now.Whole.add(m.tests.seen > 0, test, m.tests.total)
	for _, w := range m.phases {
		cost := w.perUtterance(mean)
		left += cost * float64(w.left)
		whole += cost * float64(w.total)
		m.now.Left.add(w.measured, cost, w.left)
		m.now.Whole.add(w.measured, cost, w.total)
	}
	epoch := test * float64(m.epochTests)
	m.now.Measured = m.now.Phase == TestPhase
	if w := m.phases[m.now.Phase]; w != nil {
		epoch += w.perUtterance(mean) * float64(m.epochTraining)
		m.now.Measured = w.measured
	}
	m.now.EpochLeft = time.Duration(epoch)
	if m.now.Done = 0; whole > 0 {
		m.now.Done = 1 - left/whole
	}
}

// add adds n utterances to the estimate, if the time for each was measured.
func (e *Estimate) add(measured bool, cost float64, n int) {
	switch {
	case measured:
		e.Time += time.Duration(cost * float64(n))
	case n > 0:
		e.AtLeast = true
	}
}

// trained counts the utterances of a step.
func (m *Meter) trained(phase string, utterances, step int) {
	m.now.Step = step
	m.epochTraining -= utterances
	m.count(m.training(phase), utterances)
}

// predicted counts the utterances of a batch in validation or test.
func (m *Meter) predicted(utterances int) {
	m.now.Step = 0
	m.epochTests -= utterances
	m.count(&m.tests, utterances)
}

// saved says that the state after an epoch is on disk.
func (m *Meter) saved(phase string, epoch int) {
	m.now.SavedPhase, m.now.SavedEpoch = phase, epoch
	m.training(phase).measured = true
}

// epochWork returns the numbers of utterances that an epoch of a phase trains on and validates.
func (t *trainer) epochWork(ph zoo.Phase) (trained, validated int) {
	trained = t.utterances(ph).Len() * len(ph.Passes)
	if ph.Supervised {
		validated = t.set.Valid.Len()
		if t.config.Select == settings.SelectTest {
			validated += t.set.Test.Len()
		}
	}
	return trained, validated
}

// plan counts the utterances of the whole seed.
func (t *trainer) plan(rates int) {
	t.meter.now = Progress{}
	tests := rates * t.set.Test.Len() * len(results.Choices(&t.config, t.batcher.kind))
	for _, ph := range t.Model.Phases() {
		trained, validated := t.epochWork(ph)
		epochs := t.config.Train.Epochs[ph.Name]
		w := t.meter.training(ph.Name)
		w.left, w.total = epochs*trained, epochs*trained
		tests += epochs * validated
	}
	t.meter.tests.left, t.meter.tests.total = tests, tests
}

// skip says that some epochs of a phase are not made: they were made before the run was resumed, or
// the phase ended before.
func (t *trainer) skip(ph zoo.Phase, epochs int) {
	trained, validated := t.epochWork(ph)
	t.meter.training(ph.Name).left -= epochs * trained
	t.meter.tests.left -= epochs * validated
}

// begun says that an epoch of a phase begins.
func (t *trainer) begun(ph zoo.Phase, epoch, epochs int) {
	m := t.meter
	m.now.Phase, m.now.Epoch, m.now.Epochs = ph.Name, epoch, epochs
	m.epochTraining, m.epochTests = t.epochWork(ph)
}

// testing says that the test at a rate begins.
func (t *trainer) testing(rate, rates int) {
	m := t.meter
	m.now.Phase, m.now.Epoch, m.now.Epochs = TestPhase, rate, rates
	m.epochTraining, m.epochTests = 0, t.set.Test.Len()
}
