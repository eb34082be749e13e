// Package figure draws the figures of reports: curves with bands, confusion matrices and scatter
// plots. They are suitable for print: at most a page wide, with text of at least 8 points and with
// the colour-blind-safe palette of Okabe and Ito (2008). Dashes and markers differ as well as
// colours. The same data give the same bytes.
//
// [Curves], [Confusions] and [Scatters] return a figure, which can be written in two formats:
//
//	f := figure.Curves(2, figure.Panel{X: "missing rate", Y: "MAE ↓", Curves: curves}, …)
//	f.WritePNG(file)
//	f.WriteSVG(file)
package figure

import (
	"bytes"
	"fmt"
	"html"
	"io"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

// A Figure is an image of one or more panels. It is drawn when it is written.
type Figure struct {
	Alt string // alternative text: one sentence that describes the figure

	width, height vg.Length
	draw          func(c draw.Canvas)
}

// dotsPerInch is the resolution of PNG files, the usual one for print.
const dotsPerInch = 300

// WritePNG writes the figure as a PNG image with 300 dots per inch. It returns an error if w does.
func (f *Figure) WritePNG(w io.Writer) error {
	c := vgimg.PngCanvas{Canvas: vgimg.NewWith(vgimg.UseWH(f.width, f.height),
		vgimg.UseDPI(dotsPerInch))}
	f.draw(draw.New(c))
	if _, err := c.WriteTo(w); err != nil {
		return fmt.Errorf("figure: PNG: %w", err)
	}
	return nil
}

// WriteSVG writes the figure as an svg element, which is both a complete SVG file and valid inside
// an HTML page. Text is not converted to outlines; its font is Liberation Sans, or the metrically
// compatible Arial or Helvetica. WriteSVG returns an error if w does.
func (f *Figure) WriteSVG(w io.Writer) error {
	c := vgsvg.New(f.width, f.height)
	f.draw(draw.New(c))
	var b bytes.Buffer
	if _, err := c.WriteTo(&b); err != nil {
		return fmt.Errorf("figure: SVG: %w", err)
	}
	_, body, _ := bytes.Cut(b.Bytes(), []byte("<svg ")) // without the XML declaration
	body = bytes.ReplaceAll(body, []byte("font-family:Liberation Sans;"),
		[]byte("font-family:'Liberation Sans',Arial,Helvetica,sans-serif;"))
	head, rest, _ := bytes.Cut(body, []byte(">"))
	if _, err := fmt.Fprintf(w, "<svg role=\"img\" %s><title>%s</title>%s", head,
		html.EscapeString(f.Alt), rest); err != nil {
		return fmt.Errorf("figure: SVG: %w", err)
	}
	return nil
}

// A Curve is a line through points. A curve of at most 12 points has a marker at each point.
type Curve struct {
	// in the legend; curves with the same name have the same style in all panels of a figure
	Name   string
	X, Y   []float64 // of equal length; the line has a gap where Y is not finite
	YError []float64 // half the height of the band from Y−YError to Y+YError; nil for no band
}

// A Panel is a pair of axes with curves.
type Panel struct {
	Title string
	// labels of the axes, with the unit and an arrow in the direction of better values
	X, Y     string
	IntegerX bool       // X has integer values, so its ticks are integers
	YRange   [2]float64 // lower and upper limit of the Y axis; zero for automatic limits
	Curves   []Curve
}

// A Confusion is a confusion matrix.
type Confusion struct {
	Title   string
	Classes []string
	Counts  [][]int // [true][predicted]
}

// A Scatter is a scatter plot without axes, for embeddings such as those of t-SNE.
type Scatter struct {
	Title  string
	Clouds []Cloud
}

// A Cloud is a set of points with the same colour and marker.
type Cloud struct {
	Name   string // in the legend, which has each name once
	Color  Color
	Marker Marker
	Points [][2]float64
}
