package figure

import (
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// The sizes of a figure, in points.
const (
	pageWidth   = 7 * vg.Inch // the text width of A4 or letter paper
	columnWidth = pageWidth / 2
	margin      = 4
	gap         = 14 // between panels
)

// A legendEntry is a symbol and its name in the legend.
type legendEntry struct {
	name  string
	width vg.Length            // of the symbol
	draw  func(c *draw.Canvas) // draws the symbol
}

// The sizes of the legend, in points.
const (
	lineSymbolWidth  = 24
	pointSymbolWidth = 8
	symbolGap        = 5  // between the symbol and the name
	entryGap         = 14 // between entries
	rowHeight        = 13
)

// panels returns a figure with the plots in rows of the given number of columns and the legend
// below them. The figure is as wide as the page, or half as wide for one column. The data areas of
// the plots are aligned; height is the height of a row.
func panels(plots []*plot.Plot, columns int, height vg.Length, entries []legendEntry) *Figure {
	columns = min(columns, len(plots))
	width := pageWidth
	if columns == 1 {
		width = columnWidth
	}
	rows := (len(plots) + columns - 1) / columns
	grid := make([][]*plot.Plot, rows)
	for i := range grid {
		grid[i] = make([]*plot.Plot, columns)
		copy(grid[i], plots[i*columns:])
	}
	legend := legendRows(entries, width-2*margin)
	legendHeight := vg.Length(len(legend))*rowHeight + symbolGap
	return &Figure{width: width, height: vg.Length(rows)*height + legendHeight + 2*margin,
		draw: func(c draw.Canvas) {
			c = draw.Crop(c, margin, -margin, margin, -margin)
			tiles := draw.Tiles{Cols: columns, Rows: rows, PadX: gap, PadY: gap}
			canvases := plot.Align(grid, tiles, draw.Crop(c, 0, 0, legendHeight, 0))
			for i, row := range grid {
				for j, p := range row {
					if p != nil {
						p.Draw(canvases[i][j])
					}
				}
			}
			for i, row := range legend {
				row.draw(draw.Crop(c, 0, 0, legendHeight-symbolGap-vg.Length(i+1)*rowHeight, 0))
			}
		}}
}

// A legendRow is a row of the legend.
type legendRow struct {
	entries []legendEntry
	width   vg.Length
}

// legendRows breaks the entries into rows of at most the given width.
func legendRows(entries []legendEntry, width vg.Length) []legendRow {
	var rows []legendRow
	for _, e := range entries {
		w := e.width + symbolGap + textStyle(smallText, false).Width(e.name)
		if last := len(rows) - 1; last >= 0 && rows[last].width+entryGap+w <= width {
			rows[last].entries = append(rows[last].entries, e)
			rows[last].width += entryGap + w
		} else {
			rows = append(rows, legendRow{[]legendEntry{e}, w})
		}
	}
	return rows
}

// draw draws the row at the bottom of the canvas, horizontally centred.
func (r legendRow) draw(c draw.Canvas) {
	style := textStyle(smallText, false)
	style.YAlign = draw.YCenter
	x := c.Center().X - r.width/2
	for _, e := range r.entries {
		symbol := draw.Canvas{Canvas: c.Canvas, Rectangle: vg.Rectangle{
			Min: vg.Point{X: x, Y: c.Min.Y},
			Max: vg.Point{X: x + e.width, Y: c.Min.Y + rowHeight}}}
		e.draw(&symbol)
		c.FillText(style, vg.Point{X: x + e.width + symbolGap, Y: symbol.Center().Y}, e.name)
		x += e.width + symbolGap + style.Width(e.name) + entryGap
	}
}
