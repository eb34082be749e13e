package train

import (
	"cmp"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/internal/settings"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// A Learner is a model with its parameters.
type Learner struct {
	Model   zoo.Model
	Params  []nn.Param
	Buffers []nn.Param // such as running statistics: saved, not trained
	Dims    zoo.Dims
	Device  ag.Device
}

// maxSize is the largest number of parameters of a model: with gradients and moments in float32
// they need 64 GB.
const maxSize = 4_000_000_000

// DimsChecker is implemented by a configuration that does not fit every data set. CheckDims returns
// an error that names the setting and what fits.
type DimsChecker interface {
	CheckDims(d *zoo.Dims) error
}

// DimsWarner is implemented by a configuration of a model that leaves parts of some data unused.
// WarnDims returns a warning for the user, or "".
type DimsWarner interface {
	WarnDims(d *zoo.Dims) string
}

// plan returns the model that c names without its parameters, and their names and shapes. It is an
// error if they are more than maxSize, or if the configuration does not fit d.
func plan(c *settings.Config, d zoo.Dims) (zoo.Model, *nn.Plan, error) {
	if f, ok := c.Method.(DimsChecker); ok {
		if err := f.CheckDims(&d); err != nil {
			return nil, nil, fmt.Errorf("train: %w", err)
		}
	}
	p, planned := nn.PlanParams()
	m := c.Spec().New(p, c.Method, d)
	if planned.Size > maxSize {
		largest := slices.MaxFunc(planned.Names, func(a, b string) int {
			return cmp.Compare(planned.Count(a), planned.Count(b))
		})
		return nil, nil, fmt.Errorf("train: model: expected at most %d parameters, found %d; "+
			"choose smaller widths, the largest tensor is %s %v", maxSize, planned.Size, largest,
			planned.Shapes[largest])
	}
	return m, planned, nil
}

// NewLearner makes the model that c names.
func NewLearner(c *settings.Config, d zoo.Dims) (*Learner, error) {
	if _, _, err := plan(c, d); err != nil {
		return nil, err
	}
	return newLearner(c, d, stream(c.Seed, "init"))
}

// newLearner is [NewLearner] for a configuration that [plan] has checked. rng draws the initial
// values; it is nil if they are then loaded.
func newLearner(c *settings.Config, d zoo.Dims, rng *rand.Rand) (*Learner, error) {
	dev, err := ag.Open(c.DeviceName())
	if err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	p := nn.NewParams(dev, rng)
	l := &Learner{Model: c.Spec().New(p, c.Method, d), Params: p.All(), Buffers: p.Buffers(),
		Dims: d, Device: dev}
	if err := dev.Sync(); err != nil {
		return nil, fmt.Errorf("train: model of %d parameters: %w", Count(l.Params), err)
	}
	return l, nil
}

// loadPretrained gives the model the parameters that the configuration takes from files. bert is
// nil for a text encoder trained from scratch.
func (l *Learner) loadPretrained(
	c *settings.Config, bert *nn.PretrainedBERT, log *slog.Logger,
) error {
	if bert != nil {
		log.Info("pretrained text encoder", "file", bert.Path, "width", bert.Config.Width,
			"layers", bert.Config.Layers, "finetune", c.Method.TextEncoder().Finetune, "unused",
			bert.Unused)
		if err := bert.Load(l.Model.TextEncoder().Params); err != nil {
			return fmt.Errorf("train: text.bert: %w", err)
		}
	}
	if m, ok := l.Model.(Pretrained); ok {
		return m.LoadPretrained(log)
	}
	return nil
}

// Pretrained is implemented by a model of which other parts than the text encoder may be
// pretrained. LoadPretrained reads them from the files that the model's configuration names, if
// any, and writes to the log which.
type Pretrained interface {
	LoadPretrained(log *slog.Logger) error
}

// Count returns how many numbers the parameters hold.
func Count(ps []nn.Param) int {
	n := 0
	for _, p := range ps {
		n += p.Len()
	}
	return n
}
