package figure

import (
	"fmt"
	"image/color"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Confusions draws confusion matrices side by side, two in a row. Colours are shares of the true
// class, from white to dark; cells show counts.
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
	scale := key{"share of the true class, 0 to 100 %", 80, func(c *draw.Canvas) {
		const steps = 100
		c.Min.Y, c.Max.Y = c.Min.Y+3, c.Max.Y-3
		for i := range steps {
			rest := box(c.X(float64(i)/steps), c.Min.Y, c.Max.X, c.Max.Y) // no seams between steps
			c.FillPolygon(shade((float64(i)+0.5)/steps), rest)
		}
		c.StrokeLines(frame, closed(box(c.Min.X, c.Min.Y, c.Max.X, c.Max.Y)))
	}}
	return panels(plots, 2, columnWidth, []key{scale})
}

// frame is the line around what has no axes.
var frame = draw.LineStyle{Color: color.Black, Width: thin}

func box(left, bottom, right, top vg.Length) []vg.Point {
	return []vg.Point{{X: left, Y: bottom}, {X: right, Y: bottom}, {X: right, Y: top}, {X: left, Y: top}}
}

func closed(line []vg.Point) []vg.Point { return append(line, line[0]) }

// cells are the squares of a matrix, the first class at the bottom.
type cells Confusion

// DataRange has room for half a cell around the middles.
func (m cells) DataRange() (xmin, xmax, ymin, ymax float64) {
	n := float64(len(m.Classes))
	return -0.5, n - 0.5, -0.5, n - 0.5
}

// Plot draws the cells.
func (m cells) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	letters := style(small, false)
	letters.XAlign, letters.YAlign = draw.XCenter, draw.YCenter
	for i, row := range m.Counts {
		sum := 0
		for _, n := range row {
			sum += n
		}
		for j, n := range row {
			share := float64(n) / float64(max(sum, 1))
			cell := box(x(float64(j)-0.5), y(float64(i)-0.5), x(float64(j)+0.5), y(float64(i)+0.5))
			c.FillPolygon(shade(share), cell)
			c.StrokeLines(draw.LineStyle{Color: grey, Width: thin}, closed(cell))
			letters.Color = color.Black
			if share > 0.4 {
				letters.Color = color.White
			}
			c.FillText(letters, vg.Point{X: x(float64(j)), Y: y(float64(i))}, fmt.Sprint(n))
		}
	}
	c.StrokeLines(frame, closed(box(c.Min.X, c.Min.Y, c.Max.X, c.Max.Y)))
}

// shade returns white for 0 and dark blue for 1.
func shade(share float64) color.Color {
	between := func(a, b uint8, t float64) uint8 { return uint8(float64(a) + t*(float64(b)-float64(a))) }
	light, dark := color.NRGBA{255, 255, 255, 255}, palette[Blue]
	t := 2 * share
	if share > 0.5 {
		light, dark, t = dark, color.NRGBA{0, 38, 77, 255}, t-1
	}
	return color.NRGBA{between(light.R, dark.R, t), between(light.G, dark.G, t), between(light.B, dark.B, t), 255}
}
