package models

import (
	"math"

	"github.com/seed-6655bf3b/recap/internal/device"
)

// An idle device has buffers without memory, whose numbers are NaN, and kernels that do nothing. It
// lacks the kernels that compute matrix products.
type idle struct{}

// A length is a buffer of so many numbers.
type length int

func (n length) Len() int { return int(n) }

func (idle) Name() string                                 { return "idle" }
func (idle) Bits() int                                    { return 32 }
func (idle) Alloc(n int) device.Buffer                    { return length(n) }
func (idle) Part(_ device.Buffer, _, n int) device.Buffer { return length(n) }
func (idle) Upload(device.Buffer, []float64)              {}
func (idle) Upload32(device.Buffer, []float32)            {}
func (idle) Submit()                                      {}
func (idle) Sync() error                                  { return nil }

func (idle) Download(dst []float64, _ device.Buffer) {
	for i := range dst {
		dst[i] = math.NaN()
	}
}

func (idle) Fill(device.Buffer, float64)                                                {}
func (idle) Axpy(float64, device.Buffer, device.Buffer)                                 {}
func (idle) Unary(device.Unary, device.Buffer, device.Buffer, float64, float64)         {}
func (idle) UnaryGrad(_ device.Unary, _, _, _, _ device.Buffer, _, _ float64)           {}
func (idle) Binary(device.Binary, device.Buffer, []int, device.Operand, device.Operand) {}
func (idle) Dropout(device.Buffer, device.Buffer, float64, uint64)                      {}
func (idle) PackSigns(device.Buffer, device.Buffer)                                     {}
func (idle) ApplySignMask(_, _, _ device.Buffer)                                        {}

func (idle) Copy(device.Operand, []int, device.Operand)          {}
func (idle) Accumulate(device.Operand, []int, device.Operand)    {}
func (idle) Gather(device.Buffer, device.Buffer, []int, int)     {}
func (idle) ScatterAdd(device.Buffer, []int, device.Buffer, int) {}

func (idle) Reduce(_ device.Reduction, _, _ device.Buffer, _, _, _ int) {}
func (idle) Dot(device.Buffer, int, device.Buffer, device.Buffer)       {}

func (idle) Softmax(_, _ device.Buffer, _, _ int)                       {}
func (idle) SoftmaxGrad(_, _, _ device.Buffer, _, _ int)                {}
func (idle) LogSoftmax(_, _ device.Buffer, _, _ int)                    {}
func (idle) LogSoftmaxGrad(_, _, _ device.Buffer, _, _ int)             {}
func (idle) LayerNorm(_, _, _, _, _ device.Buffer, _, _ int, _ float64) {}
func (idle) LayerNormGrad(_, _, _, _, _, _, _ device.Buffer, _, _ int)  {}

func (idle) CausalConv(_ device.CausalConv, _, _, _, _ device.Buffer)               {}
func (idle) CausalConvGrad(_ device.CausalConv, _, _, _, _, _, _ device.Buffer)     {}
func (idle) SelectiveScan(_ device.Scan, _, _ device.Buffer, _ device.ScanOperands) {}
func (idle) SelectiveScanGrad(
	_ device.Scan, _ device.ScanOperands, _, _ device.Buffer, _ device.ScanOperands,
) {
}
func (idle) PairScores(_, _, _, _ device.Buffer, _, _, _ int)              {}
func (idle) PairScoresGrad(_, _, _, _, _, _, _ device.Buffer, _, _, _ int) {}

func (idle) Adam(_ device.Adam, _, _, _, _ device.Buffer)                     {}
func (idle) AdamRows(_ device.Adam, _, _, _, _ device.Buffer, _ []int, _ int) {}
func (idle) AdamCompact(_ device.Adam, _, _, _, _, _ device.Buffer, _ []int)  {}
