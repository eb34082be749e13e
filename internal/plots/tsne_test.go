package plots

import (
	"math"
	"slices"
	"testing"

	"gonum.org/v1/gonum/mat"

	"github.com/seed-6655bf3b/recap/internal/figure"
)

// TestEmbed has three clouds in each of two panels: the points of a cloud are near each other in
// the plane. Every step is counted once.
func TestEmbed(t *testing.T) {
	of := func(from, n int) *mat.Dense {
		x := mat.NewDense(n, 3, nil)
		for i := range n {
			x.Set(i, 0, float64(1000*from))
			x.Set(i, 1, float64(i))
		}
		return x
	}
	clouds := func() []figure.Cloud { return []figure.Cloud{{Name: "a"}, {Name: "b"}, {Name: "c"}} }
	var steps []int
	got := embed([]panel{{"first", clouds(), []*mat.Dense{of(0, 5), of(1, 6), of(2, 7)}},
		{"second", clouds(), []*mat.Dense{of(3, 3), of(9, 4), of(5, 5)}}},
		func(doing string, done, total int) {
			if doing != "t-SNE" || total != 2*iterations {
				t.Errorf("%s, %d steps", doing, total)
			}
			steps = append(steps, done)
		})
	if len(steps) != 2*iterations || !slices.IsSorted(steps) || steps[0] != 0 ||
		steps[len(steps)-1] != 2*iterations-1 {
		t.Errorf("%d steps", len(steps))
	}
	for i, want := range []struct {
		title string
		sizes []int
	}{{"first", []int{5, 6, 7}}, {"second", []int{3, 4, 5}}} {
		if got[i].Title != want.title {
			t.Errorf("panel %d is %s, want %s", i, got[i].Title, want.title)
		}
		for j, cloud := range got[i].Clouds {
			if len(cloud.Points) != want.sizes[j] {
				t.Fatalf("%s, cloud %s: %d points, want %d", want.title, cloud.Name,
					len(cloud.Points), want.sizes[j])
			}
			for k, other := range got[i].Clouds {
				if k != j && distance(cloud.Points[0], other.Points[0]) <
					distance(cloud.Points[0], cloud.Points[1]) {
					t.Errorf("%s: clouds %s and %s are mixed", want.title, cloud.Name, other.Name)
				}
			}
		}
	}
}

func distance(a, b [2]float64) float64 { return math.Hypot(a[0]-b[0], a[1]-b[1]) }

// TestCheckFinite names the panel with a feature that is no number, and the feature.
func TestCheckFinite(t *testing.T) {
	panels := []panel{{title: "a", x: []*mat.Dense{mat.NewDense(1, 2, []float64{1, 2})}},
		{title: "b", x: []*mat.Dense{mat.NewDense(1, 1, []float64{1}),
			mat.NewDense(2, 1, []float64{1, 0})}}}
	if err := checkFinite(panels); err != nil {
		t.Error(err)
	}
	for v, text := range map[float64]string{math.NaN(): "NaN", math.Inf(1): "+Inf",
		math.Inf(-1): "-Inf"} {
		panels[1].x[1].Set(1, 0, v)
		want := "b: expected finite features, found " + text + "; train the run again"
		if err := checkFinite(panels); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
