package figure

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// maxMarkers is the largest number of points of a curve with markers.
const maxMarkers = 12

// Curves returns a figure with the panels in rows of the given number of columns and one legend
// below them. Each name has its own colour, dashes and marker; curves without a name are black and
// not in the legend. Curves panics if the slices of a curve differ in length.
func Curves(columns int, list ...Panel) *Figure {
	var styles styles
	var plots []*plot.Plot
	for _, panel := range list {
		p := newPlot(panel.Title, panel.X, panel.Y)
		p.Add(gridLines())
		if panel.IntegerX {
			p.X.Tick.Marker = ticks(1)
		}
		for _, c := range panel.Curves {
			p.Add(styles.of(c.Name).bands(c)...)
		}
		for _, c := range panel.Curves {
			p.Add(styles.of(c.Name).lines(c)...)
		}
		if p.X.Min == p.X.Max {
			// the only tick is at the only value: no epoch 0, no negative missing rate
			p.X.Tick.Marker = plot.ConstantTicks{{Value: p.X.Min, Label: tickLabel(p.X.Min, -1)}}
			p.X.Min, p.X.Max = p.X.Min-0.5, p.X.Max+0.5
		}
		if panel.YRange != [2]float64{} {
			p.Y.Min, p.Y.Max = panel.YRange[0], panel.YRange[1]
		} else if p.Y.Min == p.Y.Max {
			half := cmp.Or(0.1*math.Abs(p.Y.Min), 0.5)
			p.Y.Min, p.Y.Max = p.Y.Min-half, p.Y.Max+half
		} else if padding := 0.04 * (p.Y.Max - p.Y.Min); finite(padding) {
			p.Y.Min, p.Y.Max = p.Y.Min-padding, p.Y.Max+padding
		}
		plots = append(plots, p)
	}
	height := vg.Length(0.72 * columnWidth)
	if columns > 2 {
		height = pageWidth / vg.Length(columns) * 0.8
	}
	return panels(plots, columns, height, styles.legend())
}

// styles are the names of the curves of a figure. The index of a name is its curveStyle.
type styles []string

// of returns the style of a name. It adds a new name to the list.
func (all *styles) of(name string) curveStyle {
	if name == "" {
		return unnamed
	}
	i := slices.Index(*all, name)
	if i < 0 {
		i = len(*all)
		*all = append(*all, name)
	}
	return curveStyle(i)
}

// legend returns one entry for each name.
func (all styles) legend() []legendEntry {
	var entries []legendEntry
	for i, name := range all {
		entries = append(entries, legendEntry{name, lineSymbolWidth, curveStyle(i).drawSymbol})
	}
	return entries
}

// A curveStyle is the index of a combination of colour, dashes and marker.
type curveStyle int

// unnamed is the style of curves without a name: black and solid.
const unnamed curveStyle = 20

func (s curveStyle) line() draw.LineStyle {
	return draw.LineStyle{Color: Color(s).withAlpha(1), Width: 1.2,
		Dashes: dashes[int(s)%len(dashes)]}
}

func (s curveStyle) marker() draw.GlyphStyle {
	return (Marker(s) % (OpenCircle + 1)).style(Color(s).withAlpha(1), 2.2)
}

func (s curveStyle) drawSymbol(c *draw.Canvas) {
	y := c.Center().Y
	c.StrokeLine2(s.line(), c.Min.X, y, c.Max.X, y)
	c.DrawGlyph(s.marker(), c.Center())
}

// bands returns a band around each part of a curve that has YError.
func (s curveStyle) bands(c Curve) []plot.Plotter {
	var list []plot.Plotter
	for _, part := range c.finiteParts() {
		if part.YError == nil {
			continue
		}
		var upper, lower plotter.XYs
		for i, x := range part.X {
			upper = append(upper, plotter.XY{X: x, Y: part.Y[i] + part.YError[i]})
			lower = append(lower, plotter.XY{X: x, Y: part.Y[i] - part.YError[i]})
		}
		slices.Reverse(lower)
		list = append(list,
			&plotter.Polygon{XYs: []plotter.XYs{append(upper, lower...)},
				Color: Color(s).withAlpha(0.18)})
	}
	return list
}

// lines returns a line for each part of a curve, and its markers.
func (s curveStyle) lines(c Curve) []plot.Plotter {
	var list []plot.Plotter
	for _, part := range c.finiteParts() {
		var xy plotter.XYs
		for i, x := range part.X {
			xy = append(xy, plotter.XY{X: x, Y: part.Y[i]})
		}
		list = append(list, &plotter.Line{XYs: xy, LineStyle: s.line()})
		if len(c.X) <= maxMarkers || len(xy) == 1 {
			list = append(list, &plotter.Scatter{XYs: xy, GlyphStyle: s.marker()})
		}
	}
	return list
}

// finiteParts splits a curve at the points that are not finite.
func (c Curve) finiteParts() []Curve {
	if len(c.X) != len(c.Y) || c.YError != nil && len(c.YError) != len(c.Y) {
		panic(fmt.Sprintf("figure: Curves: %q has %d X, %d Y and %d YError, want equal lengths",
			c.Name, len(c.X), len(c.Y), len(c.YError)))
	}
	var parts []Curve
	start := 0
	for i := range len(c.Y) + 1 {
		if i < len(c.Y) && finite(c.Y[i]) && (c.YError == nil || finite(c.YError[i])) {
			continue
		}
		if i > start {
			part := Curve{X: c.X[start:i], Y: c.Y[start:i]}
			if c.YError != nil {
				part.YError = c.YError[start:i]
			}
			parts = append(parts, part)
		}
		start = i + 1
	}
	return parts
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
