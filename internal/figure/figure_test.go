package figure

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"image/color"
	"image/png"
	"io"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var nan = math.NaN()

func someCurves() *Figure {
	x := []float64{0, 0.5, 1}
	acc := Panel{Title: "a", X: "missing rate r", Y: "Acc-2 (%) ↑", Curves: []Curve{
		{Name: "RECAP", X: x, Y: []float64{90, 85, 70}, Spread: []float64{1, 2, 3}},
		{Name: "w/o <FID> & more", X: x, Y: []float64{89, 84, 71}},
	}}
	corr := Panel{X: "missing rate r", Y: "Corr ↑", Curves: []Curve{{Name: "RECAP", X: x, Y: []float64{0.9, 0.8, 0.5}}, {X: x, Y: x}}}
	f := Curves(2, acc, corr)
	f.Alt = "Curves of <two> runs"
	return f
}

func someScatters() *Figure {
	points := [][2]float64{{0, 0}, {1, 2}, {-3, 1}}
	a := Scatter{Title: "a", Clouds: []Cloud{{Name: "real", Color: Blue, Marker: Circle, Points: points}, {Name: "made", Color: Purple, Marker: Square, Points: points[:1]}}}
	b := Scatter{Title: "b", Clouds: []Cloud{{Name: "real", Color: Blue, Marker: Circle, Points: points[1:]}}}
	return Scatters(2, a, b)
}

func someConfusions() *Figure {
	return Confusions(Confusion{Title: "c", Classes: []string{"neg", "pos"}, Counts: [][]int{{30, 10}, {0, 0}}})
}

// svg draws a figure and returns what is in it: its attributes and texts by element.
func svg(t *testing.T, f *Figure) (text string, elements map[string][]element) {
	t.Helper()
	var b bytes.Buffer
	if err := f.WriteSVG(&b); err != nil {
		t.Fatal(err)
	}
	elements = map[string][]element{}
	d := xml.NewDecoder(bytes.NewReader(b.Bytes()))
	var open []*element
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("not well-formed: %v", err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			e := &element{name: token.Name.Local, attributes: map[string]string{}}
			for _, a := range token.Attr {
				e.attributes[a.Name.Local] = a.Value
			}
			open = append(open, e)
		case xml.CharData:
			if len(open) > 0 {
				open[len(open)-1].text += string(token)
			}
		case xml.EndElement:
			e := open[len(open)-1]
			open = open[:len(open)-1]
			elements[e.name] = append(elements[e.name], *e)
		}
	}
	return b.String(), elements
}

type element struct {
	name, text string
	attributes map[string]string
}

func texts(list []element) []string {
	var all []string
	for _, e := range list {
		all = append(all, e.text)
	}
	return all
}

var figures = map[string]func() *Figure{"curves": someCurves, "scatters": someScatters, "confusions": someConfusions}

// TestSameDataSameBytes draws each kind of figure twice, as PNG of 300 dots an inch and as SVG.
func TestSameDataSameBytes(t *testing.T) {
	for name, make := range figures {
		f := make()
		var a, b, c, d bytes.Buffer
		if err := errors.Join(f.WritePNG(&a), make().WritePNG(&b), f.WriteSVG(&c), make().WriteSVG(&d)); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a.Bytes(), b.Bytes()) || !bytes.Equal(c.Bytes(), d.Bytes()) {
			t.Errorf("%s: two drawings differ", name)
		}
		img, err := png.Decode(&a)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := float64(img.Bounds().Dx()), f.width.Points()/72*300; math.Abs(got-want) > 1 {
			t.Errorf("%s: %g dots wide, want %g", name, got, want)
		}
	}
}

var fontSize = regexp.MustCompile(`font-size:([0-9.]+)px`)

// TestSVG checks that the elements can stand in a page, and that letters are large enough and of
// fonts that are everywhere.
func TestSVG(t *testing.T) {
	for name, make := range figures {
		text, elements := svg(t, make())
		if !strings.HasPrefix(text, "<svg ") || strings.Contains(text, "<?xml") || strings.Contains(text, " id=") {
			t.Errorf("%s begins with %.40q: expected an svg element with no names of its own", name, text)
		}
		for _, e := range elements["text"] {
			size, err := strconv.ParseFloat(fontSize.FindStringSubmatch(e.attributes["style"])[1], 64)
			if err != nil || size < 8 || !strings.Contains(e.attributes["style"], "Arial,Helvetica,sans-serif") {
				t.Errorf("%s: %q in %s", name, e.text, e.attributes["style"])
			}
		}
	}
	text, elements := svg(t, someCurves())
	if !strings.Contains(text, "<title>Curves of &lt;two&gt; runs</title>") {
		t.Errorf("no title in %.300q", text)
	}
	for _, want := range []string{"a", "missing rate r", "Acc-2 (%) ↑", "Corr ↑", "RECAP", "w/o <FID> & more"} {
		if !slices.Contains(texts(elements["text"]), want) {
			t.Errorf("%q is not to be read in %q", want, texts(elements["text"]))
		}
	}
	if n := strings.Count(strings.Join(texts(elements["text"]), "\n"), "RECAP"); n != 1 {
		t.Errorf("a name of two panels is %d times in the legend", n)
	}
}

// strokes returns the colours of lines with their dashes.
func strokes(t *testing.T, f *Figure) map[string]int {
	_, elements := svg(t, f)
	found := map[string]int{}
	for _, e := range elements["path"] {
		style := e.attributes["style"]
		if strings.Contains(style, "fill:none") && strings.Contains(style, "stroke-width:1.2") {
			found[style]++
		}
	}
	return found
}

