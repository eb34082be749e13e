package figure

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
)

// drawings have what figures can have: curves with bands, gaps, one point, and more points than
// have markers; automatic and given limits; the shares of a matrix; every colour and marker.
func drawings() map[string]*Figure {
	var long Curve
	for i := range 13 {
		long.X = append(long.X, float64(i))
		long.Y = append(long.Y, math.Abs(float64(i)-4)/10)
	}
	long.Name, long.Y[11] = "thirteen epochs", math.Inf(-1)
	few := Curve{Name: "three epochs", X: []float64{1, 2, 3}, Y: []float64{0, 0, 0}}
	rates := []float64{0, 0.25, 0.5, 0.75, 0.9}
	curves := []Panel{
		{Title: "bands", X: "missing rate r", Y: "Acc-2 (%) ↑", Curves: []Curve{
			{Name: "RECAP", X: rates, Y: []float64{90, 85, 80, 72, 60},
				YError: []float64{1, 2, 3, 2, 5}},
			{Name: "a gap", X: rates, Y: []float64{84, 83, nan, 70, 66},
				YError: []float64{3, 1, 1, 1, 0}}}},
		{Title: "limits", X: "missing rate r", Y: "Corr ↑", YRange: [2]float64{-0.5, 1},
			Curves: []Curve{{Name: "a gap", X: rates, Y: []float64{0.9, 0.5, 0.3, 0, -0.2}},
				{X: []float64{0, 0.9}, Y: []float64{0.2, 0.2}}}},
		{Title: "epochs", X: "epoch", Y: "loss", IntegerX: true, Curves: []Curve{long}},
		{Title: "one", X: "epoch", Y: "loss", IntegerX: true, Curves: []Curve{
			{Name: "one epoch", X: []float64{1}, Y: []float64{0.5}}}},
	}
	var many []Curve
	for i := range 7 {
		many = append(many, Curve{Name: fmt.Sprint("curve ", i), X: rates[:2],
			Y: []float64{float64(i), float64(i)}})
	}
	var points []Cloud
	for m := Circle; m <= OpenTriangle; m++ {
		points = append(points, Cloud{Name: fmt.Sprint("cloud ", int(m)), Color: Color(m),
			Marker: m, Points: [][2]float64{{float64(m), 0}, {0, float64(2 * m)}}})
	}
	matrix := Confusion{Title: "two", Classes: []string{"negative", "positive"},
		Counts: [][]int{{30, 10}, {0, 0}}}
	three := Confusion{Title: "three", Classes: []string{"−1", "0", "1"},
		Counts: [][]int{{4, 6, 0}, {41, 59, 0}, {1, 1, 8}}}
	return map[string]*Figure{"curves": Curves(2, curves...), "narrow": Curves(3, Panel{Title: "a",
		Curves: many}, curves[3], curves[1], curves[0]),
		"column":     Curves(1, Panel{X: "epoch", IntegerX: true, Curves: []Curve{few}}),
		"confusions": Confusions(matrix, three, matrix), "confusion": Confusions(three),
		"scatters": Scatters(2, Scatter{Title: "all", Clouds: points}, Scatter{Title: "one point",
			Clouds: []Cloud{{Name: "cloud 0", Points: [][2]float64{{5, 5}}}}},
			Scatter{Title: "no point"}),
		"scatter": Scatters(3, Scatter{Title: "flat",
			Clouds: []Cloud{{Name: "x", Points: [][2]float64{{-1, 2}, {3, 2}}}}})}
}

var numbers = regexp.MustCompile(`-?[0-9]+(\.[0-9]+)?`)

// TestDrawings compares drawings with those in testdata, which were looked at. A number may differ
// by 0.005 points, as rounding may be another on another processor.
func TestDrawings(t *testing.T) {
	for name, f := range drawings() {
		var got bytes.Buffer
		if err := f.WriteSVG(&got); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join("testdata", name+".svg")
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		a, b := numbers.FindAllString(got.String(), -1), numbers.FindAllString(string(want), -1)
		same := len(a) == len(b) && bytes.Equal(numbers.ReplaceAll(got.Bytes(), nil),
			numbers.ReplaceAll(want, nil))
		for i := 0; same && i < len(a); i++ {
			x, _ := strconv.ParseFloat(a[i], 64)
			y, _ := strconv.ParseFloat(b[i], 64)
			same = math.Abs(x-y) <= 0.005
		}
		if !same {
			drawn := filepath.Join(os.TempDir(), "drawn-"+name+".svg")
			if err := os.WriteFile(drawn, got.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
			t.Errorf("%s is drawn in another way, as in %s; if that is right, copy it to %s", name,
				drawn, path)
		}
	}
}
