package zoo_test

import (
	"math"
	"slices"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/autograd/agtest"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
	"github.com/seed-6655bf3b/recap/nn/zoo/zootest"
)

// viewsOf returns views of width 1: all holds the samples of the three private views, then of the
// three shared ones. The targets are 0.
func viewsOf(dev ag.Device, tp *ag.Tape, all ...float64) *zoo.Views {
	return wideViews(dev, tp, 1, all)
}

// wideViews returns views of any width.
func wideViews(dev ag.Device, tp *ag.Tape, width int, all []float64) *zoo.Views {
	half, n := len(all)/2, len(all)/6/width
	private := ag.NewParam(dev, all[:half], 3, n, width)
	shared := ag.NewParam(dev, all[half:], 3, n, width)
	return &zoo.Views{Target: tp.Full(0, 3, n, width), Private: private, Shared: shared,
		All: tp.Concat(0, private, shared)}
}

// viewTerms returns the three terms. The reconstruction of modality m is m+1 times the sum of its
// views.
func viewTerms(dev ag.Device, tp *ag.Tape, v *zoo.Views) []zoo.Term {
	var r [zoo.Modalities]*nn.Linear
	width := v.Private.Shape()[2]
	for m := range r {
		w := make([]float64, width*width)
		for k := range width {
			w[k*width+k] = float64(m + 1)
		}
		r[m] = &nn.Linear{W: ag.NewTensor(dev, w, width, width)}
	}
	return v.Terms(tp, r, zoo.ViewWeights{Diff: 0.1, Sim: 0.3, Recon: 0.7})
}

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if !(math.Abs(got-want) <= 1e-9*max(1, math.Abs(want))) {
		t.Errorf("%s is %.12g, want %.12g", what, got, want)
	}
}

// TestOrthogonalPairs checks which pairs L_diff has. Two samples of a view of width 1 are ±1 after
// centring and division by their norms, so that D = (1 + 1)² for a pair, and 0 with a view of
// zeros. Where the difference of the samples is as small as the 1e-6 that is added to the norms,
// they are ±1/2.
func TestOrthogonalPairs(t *testing.T) {
	dev := zootest.Open(t, "cpu64")
	pairs := [][2]int{{0, 3}, {1, 4}, {2, 5}, {0, 1}, {0, 2}, {1, 2}}
	for i := range 6 {
		for j := i + 1; j < 6; j++ {
			x := make([]float64, 12)
			copy(x[2*i:], []float64{5, 1})
			copy(x[2*j:], []float64{-7, 3})
			tp, want := ag.NewTape(dev), 0.0
			if slices.Contains(pairs, [2]int{i, j}) {
				want = 4
			}
			terms := viewTerms(dev, tp, viewsOf(dev, tp, x...))
			if got := terms[0].Loss.Item(); math.Abs(got-want) > 1e-5 {
				t.Errorf("views %d and %d alone have L_diff = %g, want %g", i, j, got, want)
			}
		}
	}
	tp, x := ag.NewTape(dev), make([]float64, 12)
	copy(x, []float64{2e-6, 0, -1e-6, 1e-6})
	near(t, "L_diff of small views", viewTerms(dev, tp, viewsOf(dev, tp, x...))[0].Loss.Item(),
		0.25)
}

// TestMeanOfSquares checks that D is a mean: with two equal columns each of the four elements of
// XᵀY is 1/2 + 1/2.
func TestMeanOfSquares(t *testing.T) {
	dev := zootest.Open(t, "cpu64")
	tp, x := ag.NewTape(dev), make([]float64, 24)
	copy(x, []float64{1e6, 1e6, 0, 0, 3e6, 3e6, 0, 0}) // so large that 1e-6 is nothing
	near(t, "L_diff", viewTerms(dev, tp, wideViews(dev, tp, 2, x))[0].Loss.Item(), 1)
}

// TestNormsAreConstant checks the gradient of L_diff with numbers computed by hand. The samples of
// a view are n and −n after centring and have norm n. With constant norms each of its k pairs has
// the gradient 2·(1+1)·(1/n, −1/n); if norms had gradients it would be 0, because ±1 does not
// depend on n.
func TestNormsAreConstant(t *testing.T) {
	dev := zootest.Open(t, "cpu64")
	tp := ag.NewTape(dev)
	v := viewsOf(dev, tp, 5, 1, 3, 2, 9, 1, 1, 0, 8, 7.75, 2, 1.5) // n: 2, 1/2, 4, 1/2, 1/8, 1/4
	terms := viewTerms(dev, tp, v)
	if got := terms[0].Loss.Item(); math.Abs(got-24) > 1e-3 {
		t.Errorf("L_diff is %g, want 24", got)
	}
	grads := tp.Backward(terms[0].Loss)
	got := append(grads[v.Private].Values(), grads[v.Shared].Values()...)
	// private views are in three pairs, shared views in one
	want := []float64{6, -6, 24, -24, 3, -3, 8, -8, 32, -32, 16, -16}
	for i := range want {
		if math.Abs(got[i]-want[i]) > 1e-3 {
			t.Errorf("element %d of the gradient is %g, want %g", i, got[i], want[i])
		}
	}
}

