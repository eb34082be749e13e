package runs

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seed-6655bf3b/recap/internal/settings/settingstest"
	"github.com/seed-6655bf3b/recap/internal/typeset"
)

// TestTablesOfASearch has three trials, of which two are finished and one has not begun, with two
// seeds and with one.
func TestTablesOfASearch(t *testing.T) {
	s := &Search{Name: "tune", Keys: []string{"a", "b"},
		Base: settingstest.Resolved(t, map[string]string{"dataset": "mosi"})}
	for _, values := range [][]string{{"1", "x"}, {"2", "y"}, {"3", "z"}, {"4", "w"}} {
		s.Trials = append(s.Trials, Trial{Values: values})
	}
	two := []TrialScore{{Trial: 2, Run: "tune-003", Seeds: 2, Mean: 0.5, Std: 0.25},
		{Trial: 0, Run: "tune-001", Seeds: 2, Mean: 0.123456, Std: 0.01},
		{Trial: 1, Run: "tune-002", Seeds: 1, Mean: 0.25},
		{Trial: 3, Run: "tune-004", Mean: math.NaN(), Std: math.NaN()}}
	text, err := s.csv(two, 2)
	if want := "rank,trial,run,a,b,seeds,valid_MAE,valid_MAE_std\n" +
		"1,3,tune-003,3,z,2,0.5,0.25\n2,1,tune-001,1,x,2,0.123456,0.01\n" +
		",2,tune-002,2,y,1,0.25,0\n,4,tune-004,4,w,0,,\n"; string(text) != want || err != nil {
		t.Errorf("%s, %v, want\n%s", text, err, want)
	}
	want := &typeset.Table{Title: "mosi, toy, 4 trials, seeds 5 6 (mean ± standard deviation); " +
		"validation at rate 0.5, test scores were not used", LabelColumns: 1,
		Important: []string{"run", "valid MAE"},
		Header:    []string{"rank", "run", "a", "b", "seeds", "valid MAE"},
		Rows: [][]string{{"1", "tune-003", "3", "z", "2/2", "0.5000 ± 0.2500"},
			{"2", "tune-001", "1", "x", "2/2", "0.1235 ± 0.0100"},
			{"", "tune-002", "2", "y", "1/2", "0.2500"}, {"", "tune-004", "4", "w", "0/2", ""}}}
	exported := cmpopts.IgnoreUnexported(typeset.Table{})
	if diff := cmp.Diff(s.Table(two, []uint64{5, 6}), want, exported); diff != "" {
		t.Error(diff)
	}
	one := []TrialScore{{Trial: 1, Run: "tune-002", Seeds: 1, Mean: 2}}
	want.Title = "mosi, toy, 1 trials, seed 5; validation at rate 0.5, test scores were not used"
	want.Rows = [][]string{{"1", "tune-002", "2", "y", "1/1", "2.0000"}}
	if diff := cmp.Diff(s.Table(one, []uint64{5}), want, exported); diff != "" {
		t.Error(diff)
	}
}

func TestNaNIsTheLast(t *testing.T) {
	order := []float64{math.Inf(-1), -1, 0, 2, math.Inf(1), math.NaN()}
	for i, a := range order {
		for j, b := range order {
			if got := compareNaNLast(a, b); got > 0 != (i > j) || got < 0 != (i < j) {
				t.Errorf("%g and %g: %d", a, b, got)
			}
		}
	}
}
