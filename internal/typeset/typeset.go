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
	Caption      string
	Header       []string
	LabelColumns int // number of label columns
	Rows         [][]string
	Rules        []int    // indices of the rows with a horizontal rule above them
	Notes        []string // paragraphs below the table
}

// maxWidth is the longest line of captions and notes in plain text, in characters.
const maxWidth = 110

// writer returns a go-pretty writer of the table.
func (t *Table) writer() table.Writer {
	w := table.NewWriter()
	w.SetStyle(table.StyleLight)
	w.Style().Format.Header = text.FormatDefault
	w.AppendHeader(row(t.Header))
	var columns []table.ColumnConfig
	for i := range t.Header[t.LabelColumns:] {
		columns = append(columns,
			table.ColumnConfig{Number: t.LabelColumns + i + 1, Align: text.AlignRight,
				AlignHeader: text.AlignRight})
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

// row converts cells to the type of go-pretty.
func row(cells []string) table.Row {
	r := make(table.Row, len(cells))
	for i, c := range cells {
		r[i] = c
	}
	return r
}

// Text returns the caption, the table with box-drawing characters, and the notes.
func (t *Table) Text() string {
	var b strings.Builder
	b.WriteString(Wrap(t.Caption, maxWidth) + t.writer().Render() + "\n")
	for _, n := range t.Notes {
		b.WriteString(Wrap(n, maxWidth))
	}
	return b.String()
}

// Wrap breaks a paragraph at spaces into lines of at most width characters.
func Wrap(paragraph string, width int) string {
	return padding.ReplaceAllString(text.WrapSoft(paragraph, width)+"\n", "\n")
}

// padding matches spaces at the end of a line.
var padding = regexp.MustCompile(` +\n`)

// Markdown returns the caption as a paragraph, the table, and each note as a paragraph.
func (t *Table) Markdown() string {
	parts := append([]string{t.Caption, t.writer().RenderMarkdown()}, t.Notes...)
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
