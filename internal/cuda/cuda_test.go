//go:build cuda && cgo && linux

package cuda

import (
	"testing"

	"github.com/seed-6655bf3b/recap/internal/cuda/cudatest"
	"github.com/seed-6655bf3b/recap/internal/device/devicetest"
)

func TestMain(m *testing.M) {
	smallBlock = 0 // each buffer is a block of its own, so that what a kernel writes outside of it is noticed
	cudatest.Main(m)
}

func open(t testing.TB) *Device {
	t.Helper()
	dev, err := Open(0, false)
	if err != nil {
		t.Fatal(err)
	}
	return dev.(*Device)
}

func TestDevice(t *testing.T) { devicetest.Run(t, open(t)) }
