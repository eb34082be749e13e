package main

import (
	"fmt"
	"runtime"
	"strings"

	"golang.org/x/sys/cpu"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/internal/backend"
	"github.com/seed-6655bf3b/recap/internal/simd"
	"github.com/seed-6655bf3b/recap/internal/typeset"
	"github.com/seed-6655bf3b/recap/internal/version"
)

type doctorCommand struct{}

func (doctorCommand) Help() string { return "Example:\n  recap doctor" }

func (c *doctorCommand) Run(t *terminal) error {
	show := func(what, value string) {
		const indent = "\n           "
		if t.width > len(indent) {
			value = strings.TrimSuffix(typeset.Wrap(value, t.width-len(indent)+1), "\n")
		}
		fmt.Fprintf(t.out, "%-10s %s\n", what, strings.ReplaceAll(value, "\n", indent))
	}
	show("recap", version.Text())
	show("go", runtime.Version())
	show("system", runtime.GOOS+"/"+runtime.GOARCH)
	show("cores", fmt.Sprintf("%d, %d in use", runtime.NumCPU(), runtime.GOMAXPROCS(0)))
	show("processor", strings.Join(cpuFeatures(), " "))
	show("kernels",
		simd.Path()+" (of avx512, avx2 and generic; the variable RECAP_CPU selects another)")
	if class := simd.Class(); class != "" {
		show("", class)
	}
	var open []string
	for _, name := range []string{"cpu", "cpu64"} {
		if d, err := ag.Open(name); err == nil {
			open = append(open, fmt.Sprintf("%s (%d bits)", d.Name(), d.Bits()))
		}
	}
	show("devices", strings.Join(open, ", "))
	for i, line := range backend.CUDA() {
		show([]string{"cuda", ""}[min(i, 1)], line)
	}
	return nil
}

// cpuFeatures lists the processor's vector extensions.
func cpuFeatures() []string {
	var list []string
	for _, f := range []struct {
		name string
		has  bool
	}{
		{"SSE4.2", cpu.X86.HasSSE42}, {"AVX", cpu.X86.HasAVX}, {"AVX2", cpu.X86.HasAVX2},
		{"FMA", cpu.X86.HasFMA}, {"AVX512F", cpu.X86.HasAVX512F},
		{"AVX512BF16", cpu.X86.HasAVX512BF16}, {"AMX", cpu.X86.HasAMXTile},
		{"ASIMD", cpu.ARM64.HasASIMD}, {"SVE", cpu.ARM64.HasSVE},
	} {
		if f.has {
			list = append(list, f.name)
		}
	}
	if list == nil {
		return []string{"no known vector extensions"}
	}
	return list
}
