package simd

import "golang.org/x/sys/cpu"

// supported returns the sets that the CPU and the operating system support, fastest first.
func supported() []kernelSet {
	x, sets := cpu.X86, []kernelSet{{path: generic, vector: &plainVector}}
	if x.HasAVX2 && x.HasFMA && x.HasBMI2 {
		sets = append([]kernelSet{{avx2, &avx2Product, &avx2Vector}}, sets...)
		if x.HasAVX512F && x.HasAVX512BW && x.HasAVX512DQ && x.HasAVX512VL {
			sets = append([]kernelSet{{avx512, &avx512Product, &avx512Vector}}, sets...)
		}
	}
	return sets
}
