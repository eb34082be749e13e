package backend

import "testing"

func TestParse(t *testing.T) {
	for text, want := range map[string]Name{
		"cpu": {Kind: "cpu"}, "cpu64": {Kind: "cpu64"}, "cuda:0": {Kind: "cuda"},
		"cuda:12":     {Kind: "cuda", Ordinal: 12},
		"cuda:1,tf32": {Kind: "cuda", Ordinal: 1, TF32: true},
	} {
		if got, err := Parse(text); err != nil || got != want || got.String() != text {
			t.Errorf("%s: %+v, %q, %v; want %+v", text, got, got.String(), err, want)
		}
	}
	for _, text := range []string{"", "gpu", "CPU", "cpu,tf32", "cuda", "cuda:", "cuda:-1",
		"cuda:x", "cuda:0,tf16", "cuda:99999999"} {
		if got, err := Parse(text); err == nil {
			t.Errorf("%q: %+v, want an error", text, got)
		}
		if _, err := Open(text); err == nil {
			t.Errorf("%q was opened", text)
		}
	}
}
