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

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
)

var nan = math.NaN()

func someCurves() *Figure {
	x := []float64{0, 0.5, 1}
	acc := Panel{Title: "a", X: "missing rate r", Y: "Acc-2 (%) ↑", Curves: []Curve{
		{Name: "RECAP", X: x, Y: []float64{90, 85, 70}, YError: []float64{1, 2, 3}},
		{Name: "w/o <FID> & more", X: x, Y: []float64{89, 84, 71}},
	}}
	corr := Panel{X: "missing rate r", Y: "Corr ↑",
		Curves: []Curve{{Name: "RECAP", X: x, Y: []float64{0.9, 0.8, 0.5}}, {X: x, Y: x}}}
	f := Curves(2, acc, corr)
	f.Alt = "Curves of <two> runs"
	return f
}

func someScatters() *Figure {
	points := [][2]float64{{0, 0}, {1, 2}, {-3, 1}}
	a := Scatter{Title: "a",
		Clouds: []Cloud{{Name: "real", Color: Blue, Marker: Circle, Points: points},
			{Name: "generated", Color: Purple, Marker: Square, Points: points[:1]}}}
	b := Scatter{Title: "b",
		Clouds: []Cloud{{Name: "real", Color: Blue, Marker: Circle, Points: points[1:]}}}
	return Scatters(2, a, b)
}

func someConfusions() *Figure {
	return Confusions(Confusion{Title: "c", Classes: []string{"neg", "pos"},
		Counts: [][]int{{30, 10}, {0, 0}}})
}

// svg writes a figure as SVG and returns its text and its elements by name.
func svg(t *testing.T, f *Figure) (text string, elements map[string][]element) {
	t.Helper()
	var b bytes.Buffer
	if err := f.WriteSVG(&b); err != nil {
		t.Fatal(err)
	}
	elements = map[string][]element{}
	d := xml.NewDecoder(bytes.NewReader(b.Bytes()))
	var stack []*element
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
			stack = append(stack, e)
		case xml.CharData:
			if len(stack) > 0 {
				stack[len(stack)-1].text += string(token)
			}
		case xml.EndElement:
			e := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
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

var figures = map[string]func() *Figure{"curves": someCurves, "scatters": someScatters,
	"confusions": someConfusions}

// TestSameDataSameBytes writes each kind of figure twice, as PNG with 300 dots per inch and as
// SVG.
func TestSameDataSameBytes(t *testing.T) {
	for name, make := range figures {
		f := make()
		var a, b, c, d bytes.Buffer
		if err := errors.Join(f.WritePNG(&a), make().WritePNG(&b), f.WriteSVG(&c),
			make().WriteSVG(&d)); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a.Bytes(), b.Bytes()) || !bytes.Equal(c.Bytes(), d.Bytes()) {
			t.Errorf("%s: two drawings differ", name)
		}
		img, err := png.Decode(&a)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := float64(img.Bounds().Dx()), f.width.Points()/72*300; math.Abs(
			got-want,
		) > 1 {
			t.Errorf("%s: %g dots wide, want %g", name, got, want)
		}
		black := 0
		for i := range img.Bounds().Dx() * img.Bounds().Dy() {
			r, g, b, _ := img.At(i%img.Bounds().Dx(), i/img.Bounds().Dx()).RGBA()
			if r+g+b == 0 {
				black++
			}
		}
		if black < 1000 { // such as the text
			t.Errorf("%s: %d black dots", name, black)
		}
	}
}

// TestFullDisk expects the error of the writer.
func TestFullDisk(t *testing.T) {
	full, w := io.Pipe()
	full.CloseWithError(errors.New("full"))
	f := someCurves()
	if err := f.WritePNG(w); err == nil || err.Error() != "figure: PNG: full" {
		t.Errorf("PNG: error %v", err)
	}
	if err := f.WriteSVG(w); err == nil || err.Error() != "figure: SVG: full" {
		t.Errorf("SVG: error %v", err)
	}
}

var fontSize = regexp.MustCompile(`font-size:([0-9.]+)px`)

