package figure

import (
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Scatters draws panels of points in rows of the given number of columns, with one legend below
// them all.
func Scatters(columns int, list ...Scatter) *Figure {
	var names []string
	var keys []key
	var plots []*plot.Plot
	for _, s := range list {
		p := newPlot(s.Title, "", "")
		p.HideAxes()
		p.Add(clouds(s.Clouds))
		for _, c := range s.Clouds {
			if !slices.Contains(names, c.Name) {
				names = append(names, c.Name)
				keys = append(keys, key{c.Name, pointKey, c.thumbnail})
			}
		}
		plots = append(plots, p)
	}
	columns = min(columns, len(list))
	return panels(plots, columns, 0.85*pageWidth/vg.Length(max(columns, 2)), keys)
}

// clouds are drawn in a frame, both axes alike, and point by point in turns, so that none covers
// another.
type clouds []Cloud

const pointRadius = 1.6

func (c Cloud) style() draw.GlyphStyle { return c.Marker.style(c.Color.of(0.75), pointRadius) }

func (c Cloud) thumbnail(canvas *draw.Canvas) {
	s := c.style()
	s.Radius = 2.5
	canvas.DrawGlyph(s, canvas.Center())
}

// Plot draws the points.
func (all clouds) Plot(c draw.Canvas, _ *plot.Plot) {
	c.StrokeLines(frame, closed(box(c.Min.X, c.Min.Y, c.Max.X, c.Max.Y)))
	low, high := all.bounds()
	size := c.Size()
	const room = 0.92 // of the frame
	scale := room * min(size.X.Points()/(high[0]-low[0]), size.Y.Points()/(high[1]-low[1]))
	if !finite(scale) {
		scale = 0 // all points are one
	}
	middle := c.Center()
	place := func(p [2]float64) vg.Point {
		return vg.Point{X: middle.X + vg.Length(scale*(p[0]-(low[0]+high[0])/2)), Y: middle.Y + vg.Length(scale*(p[1]-(low[1]+high[1])/2))}
	}
	most := 0
	for _, cloud := range all {
		most = max(most, len(cloud.Points))
	}
	for i := range most {
		for _, cloud := range all {
			if i < len(cloud.Points) {
				c.DrawGlyph(cloud.style(), place(cloud.Points[i]))
			}
		}
	}
}

// bounds returns the corners of the smallest rectangle with all points.
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
