package figure

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// fewPoints is the largest number of points of a curve of which each has a marker.
const fewPoints = 12

// Curves draws panels of curves in rows of the given number of columns, with one legend below them
// all.
func Curves(columns int, list ...Panel) *Figure {
	var looks looks
	var plots []*plot.Plot
	for _, panel := range list {
		p := newPlot(panel.Title, panel.X, panel.Y)
		p.Add(lines())
		if panel.Count {
			p.X.Tick.Marker = ticks(1)
		}
		for _, c := range panel.Curves {
			p.Add(looks.of(c.Name).bands(c)...)
		}
		for _, c := range panel.Curves {
			p.Add(looks.of(c.Name).lines(c)...)
		}
		if panel.Range != [2]float64{} {
			p.Y.Min, p.Y.Max = panel.Range[0], panel.Range[1]
		} else if room := 0.04 * (p.Y.Max - p.Y.Min); finite(room) {
			p.Y.Min, p.Y.Max = p.Y.Min-room, p.Y.Max+room
		}
		plots = append(plots, p)
	}
	height := vg.Length(0.72 * columnWidth)
	if columns > 2 {
		height = pageWidth / vg.Length(columns) * 0.8
	}
	return panels(plots, columns, height, looks.keys())
}

// looks are the names of a figure's curves, in the order of their looks.
type looks []string

// of returns the look of a name.
func (all *looks) of(name string) look {
	if name == "" {
		return nameless
	}
	i := slices.Index(*all, name)
	if i < 0 {
		i = len(*all)
		*all = append(*all, name)
	}
	return look(i)
}

func (all looks) keys() []key {
	var keys []key
	for i, name := range all {
		keys = append(keys, key{name, lineKey, look(i).thumbnail})
	}
	return keys
}

// A look is how the curve with a number is drawn.
type look int

// nameless is the look of curves without a name: black, with no dashes.
const nameless look = 20

func (l look) line() draw.LineStyle {
	return draw.LineStyle{Color: Color(l).of(1), Width: 1.2, Dashes: dashes[int(l)%len(dashes)]}
}

func (l look) marker() draw.GlyphStyle {
	return (Marker(l) % (OpenCircle + 1)).style(Color(l).of(1), 2.2)
}

func (l look) thumbnail(c *draw.Canvas) {
	y := c.Center().Y
	c.StrokeLine2(l.line(), c.Min.X, y, c.Max.X, y)
	c.DrawGlyph(l.marker(), c.Center())
}

// bands returns what is to be drawn of a curve's spread.
func (l look) bands(c Curve) []plot.Plotter {
	var list []plot.Plotter
	for _, part := range c.parts() {
		if part.Spread == nil {
			continue
		}
		var upper, lower plotter.XYs
		for i, x := range part.X {
			upper = append(upper, plotter.XY{X: x, Y: part.Y[i] + part.Spread[i]})
			lower = append(lower, plotter.XY{X: x, Y: part.Y[i] - part.Spread[i]})
		}
		slices.Reverse(lower)
		list = append(list, &plotter.Polygon{XYs: []plotter.XYs{append(upper, lower...)}, Color: Color(l).of(0.18)})
	}
	return list
}

// lines returns a curve's lines and points.
func (l look) lines(c Curve) []plot.Plotter {
	var list []plot.Plotter
	for _, part := range c.parts() {
		var xy plotter.XYs
		for i, x := range part.X {
			xy = append(xy, plotter.XY{X: x, Y: part.Y[i]})
		}
		list = append(list, &plotter.Line{XYs: xy, LineStyle: l.line()})
		if len(c.X) <= fewPoints || len(xy) == 1 {
			list = append(list, &plotter.Scatter{XYs: xy, GlyphStyle: l.marker()})
		}
	}
	return list
}

// parts cuts a curve where it has no number.
func (c Curve) parts() []Curve {
	if len(c.X) != len(c.Y) || c.Spread != nil && len(c.Spread) != len(c.Y) {
		panic(fmt.Sprintf("figure: Curves: %q has %d X, %d Y and %d Spread, want as many of each", c.Name, len(c.X), len(c.Y), len(c.Spread)))
	}
	var parts []Curve
	from := 0
	for i := range len(c.Y) + 1 {
		if i < len(c.Y) && finite(c.Y[i]) && (c.Spread == nil || finite(c.Spread[i])) {
			continue
		}
		if i > from {
			part := Curve{X: c.X[from:i], Y: c.Y[from:i]}
			if c.Spread != nil {
				part.Spread = c.Spread[from:i]
			}
			parts = append(parts, part)
		}
		from = i + 1
	}
	return parts
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
