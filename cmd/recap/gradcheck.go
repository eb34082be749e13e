package main

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	prettytext "github.com/jedib0t/go-pretty/v6/text"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/autograd/agtest"
	"github.com/seed-6655bf3b/recap/internal/optable"
)

// tolerance is the largest relative error of a right gradient in double precision.
const tolerance = 1e-6

type gradcheckCommand struct {
	Op []string `arg:"" optional:"" help:"Operations to show element by element; all, one line each, by default."`
}

func (gradcheckCommand) Help() string {
	return `Differentiates ⟨u, f(x)⟩, u random, in double precision, backward and by central differences. The error is relative to the largest element of the gradient.

Examples:
  recap gradcheck
  recap gradcheck LayerNorm Softmax`
}

func (c *gradcheckCommand) Run(t *terminal) error {
	cases, err := chosen(c.Op)
	if err != nil {
		return err
	}
	dev, err := ag.Open("cpu64")
	if err != nil {
		return err
	}
	rows := table.NewWriter()
	rows.SetStyle(table.StyleLight)
	rows.Style().Format.Header = prettytext.FormatDefault
	rows.AppendHeader(table.Row{"operation", "input", "shape", "element", "analytic", "numeric", "error"})
	worst, where := agtest.Derivative{}, ""
	for _, k := range cases {
		derivatives := intended(k, agtest.Compare(k.F, k.Inputs(dev)))
		w := agtest.Worst(derivatives)
		if where == "" || !(w.Err <= worst.Err) {
			worst, where = w, k.Name()
		}
		shown := derivatives
		if len(c.Op) == 0 {
			shown = []agtest.Derivative{w}
		}
		for _, d := range shown {
			rows.AppendRow(table.Row{k.Name(), d.Input, fmt.Sprint(k.Shapes[d.Input]), d.Element,
				fmt.Sprintf("% .10f", d.Analytic), fmt.Sprintf("% .10f", d.Numeric), fmt.Sprintf("%.1e", d.Err)})
		}
	}
	fmt.Fprintln(t.out, rows.Render())
	fmt.Fprintf(t.out, "%d cases; largest error %.1e, in %s, input %d, element %d\n", len(cases), worst.Err, where, worst.Input, worst.Element)
	if !(worst.Err <= tolerance) {
		return fmt.Errorf("gradcheck: %s: expected errors of at most %g, found %.3g", where, tolerance, worst.Err)
	}
	return nil
}

// chosen returns the cases of the named operations; all if none is named.
func chosen(ops []string) ([]optable.Case, error) {
	all := optable.Cases()
	if len(ops) == 0 {
		return all, nil
	}
	var known []string
	for _, k := range all {
		if !slices.Contains(known, k.Op) {
			known = append(known, k.Op)
		}
	}
	for _, op := range ops {
		if !slices.Contains(known, op) {
			return nil, usageError{fmt.Errorf("gradcheck: unknown operation %q; known are %s", op, strings.Join(known, ", "))}
		}
	}
	return slices.DeleteFunc(all, func(k optable.Case) bool { return !slices.Contains(ops, k.Op) }), nil
}

// intended returns the derivatives with the numeric one as it should be: of an operation that alters its gradient on purpose, such as
// ReverseGrad, that is the factor times the true one.
func intended(k optable.Case, ds []agtest.Derivative) []agtest.Derivative {
	if k.Alter {
		for i := range ds {
			ds[i].Numeric *= k.Factor
			ds[i].Err = math.Abs(ds[i].Analytic - ds[i].Numeric)
		}
	}
	return ds
}
