package zoo_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn/zoo"
	"github.com/seed-6655bf3b/recap/nn/zoo/zootest"
)

// TestTaskErrorsDoNotBroadcast gives shapes of which the difference would be a matrix or a row that
// is repeated.
func TestTaskErrorsDoNotBroadcast(t *testing.T) {
	tp := ag.NewTape(zootest.Open(t, "cpu64"))
	for want, shapes := range map[string][2][]int{
		"scores [3 1] and labels [3 1]": {{3, 1}, {3, 1}},
		"scores [3 1] and labels [1]":   {{3, 1}, {1}},
		"scores [3] and labels [3]":     {{3}, {3}},
	} {
		func() {
			defer func() {
				if got, _ := recover().(string); !strings.HasPrefix(got, "zoo: TaskErrors: "+want) {
					t.Errorf("panic %q, want %q", got, want)
				}
			}()
			zoo.TaskErrors(tp, tp.Full(0, shapes[0]...),
				&zoo.Batch{Label: tp.Full(0, shapes[1]...)}, &zootest.TinyDims)
		}()
	}
}

// TestTaskErrors compares the error of each sample with a formula, for labels and classes, and the
// scores that a model returns.
func TestTaskErrors(t *testing.T) {
	tp := ag.NewTape(zootest.Open(t, "cpu64"))
	d, score := zoo.Dims{}, tp.Input([]float32{1.5, -1, 4}, 3, 1)
	labels := &zoo.Batch{Label: tp.Input([]float32{1, -3, 4}, 3)}
	equal(t, "errors of labels", zoo.TaskErrors(tp, score, labels, &d), []int{3}, 0.25, 4, 0)
	equal(t, "scores", d.Output(tp, score).Score, []int{3}, 1.5, -1, 4)
	if d.OutputWidth() != 1 {
		t.Errorf("%d scores of a label", d.OutputWidth())
	}
	d.Classes, score = 3, tp.Input([]float32{0, 0, 0, 1, 2, 3}, 2, 3)
	classes := &zoo.Batch{Class: []int{1, 2}}
	equal(t, "errors of classes", zoo.TaskErrors(tp, score, classes, &d), []int{2}, math.Log(3),
		math.Log(1+math.Exp(-1)+math.Exp(-2)))
	equal(t, "logits", d.Output(tp, score).Score, []int{2, 3}, 0, 0, 0, 1, 2, 3)
	if d.OutputWidth() != 3 {
		t.Errorf("%d logits of three classes", d.OutputWidth())
	}
}

func equal(t *testing.T, what string, x *ag.Tensor, shape []int, want ...float64) {
	t.Helper()
	if !slices.Equal(x.Shape(), shape) || !slices.EqualFunc(x.Values(), want,
		func(a, b float64) bool { return math.Abs(a-b) < 1e-12 }) {
		t.Errorf("%s: %v %v, want %v %v", what, x.Shape(), x.Values(), shape, want)
	}
}

// TestConstantError compares the error of the best constant with formulas for labels and classes.
func TestConstantError(t *testing.T) {
	dev := zootest.Open(t, "cpu64")
	tp := ag.NewTape(dev)
	labels := &zoo.Batch{Label: ag.NewTensor(dev, []float64{1, 2, 6}, 3)}
	if got := zoo.ConstantError(tp, labels, &zoo.Dims{}).Item(); math.Abs(got-14./3) > 1e-12 {
		t.Errorf("the variance of 1, 2, 6 is %g, want 14/3", got)
	}
	classes := &zoo.Batch{Class: []int{2, 0, 2, 2}}
	want := -0.75*math.Log(0.75) - 0.25*math.Log(0.25)
	got := zoo.ConstantError(tp, classes, &zoo.Dims{Classes: 3}).Item()
	if math.Abs(got-want) > 1e-12 {
		t.Errorf("the entropy is %g, want %g", got, want)
	}
	rare := &zoo.Batch{Class: make([]int, 400)}
	rare.Class[7] = 1
	want = -0.0025*math.Log(0.0025) - 0.9975*math.Log(0.9975)
	got = zoo.ConstantError(tp, rare, &zoo.Dims{Classes: 3}).Item()
	if math.Abs(got-want) > 1e-9 {
		t.Errorf("with one of 400 the entropy is %g, want %g", got, want)
	}
}

// TestCentralMoments has two sets of three rows: columns 0, 0, 3 and 1, 2, 6, and a constant one.
func TestCentralMoments(t *testing.T) {
	dev := zootest.Open(t, "cpu64")
	x := ag.NewTensor(dev, []float64{0, 1, 0, 2, 3, 6, 5, 0, 5, 0, 5, 3}, 2, 3, 2)
	equal(t, "moments", zoo.CentralMoments(ag.NewTape(dev), x, 3), []int{2, 3, 2},
		1, 3, 2, 14./3, 2, (-8-1+27)/3., 5, 1, 0, 2, 0, 2)
	equal(t, "mean", zoo.CentralMoments(ag.NewTape(dev), x, 1), []int{2, 1, 2}, 1, 3, 5, 1)
}
