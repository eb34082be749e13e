// Package gctest makes garbage collections rare in a test binary that imports it. Tests train
// hundreds of small models: the live heap is a few MB, and a collection after every 4 MB of new
// tensors is a third of the tests' time. Benchmarks measure the program as it is.
package gctest

import (
	"os"
	"runtime/debug"
	"slices"
	"strings"
)

func init() {
	if !benchmarks(os.Args) {
		debug.SetGCPercent(800)
		debug.SetMemoryLimit(1 << 30) // with more in use than 1 GB they are as frequent as needed
	}
}

// benchmarks tells whether a test binary with these arguments runs benchmarks.
func benchmarks(args []string) bool {
	return slices.ContainsFunc(args, func(arg string) bool {
		name, _, _ := strings.Cut(arg, "=")
		return name == "-test.bench" || name == "--test.bench"
	})
}
