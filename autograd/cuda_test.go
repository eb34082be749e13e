//go:build cuda && cgo && linux

package autograd_test

import (
	"testing"

	"github.com/seed-6655bf3b/recap/internal/cuda/cudatest"
)

func init() { devices["cuda:0"] = 2e-5 }

func TestMain(m *testing.M) { cudatest.Main(m) }
