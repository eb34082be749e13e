package runs

import (
	"strings"
	"testing"

	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/settings/settingstest"
	"github.com/seed-6655bf3b/recap/internal/train"
)

// TestEqualEpochs compares with numbers worked out by hand.
func TestEqualEpochs(t *testing.T) {
	records := func(stage1, stage2 int) (list []rundir.Record) {
		for range stage1 {
			list = append(list, rundir.Record{Phase: "stage1", Seconds: 3})
		}
		for i := range stage2 {
			list = append(list, rundir.Record{Phase: "stage2", Seconds: 1 + float64(i%2)})
		}
		return list
	}
	seconds := func(e *rundir.Record) float64 { return e.Seconds }
	steps := func(e *rundir.Record) float64 {
		return map[string]float64{"stage1": 8, "stage2": 3}[e.Phase]
	}
	for _, c := range []struct {
		what  string
		list  []rundir.Record
		seeds int
		cost  func(e *rundir.Record) float64
		want  int
	}{
		{"time: (2·3 + 4·1.5)/1.5", records(2, 4), 1, seconds, 8},
		{"time, rounded up: (1·3 + 5·1.4)/1.4 = 7.14", records(1, 5), 1, seconds, 8},
		{"steps, rounded up: (2·8 + 4·3)/3 = 9.33", records(2, 4), 1, steps, 10},
		{"steps of two seeds", append(records(2, 4), records(2, 4)...), 2, steps, 10},
		{"without stage 1", records(0, 4), 1, steps, 4},
		{"a little more than 4: (1·0.012 + 4·3)/3", records(1, 4), 1,
			func(e *rundir.Record) float64 {
				return map[string]float64{"stage1": 0.012, "stage2": 3}[e.Phase]
			}, 5},
	} {
		if got, err := equalEpochs(c.list, c.seeds, c.cost); got != c.want || err != nil {
			t.Errorf("%s: %d epochs, want %d: %v", c.what, got, c.want, err)
		}
	}
	if _, err := equalEpochs(records(3, 0), 1, steps); err == nil ||
		!strings.Contains(err.Error(), "expected epochs of stage2") {
		t.Error(err)
	}
}

// TestStepsPerEpoch counts the steps for 40 utterances in batches of 16, of which the last, of 8,
// is large enough for stage 1, and for 8 labels; gradients of two batches are added for a step.
func TestStepsPerEpoch(t *testing.T) {
	for accumulate, want := range map[string][2]int{"1": {3, 1}, "2": {2, 1}} {
		c := settingstest.Resolved(t, map[string]string{"train.accumulate": accumulate,
			"data.labels": "0.2", "data.limit": "40", "train.batch": "16"})
		data, err := train.Open(&c)
		if err != nil {
			t.Fatal(err)
		}
		steps, err := data.StepsPerEpoch(&c)
		if err != nil || steps["stage1"] != want[0] || steps["stage2"] != want[1] {
			t.Errorf("%v, want %v: %v", steps, want, err)
		}
	}
}

func TestLengthenWithoutTheWholeModel(t *testing.T) {
	c := settingstest.Resolved(t, nil)
	for want, full := range map[string][]rundir.Dir{
		"expected the variant full before it, found none": nil,
		"config.yaml: no such file":                       {rundir.Dir(t.TempDir())},
	} {
		if err := (&Runner{}).lengthen(&c, nil, full); err == nil ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("%v: error %v, want %q", full, err, want)
		}
	}
}
