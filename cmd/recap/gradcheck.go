package main

import (
	"fmt"
	"math"
	"slices"
	"strings"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/autograd/gradcheck"
	"github.com/seed-6655bf3b/recap/internal/optable"
	"github.com/seed-6655bf3b/recap/internal/runs"
	"github.com/seed-6655bf3b/recap/internal/settings"
	"github.com/seed-6655bf3b/recap/internal/typeset"
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
gradient. A check passes if its error is at most the tolerance; if one fails, the exit code is 1.

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
	return checkCases(t, cases, len(c.Op) > 0)
}

// checkCases checks the gradients of cases and prints a line for each, or for each element.
func checkCases(t *terminal, cases []optable.Case, elements bool) error {
	dev, err := ag.Open("cpu64")
	if err != nil {
		return err
	}
	rows := &typeset.Table{LabelColumns: 1, Left: leftColumns, Important: importantColumns,
		Header: []string{"operation", "input", "shape", "element", "analytic", "numeric", "error",
			"tolerance", ""}}
	worst, where, failed := gradcheck.Derivative{}, "", 0
	for _, k := range cases {
		derivatives := applyFactor(k, gradcheck.Compare(k.F, k.Inputs(dev)))
		w := gradcheck.Worst(derivatives)
		if where == "" || !(w.Err <= worst.Err) {
			worst, where = w, k.Name()
		}
		if !(w.Err <= tolerance) {
			failed++
		}
		shown := []gradcheck.Derivative{w}
		if elements {
			shown = derivatives
		}
		for _, d := range shown {
			rows.Rows = append(rows.Rows, []string{k.Name(), fmt.Sprint(d.Input),
				fmt.Sprint(k.Shapes[d.Input]), fmt.Sprint(d.Element),
				fmt.Sprintf("% .10f", d.Analytic), fmt.Sprintf("% .10f", d.Numeric),
				fmt.Sprintf("%.1e", d.Err), fmt.Sprint(tolerance), verdict(d.Err <= tolerance)})
		}
	}
	fmt.Fprint(t.out, rows.Text(t.width))
	t.paragraph(fmt.Sprintf("largest error %.1e, in %s, input %d, element %d", worst.Err, where,
		worst.Input, worst.Element))
	return conclude(t, len(cases), failed)
}

// Columns of the tables, see [typeset.Table].
var (
	leftColumns      = []string{"phase", "shape", "loss", "analytic", "numeric", "error", ""}
	importantColumns = []string{"", "error", "phase", "zero gradient", "tolerance", "shape"}
)

// verdict returns PASS or FAIL.
func verdict(passed bool) string {
	if passed {
		return "PASS"
	}
	return "FAIL"
}

// conclude prints how many checks passed, and returns an error if some failed.
func conclude(t *terminal, all, failed int) error {
	fmt.Fprintf(t.out, "%s: %d of %d checks passed\n", verdict(failed == 0), all-failed, all)
	if failed > 0 {
		return fmt.Errorf("gradcheck: expected errors up to the tolerance and a gradient for "+
			"every parameter, found otherwise in %d of %d checks", failed, all)
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
	rows := &typeset.Table{LabelColumns: 1, Left: leftColumns, Important: importantColumns,
		Header: []string{"model", "phase", "parameters", "zero gradient", "loss", "analytic",
			"numeric", "error", "tolerance", ""}}
	all, failed := 0, 0
	for _, name := range c.Model {
		checks, err := runs.Gradcheck(name)
		if err != nil {
			return usageError{err}
		}
		for _, k := range checks {
			row, passed := phaseRow(name, &k)
			rows.Rows = append(rows.Rows, row)
			all++
			if !passed {
				failed++
			}
		}
	}
	fmt.Fprint(t.out, rows.Text(t.width))
	return conclude(t, all, failed)
}

// phaseRow returns the line for a phase of a model.
func phaseRow(model string, k *runs.PhaseCheck) (row []string, passed bool) {
	passed = k.Err() <= modelTolerance && k.ZeroGradient == 0
	return []string{model, k.Phase, fmt.Sprint(k.Parameters), fmt.Sprint(k.ZeroGradient),
		fmt.Sprintf("%.6f", k.Loss), fmt.Sprintf("% .10f", k.Analytic),
		fmt.Sprintf("% .10f", k.Numeric), fmt.Sprintf("%.1e", k.Err()),
		fmt.Sprint(modelTolerance), verdict(passed)}, passed
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
			err := fmt.Errorf("gradcheck: unknown operation %q%s; known are %s",
				op, settings.DidYouMean(op, known), strings.Join(known, ", "))
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
