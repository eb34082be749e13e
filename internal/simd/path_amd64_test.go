package simd

import (
	"regexp"
	"testing"
)

// TestClass checks the class of cores of several CPUs, and that this CPU's vendor and family can
// be read.
func TestClass(t *testing.T) {
	for _, c := range []struct {
		vendor string
		family uint32
		class  string
	}{
		{"AuthenticAMD", 25, double}, {"AuthenticAMD", 26, full}, {"GenuineIntel", 6, full},
		{"GenuineIntel", 25, full},
	} {
		sets := avx512Sets(c.vendor, c.family)
		if len(sets) != 2 || sets[0].class != c.class || sets[1].class == c.class {
			t.Errorf("%s family %d: %d sets, first class %s, want %s", c.vendor, c.family,
				len(sets), sets[0].class, c.class)
		}
	}
	if vendor, family := identify(); !regexp.MustCompile("^[ -~]{12}$").MatchString(vendor) ||
		family == 0 {
		t.Errorf("vendor %q, family %d", vendor, family)
	}
}
