// Package backend opens a device by its name. It is the only package that knows which devices
// exist: a new device gets a case in [Open].
package backend

import (
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/seed-6655bf3b/recap/internal/cpu"
	"github.com/seed-6655bf3b/recap/internal/cuda"
	"github.com/seed-6655bf3b/recap/internal/device"
	"github.com/seed-6655bf3b/recap/internal/simd"
)

// A Name says which device is meant and how it computes.
type Name struct {
	Kind    string // "cpu" (float32), "cpu64" (float64) or "cuda" (float32)
	Ordinal int    // of the GPU
	TF32    bool   // a GPU's matrix products round their inputs to ten bits of mantissa
}

// Parse reads a name as [Open] takes it. It returns an error for any other text.
func Parse(text string) (Name, error) {
	if text == "cpu" || text == "cpu64" {
		return Name{Kind: text}, nil
	}
	number, tf32 := strings.CutSuffix(text, ",tf32")
	if number, ok := strings.CutPrefix(number, "cuda:"); ok {
		if ordinal, err := strconv.ParseUint(number, 10, 16); err == nil {
			return Name{"cuda", int(ordinal), tf32}, nil
		}
	}
	return Name{}, fmt.Errorf("device %q is unknown: expected cpu, cpu64, or cuda:0 and so on",
		text)
}

// String returns the text that [Parse] reads.
func (n Name) String() string {
	switch {
	case n.Kind != "cuda":
		return n.Kind
	case n.TF32:
		return fmt.Sprintf("cuda:%d,tf32", n.Ordinal)
	}
	return fmt.Sprintf("cuda:%d", n.Ordinal)
}

// Open returns the device with the given name: "cpu" (float32), "cpu64" (float64), "cuda:0",
// "cuda:1" and so on (float32, see package cuda), or "cuda:0,tf32" with matrix products in TF32.
// Each name has one device for the entire program, so tensors of two calls can be combined. Open
// returns an error if the name is unknown, if the device cannot be opened, or if the environment
// variable RECAP_CPU names a path that this processor does not support.
func Open(text string) (device.Device, error) {
	if err := simd.Check(); err != nil {
		return nil, err
	}
	name, err := Parse(text)
	if err != nil {
		return nil, err
	}
	opened.Lock()
	defer opened.Unlock()
	if dev := opened.devices[name]; dev != nil {
		return dev, nil
	}
	dev, err := cuda.Open(name.Ordinal, name.TF32)
	if err != nil {
		return nil, fmt.Errorf("device %q: %w", text, err)
	}
	opened.devices[name] = dev
	return dev, nil
}

// CUDA describes the GPUs and the libraries that they need, or what is missing, one line each.
func CUDA() []string { return cuda.Report() }

// opened holds the devices that were asked for so far.
var opened = struct {
	sync.Mutex
	devices map[Name]device.Device
}{devices: map[Name]device.Device{{Kind: "cpu"}: cpu.New32(), {Kind: "cpu64"}: cpu.New64()}}
