// Package figure draws the pictures of reports: curves with bands, confusion matrices, scatter
// plots. They are made for print: a page wide at most, letters of 8 points or more, colours that
// the colour-blind tell apart (Okabe and Ito 2008), and beside each colour a dash or a marker of
// its own. The same data give the same bytes.
//
// A picture is a value:
//
//	f := figure.Curves(2, figure.Panel{X: "missing rate", Y: "MAE ↓", Curves: curves}, …)
//	f.WritePNG(file)
//	f.WriteSVG(page)
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

// A Figure is a picture, drawn when it is written.
type Figure struct {
	Alt string // what is to be seen, in a sentence, for those who cannot see it

	width, height vg.Length
	draw          func(c draw.Canvas)
}

// dotsPerInch of PNG, as printers want them.
const dotsPerInch = 300

// WritePNG writes the figure with 300 dots an inch.
func (f *Figure) WritePNG(w io.Writer) error {
	c := vgimg.PngCanvas{Canvas: vgimg.NewWith(vgimg.UseWH(f.width, f.height), vgimg.UseDPI(dotsPerInch))}
	f.draw(draw.New(c))
	if _, err := c.WriteTo(w); err != nil {
		return fmt.Errorf("figure: PNG: %w", err)
	}
	return nil
}

// WriteSVG writes the figure as an svg element: a file by itself, and a part of an HTML page as it
// is. Letters stay letters, of Liberation Sans or, where it is missing, of Arial or Helvetica,
// which are as wide.
func (f *Figure) WriteSVG(w io.Writer) error {
	c := vgsvg.New(f.width, f.height)
	f.draw(draw.New(c))
	var b bytes.Buffer
	if _, err := c.WriteTo(&b); err != nil {
		return fmt.Errorf("figure: SVG: %w", err)
	}
	_, body, _ := bytes.Cut(b.Bytes(), []byte("<svg ")) // without what is for files only
	body = bytes.ReplaceAll(body, []byte("font-family:Liberation Sans;"), []byte("font-family:'Liberation Sans',Arial,Helvetica,sans-serif;"))
	head, rest, _ := bytes.Cut(body, []byte(">"))
	if _, err := fmt.Fprintf(w, "<svg role=\"img\" %s><title>%s</title>%s", head, html.EscapeString(f.Alt), rest); err != nil {
		return fmt.Errorf("figure: SVG: %w", err)
	}
	return nil
}

// A Curve is a line through points, with a marker at each if they are few.
type Curve struct {
	Name   string    // in the legend; curves of the same name look the same in all panels of a figure
	X, Y   []float64 // where Y is no number the line has a gap
	Spread []float64 // a band from Y−Spread to Y+Spread; nil for none
}

// A Panel is a pair of axes with curves.
type Panel struct {
	Title  string
	X, Y   string     // what the axes show, with units and an arrow to where it is better
	Count  bool       // X counts something: its numbers are whole
	Range  [2]float64 // of Y; zero for that of the curves
	Curves []Curve
}

// A Confusion is a confusion matrix.
type Confusion struct {
	Title   string
	Classes []string
	Counts  [][]int // [true][predicted]
}

// A Scatter is a picture of points whose axes mean nothing, as t-SNE gives them.
type Scatter struct {
	Title  string
	Clouds []Cloud
}

// A Cloud is a set of points that look the same.
type Cloud struct {
	Name   string // in the legend, where a name comes once
	Color  Color
	Marker Marker
	Points [][2]float64
}
