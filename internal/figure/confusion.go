package figure

import (
	"fmt"
	"image/color"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Confusions returns a figure of confusion matrices, two in a row. The rows are the true classes,
// from bottom to top, and the columns the predicted ones. The text of a cell is its count; the
// colour is its share of the true class, from white (0) to dark blue (1).
func Confusions(list ...Confusion) *Figure {
	var plots []*plot.Plot
	for _, m := range list {
		p := newPlot(m.Title, "predicted", "true")
		p.NominalX(m.Classes...)
		p.NominalY(m.Classes...)
		p.X.Padding, p.Y.Padding = 0, 0
		p.Add(cells(m))
		plots = append(plots, p)
	}
	colorScale := legendEntry{"share of the true class, 0 to 100 %", 80, func(c *draw.Canvas) {
		const steps = 100
		c.Min.Y, c.Max.Y = c.Min.Y+3, c.Max.Y-3
		for i := range steps {
			// steps overlap, so that no gaps are visible
			rest := box(c.X(float64(i)/steps), c.Min.Y, c.Max.X, c.Max.Y)
			c.FillPolygon(cellColor((float64(i)+0.5)/steps), rest)
		}
		c.StrokeLines(frame, closed(box(c.Min.X, c.Min.Y, c.Max.X, c.Max.Y)))
	}}
	return panels(plots, 2, columnWidth, []legendEntry{colorScale})
}

// frame is the line style of the border of a plot without axes.
var frame = draw.LineStyle{Color: color.Black, Width: thinLine}

// box returns the corners of a rectangle.
func box(left, bottom, right, top vg.Length) []vg.Point {
	return []vg.Point{{X: left, Y: bottom}, {X: right, Y: bottom}, {X: right, Y: top},
		{X: left, Y: top}}
}

// closed appends the first point to a line.
func closed(line []vg.Point) []vg.Point { return append(line, line[0]) }

// cells draws the cells of a confusion matrix, with the first class at the bottom.
type cells Confusion

// DataRange returns the limits of the axes: the centres of the cells are at 0, 1, …, n−1.
func (m cells) DataRange() (xmin, xmax, ymin, ymax float64) {
	n := float64(len(m.Classes))
	return -0.5, n - 0.5, -0.5, n - 0.5
}

// Plot draws the cells.
func (m cells) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	label := textStyle(smallText, false)
	label.XAlign, label.YAlign = draw.XCenter, draw.YCenter
	for i, row := range m.Counts {
		sum := 0
		for _, n := range row {
			sum += n
		}
		for j, n := range row {
			share := float64(n) / float64(max(sum, 1))
			cell := box(x(float64(j)-0.5), y(float64(i)-0.5), x(float64(j)+0.5), y(float64(i)+0.5))
			c.FillPolygon(cellColor(share), cell)
			c.StrokeLines(draw.LineStyle{Color: grey, Width: thinLine}, closed(cell))
			label.Color = color.Black
			if share > 0.4 {
				label.Color = color.White
			}
			c.FillText(label, vg.Point{X: x(float64(j)), Y: y(float64(i))}, fmt.Sprint(n))
		}
	}
	c.StrokeLines(frame, closed(box(c.Min.X, c.Min.Y, c.Max.X, c.Max.Y)))
}

// cellColor returns the colour of a share from 0 (white) to 1 (dark blue).
func cellColor(share float64) color.Color {
	interpolate := func(a, b uint8, t float64) uint8 {
		return uint8(float64(a) + t*(float64(b)-float64(a)))
	}
	light, dark := color.NRGBA{255, 255, 255, 255}, palette[Blue]
	t := 2 * share
	if share > 0.5 {
		light, dark, t = dark, color.NRGBA{0, 38, 77, 255}, t-1
	}
	return color.NRGBA{interpolate(light.R, dark.R, t), interpolate(light.G, dark.G, t),
		interpolate(light.B, dark.B, t), 255}
}
