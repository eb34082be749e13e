package runs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/settings"
	"github.com/seed-6655bf3b/recap/internal/tables"
	"github.com/seed-6655bf3b/recap/internal/train"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// A Runner trains runs in directories under Out.
type Runner struct {
	Out      string
	Log      *slog.Logger
	Progress func(Progress)  // called after each step, and after each batch of predictions
	Stop     <-chan struct{} // closed to end the training after the epoch under way

	// how Ablate lengthens no-stage1: rundir.EqualSteps or rundir.EqualTime; "" if not
	Equal string

	TensorBoard bool // write event files too; a resumed run with an event file always continues it

	number, count int // see Progress
}

// A Progress tells how far an operation is that trains seeds, one after the other.
type Progress struct {
	train.Progress
	Dir           rundir.Dir // of the seed that is trained
	Number, Count int        // Dir is the Number-th, from 1 on, of Count seeds
}

// TimeLeft estimates the time for the rest of this seed and for the seeds after it, as if they had
// the same work.
func (p *Progress) TimeLeft() train.Estimate { return p.Left.Add(p.Count-p.Number, p.Whole) }

// Train trains the seeds of a new run one after the other and tests them at all missing rates. It
// returns the run's directory, which [rundir.ChooseDir] chooses, and the scores. After Stop, and if
// ctx is cancelled, the error is a [*train.Interrupted].
func (r *Runner) Train(
	ctx context.Context, c settings.Config, seeds []uint64,
) (dir string, s *tables.Summary, err error) {
	data, err := r.openData(&c)
	if err != nil {
		return "", nil, err
	}
	defer data.Close()
	if err := data.Check(&c); err != nil {
		return "", nil, err
	}
	r.logStart(&c, seeds)
	c.Seed = seeds[0]
	use, err := data.Prepare(&c, r.Log)
	if err != nil {
		return "", nil, err
	}
	if err := rundir.CheckSpace(r.Out, use.Peak+int64(len(seeds)-1)*use.End); err != nil {
		return "", nil, err
	}
	dirs, err := r.createSeeds(&c, seeds, func() (string, error) {
		return rundir.ChooseDir(r.Out, &c, seeds)
	})
	if err != nil {
		return "", nil, err
	}
	return r.finish(ctx, data, dirs)
}

// logStart says what is trained before the model is made, which takes a while.
func (r *Runner) logStart(c *settings.Config, seeds []uint64) {
	model := c.Spec().Label
	if v := c.SelectedVariant(); v.Name != fullVariant {
		model += ", " + v.Label + ","
	}
	key := "seeds"
	if len(seeds) == 1 {
		key = "seed"
	}
	r.Log.Info("training "+model+" on "+c.Dataset, key, strings.Trim(fmt.Sprint(seeds), "[]"),
		"preset", c.Preset, "device", c.Device)
}

// Resume continues the unfinished seeds of the run in dir, or the one seed whose directory dir is.
// It returns the same as [Runner.Train].
func (r *Runner) Resume(
	ctx context.Context, dir string,
) (run string, s *tables.Summary, err error) {
	dirs, err := rundir.PlannedSeeds(dir)
	if err != nil {
		return "", nil, err
	}
	c, err := dirs[0].Config()
	if err != nil {
		return "", nil, err
	}
	data, err := r.openData(&c)
	if err != nil {
		return "", nil, err
	}
	defer data.Close()
	return r.finish(ctx, data, dirs)
}

// finish trains the unfinished seeds in dirs. It returns the directory of their run and the scores
// of all its seeds.
func (r *Runner) finish(
	ctx context.Context, data *train.Data, dirs []rundir.Dir,
) (run string, s *tables.Summary, err error) {
	run = dirs[0].Run()
	r.number, r.count = 0, unfinished(dirs)
	if err := r.trainSeeds(ctx, data, dirs); err != nil {
		return run, nil, err
	}
	s, err = summarize(run, nil, data)
	return run, s, err
}

// summarize returns the scores of seeds of a run, all if seeds is nil, with those of the constant
// predictor.
func summarize(run string, seeds []uint64, data *train.Data) (*tables.Summary, error) {
	s, err := tables.SummarizeSeeds(run, seeds)
	if err != nil {
		return nil, err
	}
	return s, addBaselines(s, data)
}

