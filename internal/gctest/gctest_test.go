package gctest

import "testing"

func TestBenchmarks(t *testing.T) {
	for _, c := range []struct {
		args []string
		want bool
	}{
		{[]string{"x.test", "-test.run", "xxx", "-test.bench", "Models"}, true}, // as scripts do
		{[]string{"x.test", "-test.bench=."}, true},                             // as go test does
		{[]string{"x.test", "--test.bench=."}, true},
		{[]string{"x.test", "-test.run=Benchmarks", "-test.benchtime=1x"}, false},
	} {
		if benchmarks(c.args) != c.want {
			t.Errorf("%q: benchmarks %v, want %v", c.args, !c.want, c.want)
		}
	}
}
