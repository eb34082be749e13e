package simd

import (
	"strings"
	"testing"
)

func TestChoose(t *testing.T) {
	all := []kernelSet{{path: avx512}, {path: avx2}, {path: generic}}
	for _, c := range []struct {
		name string
		sets []kernelSet
		path string
		err  string
	}{
		{"", all, avx512, ""},
		{"", all[2:], generic, ""},
		{avx2, all, avx2, ""},
		{generic, all, generic, ""},
		{avx512, all[1:], avx2,
			`expected a path that this CPU supports (avx2, generic), found "avx512"`},
		{"sse", all, avx512, `expected avx512, avx2 or generic, found "sse"`},
	} {
		s, err := choose(c.name, c.sets)
		if s.path != c.path {
			t.Errorf("RECAP_CPU=%s: path %s, want %s", c.name, s.path, c.path)
		}
		if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("RECAP_CPU=%s: error %v, want %q", c.name, err, c.err)
		}
	}
}
