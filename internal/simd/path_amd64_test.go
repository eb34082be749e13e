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

// TestPacks checks which operands that are stored as they are read the classes of cores pack.
func TestPacks(t *testing.T) {
	for _, c := range []struct {
		p              *product
		m, lda, ldb    int
		packsA, packsB bool
	}{
		{&aheadProduct, 450, 768, 500, false, false}, {&aheadProduct, 600, 2048, 500, true, true},
		{&aheadProduct, 200, 768, 256, false, true}, {&aheadProduct, 100, 768, 256, false, false},
		{&aheadProduct, 200, 768, 1024, false, true}, {&aheadProduct, 100, 768, 1024, false, false},
		{&avx512Product, 100, 768, 500, true, true}, {&avx512Product, 50, 768, 500, true, false},
	} {
		g := gemm{M: c.m, N: 500, K: 768, A: matrix{LD: c.lda}, B: matrix{LD: c.ldb}}
		if a, b := c.p.packsA(&g), c.p.packsB(&g); a != c.packsA || b != c.packsB {
			t.Errorf("%d rows, strides %d and %d, stride for packing %d: packs %t, %t, want %t, %t",
				c.m, c.lda, c.ldb, c.p.packStride, a, b, c.packsA, c.packsB)
		}
	}
}
