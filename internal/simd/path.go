package simd

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// The names of the paths, the fastest first.
const (
	avx512  = "avx512"
	avx2    = "avx2"
	generic = "generic"
)

// A set is what one path consists of.
type set struct {
	path    string
	product *product // nil: gonum's own Sgemm
	vector  *vector
}

var active, choiceErr = choose(os.Getenv("RECAP_CPU"), supported())

// Path names the kernels that run: "avx512", "avx2" or "generic". It is the best that the CPU
// supports unless the environment variable RECAP_CPU names another.
func Path() string { return active.path }

// Check reports a value of RECAP_CPU that names no path, or one that this CPU does not support.
// Until it is corrected the best supported path is taken.
func Check() error { return choiceErr }

// choose returns the set named, or with no name the first, of the sets that the CPU supports.
func choose(name string, sets []set) (set, error) {
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
		return sets[0], fmt.Errorf("simd: RECAP_CPU: expected a path that this CPU supports (%s), found %q; choose one of them or unset RECAP_CPU",
			strings.Join(names, ", "), name)
	}
	return sets[0], fmt.Errorf("simd: RECAP_CPU: expected avx512, avx2 or generic, found %q; correct or unset it", name)
}
