// Package devices opens a device by its name.
package devices

import (
	"fmt"

	"github.com/seed-6655bf3b/recap/internal/cpu"
	"github.com/seed-6655bf3b/recap/internal/device"
	"github.com/seed-6655bf3b/recap/internal/simd"
)

// Open returns the device called name: "cpu" (float32) or "cpu64" (float64). A value of RECAP_CPU that this processor cannot
// follow is an error.
func Open(name string) (device.Device, error) {
	if err := simd.Check(); err != nil {
		return nil, err
	}
	switch name {
	case "cpu":
		return cpu32, nil
	case "cpu64":
		return cpu64, nil
	}
	return nil, fmt.Errorf("device %q is not known; this build has cpu and cpu64", name)
}

// One device of each kind serves the whole program: it holds no state, and tensors made through two calls of Open can meet.
var (
	cpu32 device.Device = cpu.New32()
	cpu64 device.Device = cpu.New64()
)
