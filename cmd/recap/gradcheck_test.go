package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/seed-6655bf3b/recap/internal/optable"
	"github.com/seed-6655bf3b/recap/internal/runs"
)

// TestWrongGradientFails checks operations of which one has the wrong gradient: ReverseGrad, if it
// is expected to be the gradient of the identity.
func TestWrongGradientFails(t *testing.T) {
	cases := slices.DeleteFunc(optable.Cases(), func(k optable.Case) bool {
		return k.Name() != "ReverseGrad" && k.Name() != "Neg"
	})
	for i := range cases {
		cases[i].Alter = false
	}
	for _, elements := range []bool{false, true} {
		var out bytes.Buffer
		err := checkCases(&terminal{out: &out}, cases, elements)
		if err == nil || !strings.Contains(err.Error(), "found otherwise in 1 of 2 checks") {
			t.Errorf("error %v, want one of 1 in 2 checks", err)
		}
		for line := range strings.Lines(out.String()) {
			want := "PASS"
			if strings.Contains(line, "ReverseGrad ") {
				want = "FAIL"
			}
			if strings.Contains(line, "1e-06") && !strings.Contains(line, want) {
				t.Errorf("%swant %s", line, want)
			}
		}
		if !strings.HasSuffix(out.String(), "\nFAIL: 1 of 2 checks passed\n") {
			t.Errorf("the last line is not of a failure:\n%s", &out)
		}
	}
}

// TestPhaseRow checks the verdict on a phase of a model.
func TestPhaseRow(t *testing.T) {
	for _, x := range []struct {
		check runs.PhaseCheck
		want  string
	}{
		{runs.PhaseCheck{Analytic: 1, Numeric: 1}, "PASS"},
		{runs.PhaseCheck{Analytic: 1, Numeric: 1.001}, "FAIL"},
		{runs.PhaseCheck{Analytic: 1, Numeric: 1, ZeroGradient: 1}, "FAIL"},
	} {
		row, passed := phaseRow("toy", &x.check)
		if got := row[len(row)-1]; got != x.want || passed != (x.want == "PASS") {
			t.Errorf("%+v: %v, %v, want %s", x.check, got, passed, x.want)
		}
	}
}
