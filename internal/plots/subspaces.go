package plots

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"os"
	"slices"
	"sync"

	"gonum.org/v1/gonum/mat"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/datasets"
	"github.com/seed-6655bf3b/recap/internal/figure"
	"github.com/seed-6655bf3b/recap/internal/results"
	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/train"
	"github.com/seed-6655bf3b/recap/internal/tsne"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// Of the pictures of features.
const (
	maxShown   = 200 // utterances
	perplexity = 30  // about, where there are as many points
	iterations = 750
	placesSeed = 1 // of t-SNE
)

// Subspaces shows what stage 1 learned, by t-SNE of test utterances, as the paper's Figure 6: of
// the first finished seed of a run, or the one whose directory is given, as it was when stage 1
// ended, on a device, by default the run's.
//
//	a, b  the spaces in which FID compares language and vision, shared and unique (recap.Model.Subspaces), at the first rate
//	c, d  generated features X'_m against real ones X_m, at each rate
//	e, f  the same after the reconstructor, E_rec(X'_m), against what it is trained to make of them, X_m standardised, at each rate
//
// The paper has a to d. Nothing in its objective brings X'_m to where X_m is, only E_rec(X'_m):
// hence e and f. What a variant is without is left out, and the log says so.
func Subspaces(ctx context.Context, dir string, rates []float64, device string, log *slog.Logger) (Picture, error) {
	d, err := rundir.FirstFinished(dir)
	if err != nil {
		return Picture{}, err
	}
	c, err := d.Config()
	if err != nil {
		return Picture{}, err
	}
	c.MoveTo(device)
	p, err := train.OpenPredictor(d, &c)
	if err != nil {
		return Picture{}, err
	}
	if err := restoreSnapshot(d, p.Learner); err != nil {
		return Picture{}, err
	}
	set, err := train.OpenData(&c)
	if err != nil {
		return Picture{}, err
	}
	split, err := train.Fit(set.Test, p.Dims, log)
	if err != nil {
		return Picture{}, err
	}
	panels, err := panelsOf(ctx, p, split, rates, log)
	if err == nil {
		err = finite(panels)
	}
	if err != nil {
		return Picture{}, fmt.Errorf("plots: %s: %w", d, err)
	}
	f := figure.Scatters(2, embed(panels)...)
	f.Alt = fmt.Sprintf("t-SNE of %d test utterances after stage 1: the spaces in which FID compares language and vision, and generated against real features; %s, %s, seed %d.",
		min(maxShown, split.Len()), c.Dataset, c.SelectedVariant().Label, c.Seed)
	return Picture{"tsne", f}, nil
}

// Inspector is implemented by a model that can show the features of its first stage, all [B L d], one
// tensor a modality: RECAP (recap.Model, where the methods are described).
type Inspector interface {
	Inspect(tp *ag.Tape, in *zoo.Input) (embedded, completed [zoo.Modalities]*ag.Tensor, out zoo.Output)
	Subspaces(tp *ag.Tape, language, vision *ag.Tensor) (shared, unique [2]*ag.Tensor, ok bool)
	Reconstruct(tp *ag.Tape, complete, completed [zoo.Modalities]*ag.Tensor) (target, made [zoo.Modalities]*ag.Tensor, ok bool)
}

// restoreSnapshot sets the model to what it was when stage 1 ended, as far as pictures need it.
func restoreSnapshot(d rundir.Dir, l *train.Learner) error {
	phases := l.Model.Phases()
	i := slices.IndexFunc(phases, func(ph zoo.Phase) bool { return len(ph.Snapshot) > 0 })
	if _, ok := l.Model.(Inspector); !ok || i < 0 {
		return fmt.Errorf("plots: %s: expected a run of RECAP with stage 1, found one without", d)
	}
	path := d.File(rundir.SnapshotFile(phases[i].Name))
	file, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("plots: what stage 1 learned: %w; it is written when stage 1 ends: train the run again", err)
	}
	if err := nn.Load(file, phases[i].Snapshot); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// A cloudMap is a panel before t-SNE.
type cloudMap struct {
	title  string
	clouds []figure.Cloud // without points
	x      []*mat.Dense   // theirs, [N D]
}

func (m *cloudMap) add(name string, color figure.Color, marker figure.Marker, x *ag.Tensor) {
	values := x.Values()
	n := x.Shape()[0]
	m.clouds = append(m.clouds, figure.Cloud{Name: name, Color: color, Marker: marker})
	m.x = append(m.x, mat.NewDense(n, len(values)/n, values))
}

