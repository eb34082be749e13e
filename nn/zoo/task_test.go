package zoo_test

import (
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