// Ablate trains several variants of a configuration and returns their summaries in the same order.
// If there is already a run of a configuration, its finished seeds are reused and its unfinished
// ones continued. In the test, the modalities in drop are removed completely. If [Runner.Equal] is
// set, the variant no-stage1 trains stage 2 longer, as full, which must be before it, trains both.
func (r *Runner) Ablate(
	ctx context.Context, variants []settings.Config, seeds []uint64, drop []zoo.Modality,
) ([]*tables.Summary, error) {
	variants = slices.Clone(variants)
	data, err := r.openData(&variants[0])
	if err != nil {
		return nil, err
	}
	defer data.Close()
	for i := range variants {
		variants[i].Dataset = variants[0].Dataset
		if err := data.Check(&variants[i]); err != nil {
			return nil, err
		}
	}
	r.Log.Info(fmt.Sprintf("training %d variants of %s", len(variants), variants[0].Spec().Label),
		"seeds", strings.Trim(fmt.Sprint(seeds), "[]"))
	variants[0].Seed = seeds[0]
	if _, err := data.Prepare(&variants[0], r.Log); err != nil { // before there is a directory
		return nil, err
	}
	var all []*tables.Summary
	var full []rundir.Dir
	r.number, r.count = 0, len(variants)*len(seeds)
	for _, c := range variants {
		base := c.Variant
		if r.Equal != "" && c.Variant == withoutStage1 {
			if err := r.lengthen(&c, data, full); err != nil {
				return nil, err
			}
			base += "-" + r.Equal
		}
		dirs, err := r.createSeeds(&c, seeds, func() (string, error) {
			return rundir.ReuseDir(r.Out, base, &c, seeds)
		})
		if err != nil {
			return nil, err
		}
		if c.Variant == fullVariant {
			full = dirs
		}
		r.count -= len(dirs) - unfinished(dirs)
		if err := r.trainSeeds(ctx, data, dirs); err != nil {
			return nil, err
		}
		s, err := summarize(dirs[0].Run(), seeds, data)
		if err == nil && len(drop) > 0 {
			s, err = evaluate(ctx, dirs, setOf(data), EvalOptions{Drop: drop}, r.Log)
		}
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

// unfinished counts the seeds that are not finished.
func unfinished(dirs []rundir.Dir) int {
	return len(slices.DeleteFunc(slices.Clone(dirs), rundir.Dir.Finished))
}

// openData opens the device, the data and the pretrained text encoder of a run, so that an error
// is returned before the run has a directory.
func (r *Runner) openData(c *settings.Config) (*train.Data, error) {
	if _, err := ag.Open(c.DeviceName()); err != nil {
		return nil, fmt.Errorf("runs: %w", err)
	}
	data, err := train.Open(c)
	if err != nil {
		return nil, err
	}
	for _, w := range data.Set.Warnings {
		r.Log.Warn(w, "file", c.Data.File)
	}
	warning, err := data.Warning(c)
	if err != nil {
		return nil, errors.Join(err, data.Close())
	}
	if warning != "" {
		r.Log.Warn(warning, "model", c.Spec().Label)
	}
	return data, nil
}

// trainSeeds trains the unfinished seeds of a run, and completes what a killed process has left
// undone in its directory.
func (r *Runner) trainSeeds(ctx context.Context, data *train.Data, dirs []rundir.Dir) error {
	meter := train.NewMeter()
	for _, d := range dirs {
		c, err := d.Config()
		if err != nil {
			return err
		}
		if d.Finished() {
			if err := data.CheckOrigin(d, &c); err != nil {
				return err
			}
			r.Log.Info("finished already", "run", string(d))
		} else if err := d.WithLock(func() error {
			return r.trainSeed(ctx, c, data, d, meter)
		}); err != nil {
			return err
		}
	}
	return repair(dirs[0].Run())
}

// trainSeed trains and tests one seed and updates the run's summary. All seeds of the run must come
// from the same data.
func (r *Runner) trainSeed(
	ctx context.Context, c settings.Config, data *train.Data, d rundir.Dir, meter *train.Meter,
) error {
	all, err := rundir.SeedSubdirs(d.Run())
	if err != nil {
		return err
	}
	for _, other := range all {
		if err := data.CheckOrigin(other, &c); err != nil {
			return err
		}
	}
	r.number++
	now := Progress{Dir: d, Number: r.number, Count: r.count}
	o := train.Options{Log: r.Log, Meter: meter, TensorBoard: r.TensorBoard, Stop: r.Stop,
		Progress: func(p train.Progress) {
			now.Progress = p
			r.Progress(now)
		}}
	if err := train.Seed(ctx, c, data, d, o); err != nil {
		return err
	}
	return updateSummary(d.Run())
}
