package simd

import (
	"strings"
	"testing"
)

func TestChoose(t *testing.T) {
	all := []kernelSet{{path: avx512, class: full}, {path: avx512, class: double}, {path: avx2},
		{path: generic}}
	for _, c := range []struct {
		name string
		sets []kernelSet
		path string // and class
		err  string
	}{
		{"", all, "avx512full", ""},
		{"", all[1:], "avx512double", ""},
		{"", all[3:], generic, ""},
		{avx512, all, "avx512full", ""},
		{"avx512-full", all[1:], "avx512double", `expected a path that this CPU supports ` +
			`(avx512, avx2, generic), found "avx512-full"`},
		{"avx512-double", all, "avx512double", ""},
		{avx2, all, avx2, ""},
		{generic, all, generic, ""},
		{avx512, all[2:], avx2,
			`expected a path that this CPU supports (avx2, generic), found "avx512"`},
		{"sse", all, "avx512full",
			`expected avx512, avx512-full, avx512-double, avx2 or generic, found "sse"`},
	} {
		s, err := choose(c.name, c.sets)
		if got := s.path + s.class; got != c.path {
			t.Errorf("RECAP_CPU=%s: path %s, want %s", c.name, got, c.path)
		}
		if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("RECAP_CPU=%s: error %v, want %q", c.name, err, c.err)
		}
	}
}