func TestLooks(t *testing.T) {
	got := strokes(t, someCurves())
	want := map[string]int{
		"fill:none;stroke:#0072B2;stroke-width:1.2":                      3, // in two panels, and in the legend
		"fill:none;stroke:#D55E00;stroke-width:1.2;stroke-dasharray:5,2": 2,
		"fill:none;stroke:#000000;stroke-width:1.2":                      1, // with no name
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("lines %v, want %v", got, want)
	}
	seen := map[string]look{}
	for i := range look(len(dashes) * int(colors)) {
		style := fmt.Sprint(i.line())
		if j, ok := seen[style]; ok {
			t.Errorf("curves %d and %d look the same: %s", j, i, style)
		}
		seen[style] = i
	}
}

func TestGaps(t *testing.T) {
	x := []float64{0, 1, 2, 3, 4, 5}
	parts := Curve{X: x, Y: []float64{nan, 1, 2, math.Inf(1), 3, 4}, Spread: []float64{0, 1, 1, 1, 1, nan}}.parts()
	if got, want := fmt.Sprint(parts), "[{ [1 2] [1 2] [1 1]} { [4] [3] [1]}]"; got != want {
		t.Errorf("parts %s, want %s", got, want)
	}
	if parts := (Curve{X: x[:1], Y: []float64{nan}}).parts(); parts != nil {
		t.Errorf("parts %v of no number", parts)
	}
	svg(t, Curves(1, Panel{Curves: []Curve{{Name: "none", X: x[:1], Y: []float64{nan}}}})) // an empty panel
	defer func() {
		if said := fmt.Sprint(recover()); !strings.Contains(said, `"RECAP" has 6 X, 2 Y`) {
			t.Errorf("panic %q", said)
		}
	}()
	Curves(1, Panel{Curves: []Curve{{Name: "RECAP", X: x, Y: x[:2]}}})
}

func TestTicks(t *testing.T) {
	for _, c := range []struct {
		low, high float64
		least     ticks
		want      string
	}{
		{0, 0.9, 0, "[0.0 0.2 0.4 0.6 0.8]"}, {-0.5, 1, 0, "[−0.5 0.0 0.5 1.0]"}, {1, 2, 1, "[1 2]"}, {1, 25, 1, "[5 10 15 20 25]"},
		{68.1, 91.7, 0, "[70 75 80 85 90]"}, {0.91, 0.955, 0, "[0.91 0.92 0.93 0.94 0.95]"}, {0, 2e6, 0, "[0 500000 1000000 1500000 2000000]"},
	} {
		var labels []string
		for _, tick := range c.least.Ticks(c.low, c.high) {
			labels = append(labels, tick.Label)
		}
		if got := fmt.Sprint(labels); got != c.want {
			t.Errorf("between %g and %g: %s, want %s", c.low, c.high, got, c.want)
		}
	}
}

// TestConfusion checks the colour of each cell, which is the share of its row.
func TestConfusion(t *testing.T) {
	_, elements := svg(t, someConfusions())
	var cells []string
	for _, e := range elements["path"] {
		if style := e.attributes["style"]; strings.HasPrefix(style, "fill:#") && len(cells) < 5 {
			cells = append(cells, strings.TrimPrefix(style, "fill:#"))
		}
	}
	hex := func(share float64) string {
		c := shade(share).(color.NRGBA)
		return fmt.Sprintf("%02X%02X%02X", c.R, c.G, c.B)
	}
	want := []string{"FFFFFF", hex(0.75), hex(0.25), hex(0), hex(0)} // the page, then two rows, of which one has no utterance
	if !slices.Equal(cells, want) {
		t.Errorf("colours %v, want %v", cells, want)
	}
	if got := texts(elements["text"]); !slices.Contains(got, "30") || !slices.Contains(got, "10") || !slices.Contains(got, "share of the true class, 0 to 100 %") {
		t.Errorf("texts %q", got)
	}
	for i := range 100 {
		if a, b := brightness(float64(i)/100), brightness(float64(i+1)/100); b > a {
			t.Errorf("a share of %d %% is darker than the next: %g and %g", i, a, b)
		}
	}
}

func brightness(share float64) float64 {
	r, g, b, _ := shade(share).RGBA()
	return 0.2126*float64(r) + 0.7152*float64(g) + 0.0722*float64(b)
}

// TestScatter counts points: those of the panels, and one of each name in the legend.
func TestScatter(t *testing.T) {
	_, elements := svg(t, someScatters())
	points := map[string]int{}
	for _, e := range elements["path"] {
		if style := e.attributes["style"]; strings.Contains(style, "fill-opacity") {
			color, _, _ := strings.Cut(style, ";")
			points[color]++
		}
	}
	if fmt.Sprint(points) != "map[fill:#0071B1:6 fill:#CB78A6:2]" {
		t.Errorf("points %v", points)
	}
}

// TestLegendHasRows puts names that are too long for one row into several, none wider than the
// page.
func TestLegendHasRows(t *testing.T) {
	var keys []key
	for i := range 12 {
		keys = append(keys, key{fmt.Sprintf("a rather long name, number %d", i), lineKey, nil})
	}
	rows := arrange(keys, pageWidth)
	n := 0
	for _, r := range rows {
		n += len(r.keys)
		width := -float64(keySpace)
		for _, k := range r.keys {
			width += float64(keySpace + keyGap + k.width + style(small, false).Width(k.name))
		}
		if math.Abs(width-float64(r.width)) > 1e-6 || r.width > pageWidth {
			t.Errorf("a row is %v wide, its keys are %g, the page is %v", r.width, width, pageWidth)
		}
	}
	if n != len(keys) || len(rows) != 4 {
		t.Errorf("%d keys in %d rows", n, len(rows))
	}
}