// TestSVG checks that the output is valid inside an HTML page, and that the text has at least 8
// points and a common font.
func TestSVG(t *testing.T) {
	for name, make := range figures {
		text, elements := svg(t, make())
		if !strings.HasPrefix(text, "<svg ") || strings.Contains(text, "<?xml") ||
			strings.Contains(text, " id=") {
			t.Errorf("%s begins with %.40q: expected an svg element without ids", name, text)
		}
		for _, e := range elements["text"] {
			size, err := strconv.ParseFloat(fontSize.FindStringSubmatch(e.attributes["style"])[1],
				64)
			if err != nil || size < 8 ||
				!strings.Contains(e.attributes["style"], "Arial,Helvetica,sans-serif") {
				t.Errorf("%s: %q in %s", name, e.text, e.attributes["style"])
			}
		}
	}
	text, elements := svg(t, someCurves())
	if !strings.Contains(text, "<title>Curves of &lt;two&gt; runs</title>") {
		t.Errorf("no title in %.300q", text)
	}
	for _, want := range []string{"a", "missing rate r", "Acc-2 (%) ↑", "Corr ↑", "RECAP",
		"w/o <FID> & more"} {
		if !slices.Contains(texts(elements["text"]), want) {
			t.Errorf("text %q is missing in %q", want, texts(elements["text"]))
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

// TestLineStyles checks the line styles of an example, and that the styles of 28 curves differ.
func TestLineStyles(t *testing.T) {
	got := strokes(t, someCurves())
	want := map[string]int{
		// in two panels, and in the legend
		"fill:none;stroke:#0072B2;stroke-width:1.2":                      3,
		"fill:none;stroke:#D55E00;stroke-width:1.2;stroke-dasharray:5,2": 2,
		"fill:none;stroke:#000000;stroke-width:1.2":                      1, // without a name
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("lines %v, want %v", got, want)
	}
	seen := map[string]curveStyle{}
	for i := range curveStyle(len(dashes) * int(numColors)) {
		style := fmt.Sprint(i.line())
		if j, ok := seen[style]; ok {
			t.Errorf("curves %d and %d have the same style: %s", j, i, style)
		}
		seen[style] = i
	}
}

func TestGaps(t *testing.T) {
	x := []float64{0, 1, 2, 3, 4, 5}
	parts := Curve{X: x, Y: []float64{nan, 1, 2, math.Inf(1), 3, 4},
		YError: []float64{0, 1, 1, 1, 1, nan}}.finiteParts()
	if got, want := fmt.Sprint(parts), "[{ [1 2] [1 2] [1 1]} { [4] [3] [1]}]"; got != want {
		t.Errorf("parts %s, want %s", got, want)
	}
	if parts := (Curve{X: x[:1], Y: []float64{nan}}).finiteParts(); parts != nil {
		t.Errorf("parts %v of a curve without finite points", parts)
	}
	// an empty panel
	svg(t, Curves(1, Panel{Curves: []Curve{{Name: "none", X: x[:1], Y: []float64{nan}}}}))
	defer func() {
		if message := fmt.Sprint(recover()); !strings.Contains(message, `"RECAP" has 6 X, 2 Y`) {
			t.Errorf("panic %q", message)
		}
	}()
	Curves(1, Panel{Curves: []Curve{{Name: "RECAP", X: x, Y: x[:2]}}})
}

func TestTicks(t *testing.T) {
	for _, c := range []struct {
		low, high float64
		minStep   ticks
		want      string
	}{
		{0, 0.9, 0, "[0.0 0.2 0.4 0.6 0.8]"}, {-0.5, 1, 0, "[−0.5 0.0 0.5 1.0]"},
		{1, 2, 1, "[1 2]"}, {1, 25, 1, "[5 10 15 20 25]"},
		{68.1, 91.7, 0, "[70 75 80 85 90]"}, {0.91, 0.955, 0, "[0.91 0.92 0.93 0.94 0.95]"},
		{0.2004, 0.9, 0, "[0.4 0.6 0.8]"}, {0, 0.799, 0, "[0.0 0.2 0.4 0.6]"},
		{0, 2e6, 0, "[0 500000 1000000 1500000 2000000]"},
	} {
		var labels []string
		for _, tick := range c.minStep.Ticks(c.low, c.high) {
			labels = append(labels, tick.Label)
		}
		if got := fmt.Sprint(labels); got != c.want {
			t.Errorf("between %g and %g: %s, want %s", c.low, c.high, got, c.want)
		}
	}
}

// TestConfusion checks that the colour of each cell is its share of the row.
func TestConfusion(t *testing.T) {
	_, elements := svg(t, someConfusions())
	var cells []string
	for _, e := range elements["path"] {
		if style := e.attributes["style"]; strings.HasPrefix(style, "fill:#") && len(cells) < 5 {
			cells = append(cells, strings.TrimPrefix(style, "fill:#"))
		}
	}
	hex := func(share float64) string {
		c := cellColor(share).(color.NRGBA)
		return fmt.Sprintf("%02X%02X%02X", c.R, c.G, c.B)
	}
	// the background, then two rows; the second one has no utterance
	want := []string{"FFFFFF", hex(0.75), hex(0.25), hex(0), hex(0)}
	if !slices.Equal(cells, want) {
		t.Errorf("colours %v, want %v", cells, want)
	}
	if got := texts(elements["text"]); !slices.Contains(got, "30") ||
		!slices.Contains(got, "10") ||
		!slices.Contains(got, "share of the true class, 0 to 100 %") {
		t.Errorf("texts %q", got)
	}
	for i := range 100 {
		if a, b := luminance(float64(i)/100), luminance(float64(i+1)/100); b > a {
			t.Errorf("a share of %d %% is darker than the next: %g and %g", i, a, b)
		}
	}
}

// luminance returns the relative luminance of a cell.
func luminance(share float64) float64 {
	r, g, b, _ := cellColor(share).RGBA()
	return 0.2126*float64(r) + 0.7152*float64(g) + 0.0722*float64(b)
}

// TestScatter counts the points of the panels, and one point for each name in the legend.
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

// TestLegendRows breaks a legend that is too long for one row. No row is wider than the page.
func TestLegendRows(t *testing.T) {
	var entries []legendEntry
	for i := range 12 {
		entries = append(entries,
			legendEntry{fmt.Sprintf("a rather long name, number %d", i), lineSymbolWidth, nil})
	}
	rows := legendRows(entries, pageWidth)
	n := 0
	for _, r := range rows {
		n += len(r.entries)
		width := -float64(entryGap)
		for _, k := range r.entries {
			width += float64(entryGap + symbolGap + k.width + textStyle(smallText,
				false).Width(k.name))
		}
		if math.Abs(width-float64(r.width)) > 1e-6 || r.width > pageWidth {
			t.Errorf("a row is %v wide, its entries are %g, the page is %v", r.width, width,
				pageWidth)
		}
	}
	if n != len(entries) || len(rows) != 4 {
		t.Errorf("%d entries in %d rows", n, len(rows))
	}
}

// TestLegendFits has two entries that are as wide as the page without its margins, and a bit wider.
func TestLegendFits(t *testing.T) {
	height := func(extra vg.Length) vg.Length {
		width := (pageWidth-2*margin-entryGap+extra)/2 - symbolGap
		e := legendEntry{"", width, nil}
		return panels([]*plot.Plot{nil, nil}, 2, 100, []legendEntry{e, e}).height
	}
	one, two := height(-1e-6), height(1e-3)
	if one != 100+rowHeight+symbolGap+2*margin || two != one+rowHeight {
		t.Errorf("heights of one row and of two: %g and %g", one, two)
	}
}

// TestOnePoint checks the ticks of curves with a single point: a run with one epoch, and one that
// was tested at one missing rate.
func TestOnePoint(t *testing.T) {
	for _, c := range []struct {
		integer  bool
		x, y     float64
		wantX    string
		positive bool // whether all ticks of the Y axis are above 0
	}{
		{true, 1, 0.36, "1", true}, {false, 0, 0.36, "0", true}, {false, 0.5, 40, "0.5", true},
		{true, 1, 0, "1", false},
	} {
		_, elements := svg(t, Curves(1, Panel{X: "x", Y: "y", IntegerX: c.integer,
			Curves: []Curve{{Name: "RECAP", X: []float64{c.x}, Y: []float64{c.y}}}}))
		labels := texts(elements["text"])
		if !slices.Equal(labels[:3], []string{"x", c.wantX, "y"}) {
			t.Errorf("%+v: labels %q, want the only tick %s on the X axis", c, labels, c.wantX)
		}
		numbers, negative := 0, false
		for _, label := range labels {
			v, err := strconv.ParseFloat(strings.Replace(label, "−", "-", 1), 64)
			if err == nil {
				numbers++
				negative = negative || v < 0
			}
		}
		if numbers < 4 || negative == c.positive {
			t.Errorf("%+v: labels %q", c, labels)
		}
	}
}
