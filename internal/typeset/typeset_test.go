package typeset

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func example() *Table {
	return &Table{
		Caption: "Corr of a_b & c, 50% of {x}.",
		Header:  []string{"model", "settings", "Has0_acc_2", "Acc-2"}, LabelColumns: 2,
		Rows: [][]string{
			{"w/o FID", "data.labels=0.1", "0.5000 ± 0.0100", "-0.1200"},
			{"RECAP", `C:\x~y^2 <"z"> #1 | $5 --by`, "37.25†", "-1.00 / -2.00"},
		},
		Rules: []int{1},
		Notes: []string{"† printed wrong", "second note"},
	}
}

func TestText(t *testing.T) {
	got := example().Text(0)
	for _, part := range []string{
		"Corr of a_b & c, 50% of {x}.\n┌",
		"│ model   │ settings                    │      Has0_acc_2 │         Acc-2 │\n",
		"│ w/o FID │ data.labels=0.1             │ 0.5000 ± 0.0100 │       -0.1200 │\n├",
		"┘\n† printed wrong\nsecond note\n",
	} {
		if !strings.Contains(got, part) {
			t.Errorf("no %q in\n%s", part, got)
		}
	}
}

// TestTextFits checks narrower and narrower texts: long labels in several lines, then the most
// important columns, then a line for each cell.
func TestTextFits(t *testing.T) {
	table := example()
	table.Title, table.Caption = "The title.", "A caption of some words that is longer."
	table.Header = append(table.Header, "MAE")
	for i := range table.Rows {
		table.Rows[i] = append(table.Rows[i], "0.2500")
	}
	table.Rows[1][1] = "--batch 64, --epochs 100, --name long"
	table.Important = []string{"MAE", "Has0_acc_2"}
	for _, c := range []struct {
		width    int
		has, not string
	}{
		{100, "│ --batch 64, --epochs 100, --name long │ ", "In a wider"},
		{85, "│ --batch 64, --epochs 100,    │", "In a wider"},
		{75, "│ settings                  │      Has0_acc_2 │    MAE │", "│ Acc-2"},
		{75, "┘\nIn a wider terminal also: Acc-2\n† printed", "│         Acc-2 │"},
		{50, "│ Acc-2      │ -0.1200 ", "In a wider"},
		{50, "│ settings   │ --batch 64, --epochs 100, --name", "long, "},
	} {
		text := table.Text(c.width)
		if !strings.HasPrefix(text, "The title.\nA caption") || !strings.Contains(text, c.has) ||
			strings.Contains(text, c.not) {
			t.Errorf("%d columns:\n%s", c.width, text)
		}
	}
	for width := 25; width < 110; width++ {
		for line := range strings.SplitSeq(table.Text(width), "\n") {
			if utf8.RuneCountInString(line) > width {
				t.Fatalf("%d columns:\n%s", width, table.Text(width))
			}
		}
	}
}

func TestMarkdown(t *testing.T) {
	got := example().Markdown()
	for _, part := range []string{
		"Corr of a_b & c, 50% of {x}.\n\n| model | settings | Has0_acc_2 | Acc-2 |\n| --- | --- | ---:| ---:|\n",
		"| w/o FID | data.labels=0.1 | 0.5000 ± 0.0100 | -0.1200 |\n| RECAP |",
		`#1 \| $5 --by | 37.25† | -1.00 / -2.00 |` + "\n\n† printed wrong\n\nsecond note\n",
	} {
		if !strings.Contains(got, part) {
			t.Errorf("no %q in\n%s", part, got)
		}
	}
}

func TestLaTeX(t *testing.T) {
	want := `\begin{table}
\centering
\caption{Corr of a\_b \& c, 50\% of \{x\}.}
\smallskip
\begin{tabular}{llrr}
\toprule
model & settings & Has0\_acc\_2 & Acc-2 \\
\midrule
w/o FID & data.labels=0.1 & 0.5000 $\pm$ 0.0100 & $-$0.1200 \\
\midrule
RECAP & C:\textbackslash{}x\textasciitilde{}y\textasciicircum{}2 $<$''z''$>$ \#1 $|$ \$5 -{}-by` +
		` & 37.25$^\dagger$ & $-$1.00 / $-$2.00 \\
\bottomrule
\end{tabular}

\smallskip\parbox{\linewidth}{\footnotesize $^\dagger$ printed wrong}

\smallskip\parbox{\linewidth}{\footnotesize second note}
\end{table}
`
	if got := example().LaTeX(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestWrap(t *testing.T) {
	long := ""
	for i := range 100 {
		long += strings.Repeat("x", 1+i*7%13) + " "
	}
	long = strings.TrimSpace(long)
	lines := strings.Split(strings.TrimSuffix(Wrap(long, maxWidth), "\n"), "\n")
	if len(lines) < len(long)/maxWidth || strings.Join(lines, " ") != long {
		t.Errorf("%d lines: %q", len(lines), lines)
	}
	for _, l := range lines {
		if n := len(l); n > maxWidth {
			t.Errorf("a line of %d characters, at most %d", n, maxWidth)
		}
	}
}
