package models

import (
	"slices"
	"testing"
)

// TestNames finds each model by its name. Tables show RECAP first, then the baselines by year.
func TestNames(t *testing.T) {
	want := []string{"recap", "misa", "self-mm", "mmim", "tfr-net", "cenet", "tetfn", "almt",
		"bi-mamba", "lnln", "tf-mamba", "mascf-style"}
	if got := Names(); !slices.Equal(got, want) {
		t.Errorf("names %q, want %q", got, want)
	}
	for i, name := range want {
		if got := Find(name); got != &All[i] {
			t.Errorf("%s: found %v", name, got)
		}
	}
	for _, name := range []string{"", "RECAP", "reca"} {
		if got := Find(name); got != nil {
			t.Errorf("%q: found %s", name, got.Name)
		}
	}
}
