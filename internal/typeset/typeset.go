// Package typeset prints tables of results as plain text, as Markdown and as LaTeX.
package typeset

import (
	"regexp"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// A Table is rows of cells under a header. Its first columns name what the row is of, the others
// have numbers.
type Table struct {
	Caption string
	Header  []string
	Names   int // how many columns name
	Rows    [][]string
	Rules   []int // rows above which there is a line
	Notes   []string
}

// width is where the lines of captions and notes are broken, in characters.
const width = 110

// pretty returns the table for go-pretty, names to the left and numbers to the right.
func (t *Table) pretty() table.Writer {
	w := table.NewWriter()
	w.SetStyle(table.StyleLight)
	w.Style().Format.Header = text.FormatDefault
	w.AppendHeader(row(t.Header))
	var columns []table.ColumnConfig
	for i := range t.Header[t.Names:] {
		columns = append(columns, table.ColumnConfig{Number: t.Names + i + 1, Align: text.AlignRight, AlignHeader: text.AlignRight})
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

func row(cells []string) table.Row {
	r := make(table.Row, len(cells))
	for i, c := range cells {
		r[i] = c
	}
	return r
}

// Text returns the caption, the table drawn with lines, and the notes.
func (t *Table) Text() string {
	var b strings.Builder
	b.WriteString(wrapped(t.Caption) + t.pretty().Render() + "\n")
	for _, n := range t.Notes {
		b.WriteString(wrapped(n))
	}
	return b.String()
}

// wrapped breaks a paragraph into lines, at spaces.
func wrapped(paragraph string) string {
	return padding.ReplaceAllString(text.WrapSoft(paragraph, width)+"\n", "\n")
}

var padding = regexp.MustCompile(` +\n`)

// Markdown returns the caption as a paragraph, the table, and each note as a paragraph.
func (t *Table) Markdown() string {
	parts := append([]string{t.Caption, t.pretty().RenderMarkdown()}, t.Notes...)
	return strings.Join(parts, "\n\n") + "\n"
}

// LaTeX returns a table that needs the package booktabs.
func (t *Table) LaTeX() string {
	var b strings.Builder
	line := func(cells []string) {
		for i, c := range cells {
			if i > 0 {
				b.WriteString(" & ")
			}
			b.WriteString(escaped(c))
		}
		b.WriteString(" \\\\\n")
	}
	b.WriteString("\\begin{table}\n\\centering\n\\caption{" + escaped(t.Caption) + "}\n\\smallskip\n\\begin{tabular}{" +
		strings.Repeat("l", t.Names) + strings.Repeat("r", len(t.Header)-t.Names) + "}\n\\toprule\n")
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
		b.WriteString("\n\\smallskip\\parbox{\\linewidth}{\\footnotesize " + escaped(n) + "}\n")
	}
	b.WriteString("\\end{table}\n")
	return b.String()
}

var latex = strings.NewReplacer(
	`\`, `\textbackslash{}`, `{`, `\{`, `}`, `\}`, `&`, `\&`, `%`, `\%`, `$`, `\$`, `#`, `\#`, `_`, `\_`, `~`, `\textasciitilde{}`, `^`, `\textasciicircum{}`,
	`<`, `$<$`, `>`, `$>$`, `|`, `$|$`, `"`, `''`, `--`, `-{}-`, `±`, `$\pm$`, `†`, `$^\dagger$`)

// minus finds the sign of a number, which is not a hyphen.
var minus = regexp.MustCompile(`(^| )-([0-9])`)

// escaped returns text in which nothing is a command of LaTeX.
func escaped(s string) string { return minus.ReplaceAllString(latex.Replace(s), "$1$$-$$$2") }
