package figure

import (
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Scatters returns a figure of scatter plots in rows of the given number of columns, with one
// legend below them.
func Scatters(columns int, list ...Scatter) *Figure {
	var names []string
	var entries []legendEntry
	var plots []*plot.Plot
	for _, s := range list {
		p := newPlot(s.Title, "", "")
		p.HideAxes()
		p.Add(clouds(s.Clouds))
		for _, c := range s.Clouds {
			if !slices.Contains(names, c.Name) {
				names = append(names, c.Name)
				entries = append(entries, legendEntry{c.Name, pointSymbolWidth, c.drawSymbol})
			}
		}
		plots = append(plots, p)
	}
	columns = min(columns, len(list))
	return panels(plots, columns, 0.85*pageWidth/vg.Length(max(columns, 2)), entries)
}

// clouds draws the points of one scatter plot inside a frame, with the same scale on both axes.
// The drawing order alternates between the clouds, so that no cloud covers another one.
type clouds []Cloud

const pointRadius = 1.6

func (c Cloud) style() draw.GlyphStyle {
	return c.Marker.style(c.Color.withAlpha(0.75), pointRadius)
}

func (c Cloud) drawSymbol(canvas *draw.Canvas) {
	s := c.style()
	s.Radius = 2.5
	canvas.DrawGlyph(s, canvas.Center())
}

// Plot draws the points.
func (all clouds) Plot(c draw.Canvas, _ *plot.Plot) {
	c.StrokeLines(frame, closed(box(c.Min.X, c.Min.Y, c.Max.X, c.Max.Y)))
	low, high := all.bounds()
	size := c.Size()
	const fill = 0.92 // share of the frame that the points fill
	scale := fill * min(size.X.Points()/(high[0]-low[0]), size.Y.Points()/(high[1]-low[1]))
	if !finite(scale) {
		scale = 0 // all points are equal
	}
	center := c.Center()
	position := func(p [2]float64) vg.Point {
		return vg.Point{X: center.X + vg.Length(scale*(p[0]-(low[0]+high[0])/2)),
			Y: center.Y + vg.Length(scale*(p[1]-(low[1]+high[1])/2))}
	}
	maxPoints := 0
	for _, cloud := range all {
		maxPoints = max(maxPoints, len(cloud.Points))
	}
	for i := range maxPoints {
		for _, cloud := range all {
			if i < len(cloud.Points) {
				c.DrawGlyph(cloud.style(), position(cloud.Points[i]))
			}
		}
	}
}

// bounds returns the lower left and the upper right corner of the bounding box of all points.
func (all clouds) bounds() (low, high [2]float64) {
	low, high = [2]float64{math.Inf(1), math.Inf(1)}, [2]float64{math.Inf(-1), math.Inf(-1)}
	for _, cloud := range all {
		for _, p := range cloud.Points {
			for k, v := range p {
				low[k], high[k] = min(low[k], v), max(high[k], v)
			}
		}
	}
	return low, high
}
