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

// A Color is a colour of the palette of Okabe and Ito (2008). Their yellow is left out, because it
// is too light for lines on white paper.
type Color int

// The colours, in the order in which [Curves] assigns them.
const (
	Blue Color = iota
	Vermillion
	Green
	Purple
	Orange
	Sky
	Black
	numColors
)

var palette = [numColors]color.NRGBA{
	{0, 114, 178, 255}, {213, 94, 0, 255}, {0, 158, 115, 255}, {204, 121, 167, 255},
	{230, 159, 0, 255}, {86, 180, 233, 255}, {0, 0, 0, 255},
}

// withAlpha returns the colour with an opacity from 0 to 1.
func (c Color) withAlpha(opacity float64) color.NRGBA {
	p := palette[c%numColors]
	p.A = uint8(math.Round(255 * opacity))
	return p
}

// A Marker is the shape of a point.
type Marker int

// The markers. [Curves] assigns the first five, in this order.
const (
	Circle Marker = iota
	Square
	Triangle
	Cross
	OpenCircle
	OpenSquare
	OpenTriangle
)

var glyphs = []draw.GlyphDrawer{draw.CircleGlyph{}, draw.BoxGlyph{}, draw.PyramidGlyph{},
	draw.CrossGlyph{}, draw.RingGlyph{}, draw.SquareGlyph{}, draw.TriangleGlyph{}}

// style returns the marker with a colour and a radius in points.
func (m Marker) style(c color.Color, radius vg.Length) draw.GlyphStyle {
	return draw.GlyphStyle{Color: c, Radius: radius, Shape: glyphs[m]}
}

// dashes are the dash patterns of lines, in the order in which [Curves] assigns them; the first
// one is a solid line. The numbers of patterns and of colours have no common divisor, so 28 curves
// have different styles.
var dashes = [4][]vg.Length{nil, {5, 2}, {1.5, 1.5}, {6, 2, 1.5, 2}}

const (
	smallText = 8   // font size in points, for tick labels and the legend
	largeText = 9   // font size in points, for titles and axis labels
	thinLine  = 0.5 // line width in points
)

var grey = color.Gray{225}

// textStyle returns the text style for a font size in points.
func textStyle(size vg.Length, bold bool) text.Style {
	f := font.Font{Typeface: "Liberation", Variant: "Sans", Size: size}
	if bold {
		f.Weight = 3 // WeightBold of golang.org/x/image/font
	}
	return text.Style{Color: color.Black, Handler: plot.DefaultTextHandler, XAlign: text.XLeft,
		YAlign: text.YBottom, Font: f}
}

// newPlot returns an empty plot with a title and axis labels.
func newPlot(title, x, y string) *plot.Plot {
	p := plot.New()
	setFont(&p.Title.TextStyle, largeText, true)
	p.Title.Text, p.Title.Padding = title, 4
	for _, axis := range []struct {
		*plot.Axis
		label string
	}{{&p.X, x}, {&p.Y, y}} {
		setFont(&axis.Label.TextStyle, largeText, false)
		setFont(&axis.Tick.Label, smallText, false)
		axis.Label.Text, axis.Label.Padding = axis.label, 3
		axis.LineStyle.Width, axis.Tick.LineStyle.Width = thinLine, thinLine
		axis.Tick.Length = 3
		axis.Tick.Marker = ticks(0)
	}
	// gonum draws them higher than their ticks, by the descent of the font
	labels := &p.Y.Tick.Label
	labels.YAlign -= text.YAlignment(labels.FontExtents().Descent / labels.Height("0"))
	return p
}

// setFont changes the font of a text style and keeps its alignment.
func setFont(s *text.Style, size vg.Length, bold bool) {
	s.Font = textStyle(size, bold).Font
}

// gridLines returns horizontal lines at the ticks of the Y axis.
func gridLines() *plotter.Grid {
	g := plotter.NewGrid()
	g.Vertical.Color = nil
	g.Horizontal = draw.LineStyle{Color: grey, Width: thinLine}
	return g
}

// ticks places ticks at the multiples of a step. The step is 1, 2 or 5 times a power of ten; it is
// the smallest such number that is at least the value of ticks and gives at most six ticks.
type ticks float64

// Ticks returns the ticks between low and high.
func (minStep ticks) Ticks(low, high float64) []plot.Tick {
	const maxTicks = 6
	var list []plot.Tick
	for power := math.Floor(math.Log10((high - low) / maxTicks)); list == nil; power++ {
		for _, factor := range []float64{1, 2, 5} {
			step := factor * math.Pow(10, power)
			first, last := math.Ceil(low/step-1e-9), math.Floor(high/step+1e-9)
			if last-first >= maxTicks || step < float64(minStep) {
				continue
			}
			for k := first; k <= last; k++ {
				v := k*step + 0 // not −0
				list = append(list, plot.Tick{Value: v, Label: tickLabel(v, max(0, int(-power)))})
			}
			break
		}
	}
	return list
}

// tickLabel returns a value with a number of decimals, or with as many as it needs for −1.
func tickLabel(v float64, decimals int) string {
	return strings.Replace(strconv.FormatFloat(v, 'f', decimals, 64), "-", "−", 1)
}
