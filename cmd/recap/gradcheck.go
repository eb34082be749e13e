package main

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	prettytext "github.com/jedib0t/go-pretty/v6/text"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/autograd/gradcheck"
	"github.com/seed-6655bf3b/recap/internal/optable"
	"github.com/seed-6655bf3b/recap/internal/runs"
	"github.com/seed-6655bf3b/recap/recap"
)

// tolerance is the largest relative error of a correct gradient in double precision.
const tolerance = 1e-6

type gradcheckCommand struct {
	Op    []string `arg:"" optional:"" help:"Operations to show element by element; default: all, one line a case."`
	Model []string `short:"m" placeholder:"NAME" help:"Models to check instead of operations: recap, ${models}."`
}

func (gradcheckCommand) Help() string {
	return `Computes the gradient of ⟨u, f(x)⟩ for each operation f and a random u, in double precision, by the
backward pass and by central differences. The error is relative to the largest element of the
gradient.

With --model, checks the total loss of each phase of a model, with the sizes of the quick preset, on
a random batch, along one random direction in the space of all parameters. Values that the loss
treats as constants keep their values, and gradients are not reversed.

Examples:
  recap gradcheck
  recap gradcheck LayerNorm Softmax
  recap gradcheck -m recap`
}

func (c *gradcheckCommand) Run(t *terminal) error {
	if len(c.Model) > 0 {
		return c.models(t)
	}
	cases, err := selectCases(c.Op)
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
	rows.AppendHeader(table.Row{"operation", "input", "shape", "element", "analytic", "numeric",
		"error"})
	worst, where := gradcheck.Derivative{}, ""
	for _, k := range cases {
		derivatives := applyFactor(k, gradcheck.Compare(k.F, k.Inputs(dev)))
		w := gradcheck.Worst(derivatives)
		if where == "" || !(w.Err <= worst.Err) {
			worst, where = w, k.Name()
		}
		shown := derivatives
		if len(c.Op) == 0 {
			shown = []gradcheck.Derivative{w}
		}
		for _, d := range shown {
			rows.AppendRow(table.Row{k.Name(), d.Input, fmt.Sprint(k.Shapes[d.Input]), d.Element,
				fmt.Sprintf("% .10f", d.Analytic), fmt.Sprintf("% .10f", d.Numeric),
				fmt.Sprintf("%.1e", d.Err)})
		}
	}
	fmt.Fprintln(t.out, rows.Render())
	fmt.Fprintf(t.out, "%d cases; largest error %.1e, in %s, input %d, element %d\n",
		len(cases), worst.Err, where, worst.Input, worst.Element)
	if !(worst.Err <= tolerance) {
		return fmt.Errorf("gradcheck: %s: expected errors of at most %g, found %.3g", where,
			tolerance, worst.Err)
	}
	return nil
}

// modelTolerance is the largest relative error of the derivative of a model's loss, which is
// computed by thousands of operations.
const modelTolerance = 1e-5

// models checks every phase of the models.
func (c *gradcheckCommand) models(t *terminal) error {
	if len(c.Op) > 0 {
		return usageError{fmt.Errorf("gradcheck: expected operations or models, found both")}
	}
	rows := table.NewWriter()
	rows.SetStyle(table.StyleLight)
	rows.Style().Format.Header = prettytext.FormatDefault
	rows.AppendHeader(table.Row{"model", "phase", "parameters", "zero gradient", "loss",
		"analytic", "numeric", "error"})
	var failed []string
	for _, name := range c.Model {
		checks, err := runs.Gradcheck(name)
		if err != nil {
			return usageError{err}
		}
		for _, k := range checks {
			rows.AppendRow(table.Row{name, k.Phase, k.Parameters, k.ZeroGradient,
				fmt.Sprintf("%.6f", k.Loss),
				fmt.Sprintf("% .10f", k.Analytic), fmt.Sprintf("% .10f", k.Numeric),
				fmt.Sprintf("%.1e", k.Err())})
			if !(k.Err() <= modelTolerance) || k.ZeroGradient > 0 {
				failed = append(failed, name+" "+k.Phase)
			}
		}
	}
	fmt.Fprintln(t.out, rows.Render())
	if failed != nil {
		return fmt.Errorf("gradcheck: %s: expected errors of at most %g and a gradient for every parameter",
			strings.Join(failed, ", "), modelTolerance)
	}
	return nil
}

// selectCases returns the cases of the named operations, all cases if ops is empty.
func selectCases(ops []string) ([]optable.Case, error) {
	all := append(optable.Cases(), recap.OpCases()...)
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
			err := fmt.Errorf("gradcheck: unknown operation %q; known are %s",
				op, strings.Join(known, ", "))
			return nil, usageError{err}
		}
	}
	return slices.DeleteFunc(all, func(k optable.Case) bool {
		return !slices.Contains(ops, k.Op)
	}), nil
}

// applyFactor multiplies the numeric derivatives of an operation that scales its gradient on
// purpose, such as ReverseGrad, by the operation's factor.
func applyFactor(k optable.Case, ds []gradcheck.Derivative) []gradcheck.Derivative {
	if k.Alter {
		for i := range ds {
			ds[i].Numeric *= k.Factor
			ds[i].Err = math.Abs(ds[i].Analytic - ds[i].Numeric)
		}
	}
	return ds
}
