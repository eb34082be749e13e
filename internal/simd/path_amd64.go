package simd

import (
	"encoding/binary"
	"fmt"
	"slices"

	"golang.org/x/sys/cpu"
)

// supported returns the sets that the CPU and the operating system support, fastest first.
func supported() []kernelSet {
	x, sets := cpu.X86, []kernelSet{{path: generic, vector: &plainVector}}
	if x.HasAVX2 && x.HasFMA && x.HasBMI2 {
		sets = append([]kernelSet{{path: avx2, product: &avx2Product, vector: &avx2Vector}},
			sets...)
		if x.HasAVX512F && x.HasAVX512BW && x.HasAVX512DQ && x.HasAVX512VL {
			sets = append(avx512Sets(identify()), sets...)
		}
	}
	return sets
}

// avx512Sets returns the sets for the two classes of cores, the fitting one first.
func avx512Sets(vendor string, family uint32) []kernelSet {
	core := fmt.Sprintf("%s family %d", vendor, family)
	sets := []kernelSet{
		{path: avx512, class: full, core: core, product: &aheadProduct, vector: &avx512Vector},
		{path: avx512, class: double, core: core, product: &avx512Product, vector: &avx512Vector},
	}
	if vendor == "AuthenticAMD" && family == zen4 {
		slices.Reverse(sets)
	}
	return sets
}

// zen4 is the family of AMD of which every core with AVX-512 computes a vector in two passes. The
// next family, Zen 5, has such cores in laptops only; there a user can select the class.
const zen4 = 25

// identify returns the vendor and the family of the CPU.
func identify() (vendor string, family uint32) {
	_, b, c, d := cpuid(0)
	var name []byte
	for _, word := range []uint32{b, d, c} {
		name = binary.LittleEndian.AppendUint32(name, word)
	}
	a, _, _, _ := cpuid(1)
	family = a >> 8 & 0xf
	if family == 0xf {
		family += a >> 20 & 0xff
	}
	return string(name), family
}
