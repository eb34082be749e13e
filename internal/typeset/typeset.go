// Package typeset formats tables of results as plain text, Markdown and LaTeX. Start with [Table].
package typeset

import (
	"regexp"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// A Table has a header and rows of as many cells. Its first columns are labels, aligned left; the
// others are numbers, aligned right.
type Table struct {
	Title        string // a caption that plain text has in the box
	Caption      string
	Header       []string
	LabelColumns int      // number of label columns
	Left         []string // headers of other columns that are aligned left
	Rows         [][]string
	Rules        []int    // indices of the rows with a horizontal rule above them
	Notes        []string // paragraphs below the table

	// Important has headers of columns that are no labels, from the most important on. A table that
	// is too wide has the first of them; the others are less important, each less than the one
	// before it.
	Important []string

	labelWidth int      // of label columns, in characters; 0 if they are as wide as their cells
	hidden     []string // headers of the columns that do not fit
}

// maxWidth is the longest line of captions and notes in plain text, in characters.
const maxWidth = 110

// writer returns a go-pretty writer of the table.
func (t *Table) writer() table.Writer {
	w := newWriter()
	w.AppendHeader(row(t.Header))
	var columns []table.ColumnConfig
	for i, name := range t.Header {
		c := table.ColumnConfig{Number: i + 1}
		switch {
		case i < t.LabelColumns:
			c.WidthMax, c.WidthMaxEnforcer = t.labelWidth, text.WrapSoft
		case !slices.Contains(t.Left, name):
			c.Align, c.AlignHeader = text.AlignRight, text.AlignRight
		}
		columns = append(columns, c)
	}
	w.SetColumnConfigs(columns)
	for i, cells := range t.Rows {
		if slices.Contains(t.Rules, i) {
			w.AppendSeparator()
		}
		w.AppendRow(row(cells))
	}
	return w
}

func newWriter() table.Writer {
	w := table.NewWriter()
	w.SetStyle(table.StyleLight)
	w.Style().Format.Header = text.FormatDefault
	return w
}

// row converts cells to the type of go-pretty.
func row(cells []string) table.Row {
	r := make(table.Row, len(cells))
	for i, c := range cells {
		r[i] = c
	}
	return r
}

// Text returns the caption, the table with box-drawing characters, and the notes. Unless width is
// 0, no line is longer than width characters: the table is that of [Table.Fit], or has a line for
// each cell if Fit finds none.
func (t *Table) Text(width int) string {
	if width == 0 {
		w := t.writer()
		w.SetTitle(t.Title)
		return paragraphs(maxWidth, t.Caption) + w.Render() + "\n" +
			paragraphs(maxWidth, t.Notes...)
	}
	box := ""
	if fitted, ok := t.Fit(width); ok {
		box = fitted.writer().Render() + "\n"
		if fitted.hidden != nil {
			box += Wrap("In a wider terminal also: "+strings.Join(fitted.hidden, ", "), width)
		}
	} else {
		box = t.cells(width) + "\n"
	}
	line := min(width, maxWidth)
	return paragraphs(line, t.Title, t.Caption) + box + paragraphs(line, t.Notes...)
}

// paragraphs returns those that are not empty, in lines of at most width characters.
func paragraphs(width int, list ...string) string {
	var b strings.Builder
	for _, p := range list {
		if p != "" {
			b.WriteString(Wrap(p, width))
		}
	}
	return b.String()
}

// Fit returns the table with the most important columns that fit width characters; if these are
// not all, long labels have several lines. It returns false if fewer than two columns beside the
// labels fit.
func (t *Table) Fit(width int) (fitted *Table, ok bool) {
	f := *t
	if f.fits(width) {
		return &f, true
	}
	f.labelWidth = max(24, width/3)
	for !f.fits(width) {
		if len(f.Header)-f.LabelColumns <= 2 {
			return nil, false
		}
		f.hide(f.leastImportant())
	}
	return &f, true
}

// fits reports whether the box has at most width columns.
func (t *Table) fits(width int) bool {
	edge, _, _ := strings.Cut(t.writer().Render(), "\n")
	return text.StringWidthWithoutEscSequences(edge) <= width
}

// leastImportant returns the index of a column.
func (t *Table) leastImportant() int {
	least, last := -1, t.LabelColumns
	for i := t.LabelColumns; i < len(t.Header); i++ {
		rank := slices.Index(t.Important, t.Header[i])
		if rank < 0 {
			rank = len(t.Important) + i
		}
		if rank > least {
			least, last = rank, i
		}
	}
	return last
}

// hide removes a column.
func (t *Table) hide(column int) {
	without := func(cells []string) []string {
		return slices.Delete(slices.Clone(cells), column, column+1)
	}
	t.hidden = append([]string{t.Header[column]}, t.hidden...)
	t.Header = without(t.Header)
	rows := make([][]string, len(t.Rows))
	for i, cells := range t.Rows {
		rows[i] = without(cells)
	}
	t.Rows = rows
}

// cells returns a box with a line for each cell that is not empty: the header and the cell.
func (t *Table) cells(width int) string {
	names := 0
	for _, name := range t.Header {
		names = max(names, text.StringWidthWithoutEscSequences(name))
	}
	names = min(names, width/2)
	w := newWriter()
	w.SetColumnConfigs([]table.ColumnConfig{
		{Number: 1, WidthMax: names, WidthMaxEnforcer: text.WrapSoft},
		{Number: 2, WidthMax: width - names - len("|  |  |"), WidthMaxEnforcer: text.WrapSoft},
	})
	for _, cells := range t.Rows {
		w.AppendSeparator()
		for i, cell := range cells {
			if cell != "" {
				w.AppendRow(table.Row{t.Header[i], strings.TrimSpace(cell)})
			}
		}
	}
	return w.Render()
}

// Wrap breaks a paragraph at spaces into lines of at most width characters.
func Wrap(paragraph string, width int) string {
	return padding.ReplaceAllString(text.WrapSoft(paragraph, width)+"\n", "\n")
}

// padding matches spaces at the end of a line.
var padding = regexp.MustCompile(` +\n`)

// Markdown returns the title as a heading, the caption as a paragraph, the table, and each note as
// a paragraph.
func (t *Table) Markdown() string {
	w := t.writer()
	w.SetTitle(t.Title)
	parts := append([]string{w.RenderMarkdown()}, t.Notes...)
	if t.Caption != "" {
		parts = append([]string{t.Caption}, parts...)
	}
	return strings.Join(parts, "\n\n") + "\n"
}

// LaTeX returns a table environment; it needs the LaTeX package booktabs. Special characters are
// escaped.
func (t *Table) LaTeX() string {
	var b strings.Builder
	line := func(cells []string) {
		for i, c := range cells {
			if i > 0 {
				b.WriteString(" & ")
			}
			b.WriteString(escape(c))
		}
		b.WriteString(" \\\\\n")
	}
	b.WriteString("\\begin{table}\n\\centering\n\\caption{" + escape(t.Caption) +
		"}\n\\smallskip\n\\begin{tabular}{" +
		strings.Repeat("l", t.LabelColumns) + strings.Repeat("r", len(t.Header)-t.LabelColumns) +
		"}\n\\toprule\n")
	line(t.Header)
	b.WriteString("\\midrule\n")
	for i, cells := range t.Rows {
		if slices.Contains(t.Rules, i) {
			b.WriteString("\\midrule\n")
		}
		line(cells)
	}
	b.WriteString("\\bottomrule\n\\end{tabular}\n")
	for _, n := range t.Notes {
		b.WriteString("\n\\smallskip\\parbox{\\linewidth}{\\footnotesize " + escape(n) + "}\n")
	}
	b.WriteString("\\end{table}\n")
	return b.String()
}

// latexEscapes replaces special characters by commands.
var latexEscapes = strings.NewReplacer(
	`\`, `\textbackslash{}`, `{`, `\{`, `}`, `\}`, `&`, `\&`, `%`, `\%`, `$`, `\$`, `#`,
	`\#`, `_`, `\_`, `~`, `\textasciitilde{}`, `^`, `\textasciicircum{}`,
	`<`, `$<$`, `>`, `$>$`, `|`, `$|$`, `"`, `''`, `--`, `-{}-`, `±`, `$\pm$`, `†`, `$^\dagger$`)

// minus matches the minus sign of a number, as opposed to a hyphen.
var minus = regexp.MustCompile(`(^| )-([0-9])`)

// escape returns text in which all characters that are special in LaTeX are escaped.
func escape(s string) string {
	return minus.ReplaceAllString(latexEscapes.Replace(s), "$1$$-$$$2")
}
