package simd

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// The names of the paths, fastest first.
const (
	avx512  = "avx512"
	avx2    = "avx2"
	generic = "generic"
)

// The classes of cores with AVX-512. A full-width core computes vectors of 512 bits at once, a
// double-pumped core in two passes. The first needs its operands twice as fast, so its products
// have kernels that load ahead; the results have the same bits.
const (
	full   = "full"
	double = "double"
)

// A kernelSet holds the kernels of one path or, for AVX-512, of one class of cores.
type kernelSet struct {
	path    string
	class   string   // empty without AVX-512
	core    string   // what the class was chosen from: vendor and family of the CPU
	product *product // nil for gonum's Sgemm
	vector  *vector
}

// active is the set of kernels in use.
var active, choiceErr = choose(os.Getenv("RECAP_CPU"), supported())

// Path returns the path in use: "avx512", "avx2" or "generic". It is the fastest that the CPU
// supports, unless the environment variable RECAP_CPU names another. "avx512-full" and
// "avx512-double" select a class of cores too.
func Path() string { return active.path }

// Class describes the class of cores in use, or returns "" without AVX-512.
func Class() string {
	switch active.class {
	case full:
		return "kernels for full-width AVX-512, because this is " + active.core
	case double:
		return "kernels for double-pumped AVX-512, because this is " + active.core
	}
	return ""
}

// Check returns an error if RECAP_CPU does not name a path, or names one that this CPU does not
// support. In that case the fastest supported path is in use.
func Check() error { return choiceErr }

// choose returns the first set with the given name, or the first set if the name is empty. On an
// error it returns the first set too. The name is a path, or a path and a class: avx512-double.
func choose(name string, sets []kernelSet) (kernelSet, error) {
	var names []string
	for _, s := range sets {
		if name == s.path || s.class != "" && name == s.path+"-"+s.class {
			return s, nil
		}
		if !slices.Contains(names, s.path) {
			names = append(names, s.path)
		}
	}
	switch {
	case name == "":
		return sets[0], nil
	case slices.Contains([]string{avx512, avx512 + "-" + full, avx512 + "-" + double, avx2}, name):
		return sets[0],
			fmt.Errorf("simd: RECAP_CPU: expected a path that this CPU supports (%s), found "+
				"%q; choose one of them or unset RECAP_CPU",
				strings.Join(names, ", "), name)
	}
	return sets[0], fmt.Errorf("simd: RECAP_CPU: expected avx512, avx512-full, avx512-double, "+
		"avx2 or generic, found %q; correct or unset it", name)
}
