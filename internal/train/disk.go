package train

import (
	"fmt"
	"log/slog"

	"github.com/seed-6655bf3b/recap/internal/metric"
	"github.com/seed-6655bf3b/recap/internal/results"
	"github.com/seed-6655bf3b/recap/internal/settings"
	"github.com/seed-6655bf3b/recap/nn"
)

// A DiskUse has the bytes of the files of tensors that a seed writes, without the memory of its
// phases.
type DiskUse struct {
	Peak int64 // while a state is replaced there are two
	End  int64 // when the seed is finished
}

// diskUse returns what a seed of the configuration takes.
func (l *Learner) diskUse(c *settings.Config) (use DiskUse) {
	width := int64(l.Device.Bits()) / 8
	bytes := func(ps []nn.Param) int64 { return int64(Count(ps)) * width }
	choices := results.Choices(c, metric.KindOf(c.Dataset, l.Dims.Range))
	kept := int64(len(choices)) * bytes(l.Model.PredictParams())
	var state, largest int64
	for _, ph := range l.Model.Phases() {
		kept += bytes(l.fixed(ph)) + bytes(ph.Snapshot)
		state = bytes(l.Buffers)
		for _, pass := range ph.Passes {
			state += int64(momentCount(pass.Params, c.Train.Moments)) * width
		}
		state += bytes(ph.Params())
		largest = max(largest, state)
	}
	return DiskUse{kept + 2*largest, kept + state}
}

// momentCount returns how many numbers the moments of parameters are.
func momentCount(ps []nn.Param, moments string) (n int) {
	for _, p := range ps {
		if s := p.Shape(); moments == settings.CompactMoments && len(s) > 1 {
			columns := p.Len() / s[0]
			n += s[0]*((columns+1)/2) + s[0] + columns
		} else {
			n += 2 * p.Len()
		}
	}
	return n
}

// Prepare makes the model of the first seed, with its pretrained parameters, and returns what that
// seed will take on disk. [Seed] trains the same model if it is the next call.
func (d *Data) Prepare(c *settings.Config, log *slog.Logger) (DiskUse, error) {
	l, err := d.learner(c, log)
	if err != nil {
		return DiskUse{}, err
	}
	d.prepared, d.preparedFor = l, c.Hash()
	return l.diskUse(c), nil
}

// learner returns the model of c, which has only its pretrained parameters.
func (d *Data) learner(c *settings.Config, log *slog.Logger) (*Learner, error) {
	if l := d.prepared; l != nil {
		d.prepared = nil
		if d.preparedFor == c.Hash() {
			return l, nil
		}
	}
	dims, err := d.dims(c)
	if err != nil {
		return nil, err
	}
	l, err := NewLearner(c, dims)
	if err != nil {
		return nil, err
	}
	return l, l.loadPretrained(c, d.bert, log)
}

// Megabytes formats a number of bytes.
func Megabytes(n int64) string { return fmt.Sprintf("%d MB", (n+999_999)/1_000_000) }
