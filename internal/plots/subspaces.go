package plots

import (
	"context"
	"fmt"
	"log/slog"
	"slices"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/datasets"
	"github.com/seed-6655bf3b/recap/internal/figure"
	"github.com/seed-6655bf3b/recap/internal/results"
	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/train"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// maxShown is the largest number of test utterances in the figure.
const maxShown = 200

// Subspaces returns a figure of the features after stage 1, by t-SNE of test utterances, as the
// paper's Figure 6. The parameters are the snapshot of stage 1 of the first finished seed in dir,
// or of the seed whose directory dir is. The model is computed on the named device, "" for the
// run's.
//
//	a, b  the spaces in which FID compares language and vision, shared and unique, at the first rate
//	c, d  generated features X'_m and real features X_m, at each rate
//	e, f  reconstructed features E_rec(X'_m) and their targets, the standardised X_m, at each rate
//
// The paper has a to d. Its objective does not bring X'_m close to X_m, only E_rec(X'_m):
// therefore e and f. Panels of components that the variant does not have are left out, with a
// warning in the log. It is an error if the model is not an [Inspector], has no stage 1, or has
// features that are not finite.
func Subspaces(
	ctx context.Context, dir string, rates []float64, device string, log *slog.Logger,
	progress Progress,
) (Figure, error) {
	d, err := rundir.FirstFinished(dir)
	if err != nil {
		return Figure{}, err
	}
	c, err := d.Config()
	if err != nil {
		return Figure{}, err
	}
	c.MoveTo(device)
	p, err := train.OpenPredictor(d, &c)
	if err != nil {
		return Figure{}, err
	}
	if err := restoreSnapshot(d, p.Learner); err != nil {
		return Figure{}, err
	}
	set, err := train.OpenData(&c)
	if err != nil {
		return Figure{}, err
	}
	split, err := train.Fit(set.Test, p.Dims, log)
	if err != nil {
		return Figure{}, err
	}
	progress("features", 0, 1)
	panels, err := panelsOf(ctx, p, split, rates, log)
	if err == nil {
		err = checkFinite(panels)
	}
	if err != nil {
		return Figure{}, fmt.Errorf("plots: %s: %w", d, err)
	}
	f := figure.Scatters(2, embed(panels, progress)...)
	f.Alt = fmt.Sprintf("t-SNE of %d test utterances after stage 1: the spaces in which FID "+
		"compares language and vision, "+
		"and generated and real features; %s, %s, seed %d.",
		min(maxShown, split.Len()), c.Dataset, c.SelectedVariant().Label, c.Seed)
	return Figure{"tsne", f}, nil
}

// A Progress is called now and then with what is computed, how many steps of it are done, and how
// many there are.
type Progress func(doing string, done, total int)

// An Inspector is a model that returns the features of its first stage, [B L d] for each modality.
// RECAP's model implements it and describes the methods.
type Inspector interface {
	Inspect(tp *ag.Tape, in *zoo.Input) (embedded, completed [zoo.Modalities]*ag.Tensor,
		out zoo.Output)
	Subspaces(tp *ag.Tape, language, vision *ag.Tensor) (shared, unique [2]*ag.Tensor, ok bool)
	Reconstruct(
		tp *ag.Tape, complete, completed [zoo.Modalities]*ag.Tensor,
	) (target, reconstructed [zoo.Modalities]*ag.Tensor, ok bool)
}

// restoreSnapshot loads the parameters that were saved at the end of stage 1.
func restoreSnapshot(d rundir.Dir, l *train.Learner) error {
	phases := l.Model.Phases()
	i := slices.IndexFunc(phases, func(ph zoo.Phase) bool { return len(ph.Snapshot) > 0 })
	if _, ok := l.Model.(Inspector); !ok || i < 0 {
		return fmt.Errorf("plots: %s: expected a run of RECAP with stage 1, found one without", d)
	}
	if err := rundir.LoadTensors(d.File(rundir.SnapshotFile(phases[i].Name)),
		phases[i].Snapshot); err != nil {
		return fmt.Errorf("plots: snapshot of stage 1: %w; it is written at the end of stage 1: "+
			"train the run again", err)
	}
	return nil
}

// panelsOf computes the features in the panels.
func panelsOf(
	ctx context.Context, p *train.Predictor, s *datasets.Split, rates []float64, log *slog.Logger,
) ([]panel, error) {
	model := p.Model.(Inspector)
	var spaces, generated, reconstructed []panel
	for i, rate := range rates {
		complete, completed, err := features(ctx, p, model, s, rate)
		if err != nil {
			return nil, err
		}
		p.Tape.Reset()
		suffix := ", r = " + results.FormatNumber(rate)
		x, real := tensors(p, completed), tensors(p, complete)
		if i == 0 {
			shared, unique, ok := model.Subspaces(p.Tape, x[zoo.Language], x[zoo.Vision])
			if ok {
				spaces = append(spaces,
					compareModalities("shared"+suffix, shared),
					compareModalities("unique"+suffix, unique))
			} else {
				log.Warn("the variant does not have FID or has only a part of it: no subspaces are shown")
			}
		}
		generated = append(generated, compareGenerated("generated and real"+suffix, real, x))
		target, y, ok := model.Reconstruct(p.Tape, real, x)
		if ok {
			reconstructed = append(reconstructed,
				compareGenerated("reconstructed and real"+suffix, target, y))
		} else if i == 0 {
			log.Warn("the variant does not have a reconstructor: no reconstructed features are shown")
		}
	}
	all := slices.Concat(spaces, generated, reconstructed)
	for i := range all {
		all[i].title = fmt.Sprintf("(%c) %s", 'a'+i, all[i].title)
	}
	return all, p.Device.Sync()
}

// hostFeatures are the features [N L d] of each modality in host memory.
type hostFeatures struct {
	shape  []int
	values [zoo.Modalities][]float32
}

// add appends the features [B L d] of a batch.
func (f *hostFeatures) add(x [zoo.Modalities]*ag.Tensor) {
	for m := range x {
		for _, v := range x[m].Values() {
			f.values[m] = append(f.values[m], float32(v))
		}
	}
	f.shape = slices.Clone(x[0].Shape())
	f.shape[0] = len(f.values[0]) / (f.shape[1] * f.shape[2])
}

// features returns the features of at most maxShown utterances: those of the complete input, and
// those that the model completes at a missing rate.
func features(
	ctx context.Context, p *train.Predictor, model Inspector, s *datasets.Split, rate float64,
) (complete, completed hostFeatures, err error) {
	masks := s.KeepMasks(datasets.FixedRates(s.Len(), rate))
	for index := range slices.Chunk(train.EvenlySpaced(s.Len(), maxShown), p.BatchSize) {
		if ctx.Err() != nil {
			return complete, completed, ctx.Err()
		}
		embedded, _, _ := model.Inspect(p.Tape, p.Input(s, index, nil))
		complete.add(embedded)
		_, generated, _ := model.Inspect(p.Tape, p.Input(s, index, masks))
		completed.add(generated)
	}
	return complete, completed, nil
}

// tensors copies features to the device.
func tensors(p *train.Predictor, f hostFeatures) (x [zoo.Modalities]*ag.Tensor) {
	for m := range x {
		x[m] = p.Tape.Input(f.values[m], f.shape...)
	}
	return x
}
