package plots

import (
	"fmt"
	"math"
	"sync"

	"gonum.org/v1/gonum/mat"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/internal/figure"
	"github.com/seed-6655bf3b/recap/internal/tsne"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// Settings of t-SNE.
const (
	perplexity = 30 // at most; less with fewer than 91 points
	iterations = 750
	tsneSeed   = 1
)

// A panel is a scatter plot before t-SNE.
type panel struct {
	title  string
	clouds []figure.Cloud // without points
	x      []*mat.Dense   // the features of each cloud, [N D]
}

// add appends a cloud with the features x [N …].
func (p *panel) add(name string, color figure.Color, marker figure.Marker, x *ag.Tensor) {
	values := x.Values()
	n := x.Shape()[0]
	p.clouds = append(p.clouds, figure.Cloud{Name: name, Color: color, Marker: marker})
	p.x = append(p.x, mat.NewDense(n, len(values)/n, values))
}

// compareModalities returns a panel of the features [N …] of language and vision.
func compareModalities(title string, x [2]*ag.Tensor) panel {
	p := panel{title: title}
	p.add("language", figure.Orange, figure.Circle, x[0])
	p.add("vision", figure.Green, figure.Triangle, x[1])
	return p
}

// compareGenerated returns a panel of the real and the generated features [N …] of each modality.
func compareGenerated(title string, real, generated [zoo.Modalities]*ag.Tensor) panel {
	p := panel{title: title}
	filled := [zoo.Modalities]figure.Marker{figure.Circle, figure.Square, figure.Triangle}
	open := [zoo.Modalities]figure.Marker{figure.OpenCircle, figure.OpenSquare,
		figure.OpenTriangle}
	for m, name := range modalityTitles {
		p.add("real "+name, figure.Blue, filled[m], real[m])
		p.add("generated "+name, figure.Vermillion, open[m], generated[m])
	}
	return p
}

// checkFinite returns an error if a feature is NaN or infinite.
func checkFinite(panels []panel) error {
	for _, p := range panels {
		for _, x := range p.x {
			for _, v := range x.RawMatrix().Data {
				if math.IsNaN(v) || math.IsInf(v, 0) {
					return fmt.Errorf(
						"%s: expected finite features, found %v; train the run again", p.title, v,
					)
				}
			}
		}
	}
	return nil
}

// embed maps the features of each panel to points in the plane by t-SNE.
func embed(panels []panel, progress Progress) []figure.Scatter {
	scatters := make([]figure.Scatter, len(panels))
	var mu sync.Mutex
	steps := 0
	step := func() {
		mu.Lock()
		defer mu.Unlock()
		progress("t-SNE", steps, len(panels)*iterations)
		steps++
	}
	var all sync.WaitGroup
	for i, p := range panels {
		all.Go(func() { scatters[i] = p.embed(step) })
	}
	all.Wait()
	return scatters
}

// embed maps the features of all clouds together, and calls step before each iteration.
func (p *panel) embed(step func()) figure.Scatter {
	x := mat.DenseCopyOf(p.x[0])
	for _, next := range p.x[1:] {
		var stacked mat.Dense
		stacked.Stack(x, next)
		x = &stacked
	}
	n, _ := x.Dims()
	y, _ := tsne.Embed(x, tsne.Options{Perplexity: min(perplexity, float64(n-1)/3),
		Iterations: iterations, Seed: tsneSeed, Step: step})
	for i := range p.clouds {
		n, _ := p.x[i].Dims()
		p.clouds[i].Points, y = y[:n], y[n:]
	}
	return figure.Scatter{Title: p.title, Clouds: p.clouds}
}