// panelsOf computes what the panels show.
func panelsOf(ctx context.Context, p *train.Predictor, s *datasets.Split, rates []float64, log *slog.Logger) ([]cloudMap, error) {
	model := p.Model.(Inspector)
	var spaces, generated, reconstructed []cloudMap
	for i, rate := range rates {
		complete, completed, err := features(ctx, p, model, s, rate)
		if err != nil {
			return nil, err
		}
		p.Tape.Reset()
		at := ", r = " + results.FormatNumber(rate)
		made, real := tensors(p, completed), tensors(p, complete)
		if i == 0 {
			shared, unique, ok := model.Subspaces(p.Tape, made[zoo.Language], made[zoo.Vision])
			if ok {
				spaces = append(spaces, betweenModalities("shared"+at, shared), betweenModalities("unique"+at, unique))
			} else {
				log.Warn("the variant is without FID, or a part of it: no subspaces are shown")
			}
		}
		generated = append(generated, realAndMade("generated and real"+at, real, made))
		target, rebuilt, ok := model.Reconstruct(p.Tape, real, made)
		if ok {
			reconstructed = append(reconstructed, realAndMade("reconstructed and real"+at, target, rebuilt))
		} else if i == 0 {
			log.Warn("the variant is without reconstructor: no reconstructed features are shown")
		}
	}
	all := slices.Concat(spaces, generated, reconstructed)
	for i := range all {
		all[i].title = fmt.Sprintf("(%c) %s", 'a'+i, all[i].title)
	}
	return all, p.Device.Sync()
}

func betweenModalities(title string, x [2]*ag.Tensor) cloudMap {
	m := cloudMap{title: title}
	m.add("language", figure.Orange, figure.Circle, x[0])
	m.add("vision", figure.Green, figure.Triangle, x[1])
	return m
}

func realAndMade(title string, real, made [zoo.Modalities]*ag.Tensor) cloudMap {
	m := cloudMap{title: title}
	filled := [zoo.Modalities]figure.Marker{figure.Circle, figure.Square, figure.Triangle}
	open := [zoo.Modalities]figure.Marker{figure.OpenCircle, figure.OpenSquare, figure.OpenTriangle}
	for i, name := range modalityTitles {
		m.add("real "+name, figure.Blue, filled[i], real[i])
		m.add("generated "+name, figure.Vermillion, open[i], made[i])
	}
	return m
}

// hostFeatures are features [N L d] of each modality.
type hostFeatures struct {
	shape  []int
	values [zoo.Modalities][]float32
}

// add appends a batch.
func (f *hostFeatures) add(x [zoo.Modalities]*ag.Tensor) {
	for m := range x {
		for _, v := range x[m].Values() {
			f.values[m] = append(f.values[m], float32(v))
		}
	}
	f.shape = slices.Clone(x[0].Shape())
	f.shape[0] = len(f.values[0]) / (f.shape[1] * f.shape[2])
}

// features returns the complete features of utterances of a split and those completed at a missing
// rate.
func features(ctx context.Context, p *train.Predictor, model Inspector, s *datasets.Split, rate float64) (complete, completed hostFeatures, err error) {
	masks := s.KeepMasks(datasets.FixedRates(s.Len(), rate))
	for index := range slices.Chunk(train.EvenlySpaced(s.Len(), maxShown), p.BatchSize) {
		if ctx.Err() != nil {
			return complete, completed, ctx.Err()
		}
		whole, _, _ := model.Inspect(p.Tape, p.Input(s, index, nil))
		complete.add(whole)
		_, made, _ := model.Inspect(p.Tape, p.Input(s, index, masks))
		completed.add(made)
	}
	return complete, completed, nil
}

func tensors(p *train.Predictor, f hostFeatures) (x [zoo.Modalities]*ag.Tensor) {
	for m := range x {
		x[m] = p.Tape.Input(f.values[m], f.shape...)
	}
	return x
}

func finite(maps []cloudMap) error {
	for _, m := range maps {
		for _, x := range m.x {
			for _, v := range x.RawMatrix().Data {
				if math.IsNaN(v) || math.IsInf(v, 0) {
					return fmt.Errorf("%s: expected finite features, found %v; train the run again", m.title, v)
				}
			}
		}
	}
	return nil
}

// embed places the points of each map in the plane.
func embed(maps []cloudMap) []figure.Scatter {
	panels := make([]figure.Scatter, len(maps))
	var all sync.WaitGroup
	for i, m := range maps {
		all.Go(func() {
			x := mat.DenseCopyOf(m.x[0])
			for _, more := range m.x[1:] {
				var both mat.Dense
				both.Stack(x, more)
				x = &both
			}
			n, _ := x.Dims()
			y, _ := tsne.Embed(x, tsne.Options{Perplexity: min(perplexity, float64(n-1)/3), Iterations: iterations, Seed: placesSeed})
			panels[i] = figure.Scatter{Title: m.title, Clouds: m.clouds}
			for j := range m.clouds {
				k, _ := m.x[j].Dims()
				m.clouds[j].Points, y = y[:k], y[k:]
			}
		})
	}
	all.Wait()
	return panels
}
