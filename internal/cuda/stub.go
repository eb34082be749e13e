//go:build !cuda || !cgo || !linux

package cuda

import (
	"errors"

	"github.com/seed-6655bf3b/recap/internal/device"
)

// errNotBuilt is the error of all functions in a build without CUDA.
var errNotBuilt = errors.New(
	"this program was built without CUDA; build it on Linux with: CGO_ENABLED=1 go build -tags " +
		"cuda -o bin/ ./cmd/recap",
)

// Open returns an error: this build has no CUDA.
func Open(ordinal int, tf32 bool) (device.Device, error) { return nil, errNotBuilt }

// Report returns the reason why there is no CUDA.
func Report() []string { return []string{errNotBuilt.Error()} }
