package figure

import (
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Sizes of a figure.
const (
	pageWidth   = 7 * vg.Inch // between the margins of A4 or letter paper
	columnWidth = pageWidth / 2
	margin      = 4
	gap         = 14 // between panels
)

// A key is an entry of the legend.
type key struct {
	name  string
	width vg.Length            // of the box before the name
	draw  func(c *draw.Canvas) // draws into the box
}

const (
	lineKey  = 24 // width of the box of a line
	pointKey = 8  // and of a point
	keyGap   = 5  // between the box and the name
	keySpace = 14 // between entries
	keyLine  = 13 // height of a row
)

// panels returns a figure of plots in rows of the given number of columns, as wide as the page, or
// half as wide for one column. Their data areas are aligned; height is that of a row. Below are
// the keys.
func panels(plots []*plot.Plot, columns int, height vg.Length, keys []key) *Figure {
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
	legend := arrange(keys, width-2*margin)
	below := vg.Length(len(legend))*keyLine + keyGap
	return &Figure{width: width, height: vg.Length(rows)*height + below + 2*margin, draw: func(c draw.Canvas) {
		c = draw.Crop(c, margin, -margin, margin, -margin)
		tiles := draw.Tiles{Cols: columns, Rows: rows, PadX: gap, PadY: gap}
		canvases := plot.Align(grid, tiles, draw.Crop(c, 0, 0, below, 0))
		for i, row := range grid {
			for j, p := range row {
				if p != nil {
					p.Draw(canvases[i][j])
				}
			}
		}
		for i, row := range legend {
			row.draw(draw.Crop(c, 0, 0, below-keyGap-vg.Length(i+1)*keyLine, 0))
		}
	}}
}

// A keyRow is a row of the legend.
type keyRow struct {
	keys  []key
	width vg.Length
}

// arrange puts the keys into rows.
func arrange(keys []key, width vg.Length) []keyRow {
	var rows []keyRow
	for _, k := range keys {
		w := k.width + keyGap + style(small, false).Width(k.name)
		if last := len(rows) - 1; last >= 0 && rows[last].width+keySpace+w <= width {
			rows[last].keys = append(rows[last].keys, k)
			rows[last].width += keySpace + w
		} else {
			rows = append(rows, keyRow{[]key{k}, w})
		}
	}
	return rows
}

// draw puts the row in the middle of the canvas, at its bottom.
func (r keyRow) draw(c draw.Canvas) {
	letters := style(small, false)
	x := c.Center().X - r.width/2
	for _, k := range r.keys {
		box := draw.Canvas{Canvas: c.Canvas, Rectangle: vg.Rectangle{
			Min: vg.Point{X: x, Y: c.Min.Y}, Max: vg.Point{X: x + k.width, Y: c.Min.Y + keyLine}}}
		k.draw(&box)
		middle := letters
		middle.YAlign = draw.YCenter
		c.FillText(middle, vg.Point{X: x + k.width + keyGap, Y: box.Center().Y}, k.name)
		x += k.width + keyGap + letters.Width(k.name) + keySpace
	}
}
