package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/nlpodyssey/safetensors"
	"golang.org/x/sys/cpu"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/datasets"
	"github.com/seed-6655bf3b/recap/internal/simd"
	"github.com/seed-6655bf3b/recap/nn"
)

type dataCheckCommand struct {
	File string `arg:"" help:"Feature file in MMSA's layout."`
}

func (dataCheckCommand) Help() string { return "Example:\n  recap data check unaligned_50.pkl" }

func (c *dataCheckCommand) Run(t *terminal) error {
	report, err := datasets.Check(c.File)
	if err != nil {
		return err
	}
	fmt.Fprint(t.out, report)
	if n := len(report.Problems); n > 0 {
		return fmt.Errorf("data check: %s: expected no problems, found %d, listed above", c.File, n)
	}
	return nil
}

type inspectCommand struct {
	File string `arg:"" type:"path" help:"A .safetensors checkpoint, a feature file, or a run directory."`
}

func (inspectCommand) Help() string {
	return "Examples:\n  recap inspect runs/synthetic/recap/full/seed1111/best.safetensors\n  recap inspect runs/synthetic/recap/full"
}

func (c *inspectCommand) Run(t *terminal) error {
	info, err := os.Stat(c.File)
	switch {
	case err != nil:
		return fmt.Errorf("inspect: %w", err)
	case info.IsDir():
		return inspectRun(t, c.File)
	case filepath.Ext(c.File) == ".safetensors":
		return inspectTensors(t, c.File)
	}
	report, err := datasets.Check(c.File)
	if err != nil {
		return err
	}
	fmt.Fprint(t.out, report)
	return nil
}

// inspectRun shows the text files of a run and lists the others.
func inspectRun(t *terminal, dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("inspect: %w", err)
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		switch e.Name() {
		case "config.yaml", "summary.md":
			text, err := os.ReadFile(path)
			if err != nil {
				return fmt.Errorf("inspect: %w", err)
			}
			fmt.Fprintf(t.out, "%s:\n%s\n", path, text)
		default:
			fmt.Fprintln(t.out, path)
		}
	}
	return nil
}

// inspectTensors lists the tensors of a safetensors file.
func inspectTensors(t *terminal, path string) error {
	file, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("inspect: %w", err)
	}
	meta, err := nn.Meta(file)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	tensors, err := safetensors.Deserialize(file)
	if err != nil {
		return fmt.Errorf("inspect: %s: %w", path, err)
	}
	for _, key := range slices.Sorted(maps.Keys(meta)) {
		fmt.Fprintf(t.out, "%-10s %s\n", key, meta[key])
	}
	numbers := 0
	for _, name := range slices.Sorted(slices.Values(tensors.Names())) {
		v, _ := tensors.Tensor(name)
		n := 1
		for _, d := range v.Shape() {
			n *= int(d)
		}
		numbers += n
		fmt.Fprintf(t.out, "%-60s %-4v %v\n", name, v.DType(), v.Shape())
	}
	fmt.Fprintf(t.out, "%d tensors, %d numbers\n", len(tensors.Names()), numbers)
	return nil
}

type doctorCommand struct{}

func (doctorCommand) Help() string { return "Example:\n  recap doctor" }

func (c *doctorCommand) Run(t *terminal) error {
	show := func(what string, value any) { fmt.Fprintf(t.out, "%-10s %v\n", what, value) }
	version := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		version = info.Main.Version
	}
	show("recap", version)
	show("go", runtime.Version())
	show("system", runtime.GOOS+"/"+runtime.GOARCH)
	show("cores", fmt.Sprintf("%d, of which %d are used", runtime.NumCPU(), runtime.GOMAXPROCS(0)))
	show("processor", strings.Join(features(), " "))
	show("kernels", simd.Path()+", of avx512, avx2 and generic; RECAP_CPU chooses another")
	var open []string
	for _, name := range []string{"cpu", "cpu64"} {
		if d, err := ag.Open(name); err == nil {
			open = append(open, fmt.Sprintf("%s (%d bits)", d.Name(), d.Bits()))
		}
	}
	show("devices", strings.Join(open, ", "))
	return nil
}

// features lists the processor's vector extensions.
func features() []string {
	var list []string
	for _, f := range []struct {
		name string
		has  bool
	}{
		{"SSE4.2", cpu.X86.HasSSE42}, {"AVX", cpu.X86.HasAVX}, {"AVX2", cpu.X86.HasAVX2}, {"FMA", cpu.X86.HasFMA}, {"AVX512F", cpu.X86.HasAVX512F},
		{"AVX512BF16", cpu.X86.HasAVX512BF16}, {"AMX", cpu.X86.HasAMXTile}, {"ASIMD", cpu.ARM64.HasASIMD}, {"SVE", cpu.ARM64.HasSVE},
	} {
		if f.has {
			list = append(list, f.name)
		}
	}
	if list == nil {
		return []string{"no vector extensions known"}
	}
	return list
}
