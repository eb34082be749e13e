package typeset

import (
	"strings"
	"testing"
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
	got := example().Text()
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
