// Package backend opens a device by its name. It is the only package that knows which devices
// exist: a new device gets a case in [Open].
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

// Open returns the device with the given name: "cpu" (float32), "cpu64" (float64), "cuda:0",
// "cuda:1" and so on (float32, see package cuda), or "cuda:0,tf32" with matrix products in TF32.
// Each name has one device for the entire program, so tensors of two calls can be combined. Open
// returns an error if the name is unknown, if the device cannot be opened, or if the environment
// variable RECAP_CPU names a path that this processor does not support.
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
		return nil, fmt.Errorf("device %q is unknown: expected cpu, cpu64, or cuda:0 and so on", name)
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

// CUDA describes the GPUs and the libraries that they need, or what is missing, one line each.
func CUDA() []string { return cuda.Report() }

var cudaName = regexp.MustCompile(`^cuda:([0-9]+)(,tf32)?$`)

// opened holds the devices by name.
var opened = struct {
	sync.Mutex
	devices map[string]device.Device
}{devices: map[string]device.Device{"cpu": cpu.New32(), "cpu64": cpu.New64()}}
