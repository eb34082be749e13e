package autograd

import (
	"fmt"

	"github.com/seed-6655bf3b/recap/internal/device"
)

// unary computes an elementwise function y = f(x; a, b). Each device implements f and f′.
//
//	x̄ = ȳ ⊙ f′(x)
func (t *Tape) unary(name string, op device.Unary, x *Tensor, a, b float64) *Tensor {
	t.CheckOperands(name, x)
	y := t.alloc(x.shape)
	t.dev.Unary(op, y.buf, x.buf, a, b)
	return t.Record(name, y, Wrt(x, func(g *Tensor) *Tensor {
		gx := t.alloc(x.shape)
		t.dev.UnaryGrad(op, gx.buf, x.buf, y.buf, g.buf, a, b)
		return gx
	}))
}

// Exp returns y = eˣ elementwise.
//
//	x̄ = ȳ ⊙ y
func (t *Tape) Exp(x *Tensor) *Tensor { return t.unary("Exp", device.Exp, x, 0, 0) }

// Log returns the natural logarithm of x elementwise.
//
//	x̄ = ȳ / x
func (t *Tape) Log(x *Tensor) *Tensor { return t.unary("Log", device.Log, x, 0, 0) }

// Sqrt returns y = √x elementwise.
//
//	x̄ = ȳ / (2y)
func (t *Tape) Sqrt(x *Tensor) *Tensor { return t.unary("Sqrt", device.Sqrt, x, 0, 0) }

// Abs returns |x| elementwise. Its derivative at 0 is taken as 0.
//
//	x̄ = ȳ ⊙ sign x
func (t *Tape) Abs(x *Tensor) *Tensor { return t.unary("Abs", device.Abs, x, 0, 0) }

// Tanh returns y = tanh x elementwise.
//
//	x̄ = ȳ ⊙ (1 − y²)
func (t *Tape) Tanh(x *Tensor) *Tensor { return t.unary("Tanh", device.Tanh, x, 0, 0) }

// Sigmoid returns y = 1 / (1 + e⁻ˣ) elementwise.
//
//	x̄ = ȳ ⊙ y ⊙ (1 − y)
func (t *Tape) Sigmoid(x *Tensor) *Tensor { return t.unary("Sigmoid", device.Sigmoid, x, 0, 0) }

// Softplus returns ln(1 + eˣ) elementwise, computed without overflow as max(x, 0) + ln(1 +
// e^−|x|).
//
//	x̄ = ȳ ⊙ σ(x)
func (t *Tape) Softplus(x *Tensor) *Tensor { return t.unary("Softplus", device.Softplus, x, 0, 0) }

// ReLU returns max(x, 0) elementwise. Its derivative at 0 is taken as 0.
//
//	x̄ = ȳ where x > 0, 0 elsewhere
func (t *Tape) ReLU(x *Tensor) *Tensor { return t.unary("ReLU", device.ReLU, x, 0, 0) }

// LeakyReLU returns x where x > 0 and slope·x elsewhere.
//
//	x̄ = ȳ where x > 0, slope·ȳ elsewhere
func (t *Tape) LeakyReLU(x *Tensor, slope float64) *Tensor {
	return t.unary("LeakyReLU", device.LeakyReLU, x, slope, 0)
}

// GELU returns x·Φ(x) elementwise, where Φ is the standard normal distribution function: x/2·(1 +
// erf(x/√2)), not its tanh approximation (Hendrycks and Gimpel 2016, Gaussian error linear units).
//
//	x̄ = ȳ ⊙ (Φ(x) + x·φ(x)),  φ(x) = e^(−x²/2) / √(2π)
func (t *Tape) GELU(x *Tensor) *Tensor { return t.unary("GELU", device.GELU, x, 0, 0) }

// SiLU returns x·σ(x) elementwise, where σ is [Tape.Sigmoid]. It is also called swish.
//
//	x̄ = ȳ ⊙ σ(x) ⊙ (1 + x·(1 − σ(x)))
func (t *Tape) SiLU(x *Tensor) *Tensor { return t.unary("SiLU", device.SiLU, x, 0, 0) }

// Clamp returns min(max(x, lo), hi) elementwise. It panics unless lo ≤ hi.
//
//	x̄ = ȳ where lo ≤ x ≤ hi, 0 elsewhere
func (t *Tape) Clamp(x *Tensor, lo, hi float64) *Tensor {
	if !(lo <= hi) {
		panic(fmt.Sprintf("autograd: Clamp: %v to [%g, %g]: want lo ≤ hi", x.shape, lo, hi))
	}
	return t.unary("Clamp", device.Clamp, x, lo, hi)
}