// TestSimilarity compares with numbers computed by hand: 0, 0, 3 has mean 1 and central moments 2,
// 2, 6 and 10, and 4, 4, 4 has mean 4 and moments 0. Each root of two equal moments is 1e-6.
func TestSimilarity(t *testing.T) {
	dev := zootest.Open(t, "cpu64")
	for want, shared := range map[float64][]float64{
		5e-6:                                  {4, 4, 4, 4, 4, 4, 4, 4, 4},
		(2*(3+2+2+6+10) + 5e-6) / 3:           {0, 0, 3, 4, 4, 4, 4, 4, 4},
		(2 + 6 + 4 + 2*(2+2+6+10) + 4e-6) / 3: {1, 1, 4, 4, 4, 4, -2, -2, -2},
		(2*(2+2+6+10) + 2e-6 + 5e-6) / 3:      {1, 1, 1, 0, 0, 3, 1, 1, 1},
	} {
		tp := ag.NewTape(dev)
		v := viewsOf(dev, tp, append(make([]float64, 9), shared...)...)
		near(t, "L_sim", viewTerms(dev, tp, v)[1].Loss.Item(), want)
	}
}

// TestReconstruction compares with a number computed by hand, and checks for a gradient of the
// target, and names and weights.
func TestReconstruction(t *testing.T) {
	dev := zootest.Open(t, "cpu64")
	tp := ag.NewTape(dev)
	v := viewsOf(dev, tp, 1, 2, 3, 4, 5, 6, 0.5, 0, 0, 0, 0, 0.5)
	v.Target = ag.NewParam(dev, []float64{1, 1, 2, 2, 3, 3}, 3, 2, 1)
	terms := viewTerms(dev, tp, v)
	// errors 1.5 − 1, 2 − 1, 2·3 − 2, 2·4 − 2, 3·5 − 3, 3·6.5 − 3
	near(t, "L_recon", terms[2].Loss.Item(), (0.25+1+16+36+144+272.25)/6)
	got := tp.Backward(terms[2].Loss)[v.Target].Values()
	for i, want := range []float64{0.5, 1, 4, 6, 12, 16.5} {
		near(t, "the target's gradient", got[i], -want/3)
	}
	for i, want := range []zoo.Term{{Name: "diff", Weight: 0.1}, {Name: "sim", Weight: 0.3},
		{Name: "recon", Weight: 0.7}} {
		if terms[i].Name != want.Name || terms[i].Weight != want.Weight {
			t.Errorf("term %d is %s with weight %g, want %s with %g", i, terms[i].Name,
				terms[i].Weight, want.Name, want.Weight)
		}
	}
}

// TestDifferenceEqualsItsFormula compares L_diff of four samples of width 3 with loops.
func TestDifferenceEqualsItsFormula(t *testing.T) {
	const n, d = 4, 3
	dev := zootest.Open(t, "cpu64")
	tp, all := ag.NewTape(dev), agtest.Noise(1, 6*n*d)
	var unit [6][n][d]float64
	for v := range unit {
		for k := range d {
			mean := 0.0
			for i := range n {
				mean += all[(v*n+i)*d+k] / n
			}
			for i := range n {
				unit[v][i][k] = all[(v*n+i)*d+k] - mean
			}
		}
		for i, row := range unit[v] {
			norm := math.Sqrt(row[0]*row[0]+row[1]*row[1]+row[2]*row[2]) + 1e-6
			for k := range d {
				unit[v][i][k] /= norm
			}
		}
	}
	want := 0.0
	for _, pair := range [][2]int{{0, 3}, {1, 4}, {2, 5}, {0, 1}, {0, 2}, {1, 2}} {
		for j := range d {
			for k := range d {
				sum := 0.0
				for i := range n {
					sum += unit[pair[0]][i][j] * unit[pair[1]][i][k]
				}
				want += sum * sum / (d * d)
			}
		}
	}
	near(t, "L_diff", viewTerms(dev, tp, wideViews(dev, tp, d, all))[0].Loss.Item(), want)
}
