package weights

import (
	"encoding/binary"
	"fmt"
	"math"
)

// A DType is the type of a tensor's elements, which are little-endian. The names are those of
// safetensors.
type DType string

// Element types: floating point, signed and unsigned integers, bool.
const (
	F64  DType = "F64"
	F32  DType = "F32"
	F16  DType = "F16"
	BF16 DType = "BF16"
	I64  DType = "I64"
	I32  DType = "I32"
	I16  DType = "I16"
	I8   DType = "I8"
	U8   DType = "U8"
	Bool DType = "BOOL"
)

var sizes = map[DType]int{F64: 8, F32: 4, F16: 2, BF16: 2, I64: 8, I32: 4, I16: 2, I8: 1,
	U8: 1, Bool: 1}

// Size returns the size of an element in bytes, or 0 for a type that is not listed above.
func (d DType) Size() int { return sizes[d] }

// Decode converts the first len(dst) elements in raw to float32, rounding those that float32
// cannot represent. It panics for a type whose Size is 0.
func (d DType) Decode(dst []float32, raw []byte) {
	le := binary.LittleEndian
	switch d {
	case F32:
		for i := range dst {
			dst[i] = math.Float32frombits(le.Uint32(raw[4*i:]))
		}
	case F64:
		for i := range dst {
			dst[i] = float32(math.Float64frombits(le.Uint64(raw[8*i:])))
		}
	case F16:
		for i := range dst {
			dst[i] = Half(le.Uint16(raw[2*i:]))
		}
	case BF16:
		for i := range dst {
			dst[i] = math.Float32frombits(uint32(le.Uint16(raw[2*i:])) << 16)
		}
	case I64:
		for i := range dst {
			dst[i] = float32(int64(le.Uint64(raw[8*i:])))
		}
	case I32:
		for i := range dst {
			dst[i] = float32(int32(le.Uint32(raw[4*i:])))
		}
	case I16:
		for i := range dst {
			dst[i] = float32(int16(le.Uint16(raw[2*i:])))
		}
	case I8:
		for i := range dst {
			dst[i] = float32(int8(raw[i]))
		}
	case U8, Bool:
		for i := range dst {
			dst[i] = float32(raw[i])
		}
	default:
		panic(fmt.Sprintf("weights: Decode: type %q", string(d)))
	}
}

// Half converts an IEEE 754 binary16 number: 1 sign bit, 5 bits of exponent with bias 15, 10 bits
// of fraction.
func Half(h uint16) float32 {
	sign := float32(1)
	if h>>15 == 1 {
		sign = -1
	}
	exponent, fraction := int(h>>10&31), float64(h&1023)/1024
	switch {
	case exponent == 31 && fraction == 0:
		return sign * float32(math.Inf(1))
	case exponent == 31:
		return float32(math.NaN())
	case exponent == 0:
		return sign * float32(math.Ldexp(fraction, -14))
	}
	return sign * float32(math.Ldexp(1+fraction, exponent-15))
}
