package figure

import (
	"image/color"
	"math"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// A Color is one of Okabe and Ito's, but for their yellow, which is too light for lines on paper.
type Color int

// Colors, in the order in which curves take them.
const (
	Blue Color = iota
	Vermillion
	Green
	Purple
	Orange
	Sky
	Black
	colors
)

var palette = [colors]color.NRGBA{
	{0, 114, 178, 255}, {213, 94, 0, 255}, {0, 158, 115, 255}, {204, 121, 167, 255}, {230, 159, 0, 255}, {86, 180, 233, 255}, {0, 0, 0, 255},
}

// of returns the color with an opacity from 0 to 1.
func (c Color) of(opacity float64) color.NRGBA {
	p := palette[c%colors]
	p.A = uint8(math.Round(255 * opacity))
	return p
}

// A Marker is the shape of a point.
type Marker int

// Markers, in the order in which curves take the first five.
const (
	Circle Marker = iota
	Square
	Triangle
	Cross
	OpenCircle
	OpenSquare
	OpenTriangle
)

var shapes = []draw.GlyphDrawer{draw.CircleGlyph{}, draw.BoxGlyph{}, draw.PyramidGlyph{}, draw.CrossGlyph{}, draw.RingGlyph{}, draw.SquareGlyph{}, draw.TriangleGlyph{}}

func (m Marker) style(c color.Color, radius vg.Length) draw.GlyphStyle {
	return draw.GlyphStyle{Color: c, Radius: radius, Shape: shapes[m]}
}

// dashes are those of lines, in the order in which curves take them; the first is none. Their
// number and that of colors have no common divisor, so that 28 curves differ.
var dashes = [4][]vg.Length{nil, {5, 2}, {1.5, 1.5}, {6, 2, 1.5, 2}}

const (
	small = 8 // points, of numbers at axes and legends
	large = 9 // of titles and what axes show
	thin  = 0.5
)

var grey = color.Gray{225}

// style returns that of letters.
func style(size vg.Length, bold bool) text.Style {
	f := font.Font{Typeface: "Liberation", Variant: "Sans", Size: size}
	if bold {
		f.Weight = 3 // WeightBold of golang.org/x/image/font
	}
	return text.Style{Color: color.Black, Handler: plot.DefaultTextHandler, XAlign: text.XLeft, YAlign: text.YBottom, Font: f}
}

// newPlot returns axes without data.
func newPlot(title, x, y string) *plot.Plot {
	p := plot.New()
	restyle(&p.Title.TextStyle, large, true)
	p.Title.Text, p.Title.Padding = title, 4
	for _, axis := range []struct {
		*plot.Axis
		label string
	}{{&p.X, x}, {&p.Y, y}} {
		restyle(&axis.Label.TextStyle, large, false)
		restyle(&axis.Tick.Label, small, false)
		axis.Label.Text, axis.Label.Padding = axis.label, 3
		axis.LineStyle.Width, axis.Tick.LineStyle.Width = thin, thin
		axis.Tick.Length = 3
		axis.Tick.Marker = ticks(0)
	}
	numbers := &p.Y.Tick.Label // which are put higher than their ticks by a descent
	numbers.YAlign -= text.YAlignment(numbers.FontExtents().Descent / numbers.Height("0"))
	return p
}

// restyle changes letters but not where they are put.
func restyle(s *text.Style, size vg.Length, bold bool) {
	s.Font = style(size, bold).Font
}

// lines are drawn under data, at the numbers of the vertical axis.
func lines() *plotter.Grid {
	g := plotter.NewGrid()
	g.Vertical.Color = nil
	g.Horizontal = draw.LineStyle{Color: grey, Width: thin}
	return g
}

// ticks are at the multiples of a step, the smallest 1, 2 or 5 times a power of ten, but at least
// the given one, with which they are six at most.
type ticks float64

// Ticks returns those between low and high.
func (least ticks) Ticks(low, high float64) []plot.Tick {
	const most = 6
	var list []plot.Tick
	for power := math.Floor(math.Log10((high - low) / most)); list == nil; power++ {
		for _, factor := range []float64{1, 2, 5} {
			step := factor * math.Pow(10, power)
			first, last := math.Ceil(low/step-1e-9), math.Floor(high/step+1e-9)
			if last-first >= most || step < float64(least) {
				continue
			}
			for k := first; k <= last; k++ {
				v := k*step + 0 // not −0
				label := strconv.FormatFloat(v, 'f', max(0, int(-power)), 64)
				list = append(list, plot.Tick{Value: v, Label: strings.Replace(label, "-", "−", 1)})
			}
			break
		}
	}
	return list
}
