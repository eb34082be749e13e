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

// A kernelSet holds the kernels of one path.
type kernelSet struct {
	path    string
	product *product // nil for gonum's Sgemm
	vector  *vector
}

// active is the set of kernels in use.
var active, choiceErr = choose(os.Getenv("RECAP_CPU"), supported())

// Path returns the path in use: "avx512", "avx2" or "generic". It is the fastest that the CPU
// supports, unless the environment variable RECAP_CPU names another.
func Path() string { return active.path }

// Check returns an error if RECAP_CPU does not name a path, or names one that this CPU does not
// support. In that case the fastest supported path is in use.
func Check() error { return choiceErr }

// choose returns the set with the given name, or the first set if the name is empty. On an error
// it returns the first set too.
func choose(name string, sets []kernelSet) (kernelSet, error) {
	var names []string
	for _, s := range sets {
		if s.path == name {
			return s, nil
		}
		names = append(names, s.path)
	}
	switch {
	case name == "":
		return sets[0], nil
	case slices.Contains([]string{avx512, avx2}, name):
		return sets[0],
			fmt.Errorf("simd: RECAP_CPU: expected a path that this CPU supports (%s), found "+
				"%q; choose one of them or unset RECAP_CPU",
				strings.Join(names, ", "), name)
	}
	return sets[0], fmt.Errorf(
		"simd: RECAP_CPU: expected avx512, avx2 or generic, found %q; correct or unset it", name,
	)
}
