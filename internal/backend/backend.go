// Package backend opens a device by its name.
package backend

import (
	"fmt"
	"regexp"
	"strconv"
	"sync"

	"github.com/seed-6655bf3b/recap/internal/cpu"
	"github.com/seed-6655bf3b/recap/internal/cuda"
	"github.com/seed-6655bf3b/recap/internal/device"
	"github.com/seed-6655bf3b/recap/internal/simd"
)

// Open returns the device called name: "cpu" (float32), "cpu64" (float64), or "cuda:0" and so on
// (float32, see package cuda), "cuda:0,tf32" with products in TF32. A value of RECAP_CPU that this
// processor cannot follow is an error.
func Open(name string) (device.Device, error) {
	if err := simd.Check(); err != nil {
		return nil, err
	}
	opened.Lock()
	defer opened.Unlock()
	if dev := opened.devices[name]; dev != nil {
		return dev, nil
	}
	gpu := cudaName.FindStringSubmatch(name)
	if gpu == nil {
		return nil, fmt.Errorf("device %q is not known: expected cpu, cpu64, or cuda:0 and so on", name)
	}
	ordinal, err := strconv.Atoi(gpu[1])
	if err != nil {
		return nil, fmt.Errorf("device %q: %w", name, err)
	}
	dev, err := cuda.Open(ordinal, gpu[2] != "")
	if err != nil {
		return nil, fmt.Errorf("device %q: %w", name, err)
	}
	opened.devices[name] = dev
	return dev, nil
}

// CUDA describes the GPUs and the libraries that they need, a line each, or what is missing.
func CUDA() []string { return cuda.Report() }

var cudaName = regexp.MustCompile(`^cuda:([0-9]+)(,tf32)?$`)

// One device of each name serves the whole program, so that tensors made through two calls of Open
// can meet.
var opened = struct {
	sync.Mutex
	devices map[string]device.Device
}{devices: map[string]device.Device{"cpu": cpu.New32(), "cpu64": cpu.New64()}}
