package autograd

import (
	"fmt"
	"math"
)

// LogDet returns ln det x of symmetric positive definite matrices x [… n n], as […], from their
// Cholesky factors: 2·Σ ln L_kk. It is for small matrices, such as covariances: it copies them to
// the host, for which it waits for the device, and computes in float64. Of a matrix that is not
// quite symmetric it takes (x + xᵀ)/2.
//
// It panics if a matrix is not positive definite, as PyTorch's cholesky does; PyTorch's logdet
// returns −Inf or NaN then, and trains on. A matrix with a NaN has the result NaN.
//
//	x̄ = ȳ·x⁻¹
func (t *Tape) LogDet(x *Tensor) *Tensor {
	t.CheckOperands("LogDet", x)
	r := x.rank()
	if r < 2 || x.shape[r-1] != x.shape[r-2] {
		panic(fmt.Sprintf("autograd: LogDet: shape %v: want [… n n]", x.shape))
	}
	n, values := x.shape[r-1], x.Values()
	logs, inverses := make([]float64, len(values)/(n*n)), make([]float64, len(values))
	for i := range logs {
		l, bad := cholesky(values[i*n*n:(i+1)*n*n], n)
		if bad >= 0 {
			panic(fmt.Sprintf("autograd: LogDet: matrix %d of %v is not positive definite: pivot "+
				"%d is %g; a covariance of %d columns needs more than %d rows, or a small number "+
				"on its diagonal", i, x.shape, bad, l[bad*n+bad], n, n))
		}
		for k := range n {
			logs[i] += 2 * math.Log(l[k*n+k])
		}
		inverse(inverses[i*n*n:(i+1)*n*n], l, n)
	}
	y, inv := t.alloc(x.shape[:r-2]), t.alloc(x.shape)
	t.dev.Upload(y.buf, logs)
	t.dev.Upload(inv.buf, inverses)
	return t.Record("LogDet", y, Wrt(x, func(g *Tensor) *Tensor {
		return t.Mul(inv, t.alias(g, append(append([]int{}, y.shape...), 1, 1)))
	}))
}

// cholesky returns the lower triangular L with L·Lᵀ = (a + aᵀ)/2 for a [n n], and −1. If that is
// not positive definite, it returns the index of the first pivot that is not positive, which
// stands on the diagonal.
func cholesky(a []float64, n int) (l []float64, bad int) {
	l = make([]float64, n*n)
	for j := range n {
		for i := j; i < n; i++ {
			s := (a[i*n+j] + a[j*n+i]) / 2
			for k := range j {
				s -= l[i*n+k] * l[j*n+k]
			}
			switch {
			case i > j:
				l[i*n+j] = s / l[j*n+j]
			case s <= 0:
				l[j*n+j] = s
				return l, j
			default:
				l[j*n+j] = math.Sqrt(s)
			}
		}
	}
	return l, -1
}

// inverse writes (L·Lᵀ)⁻¹ to dst [n n], for L [n n] of [cholesky]: the sum of the outer products of
// the rows of L⁻¹ with themselves.
func inverse(dst, l []float64, n int) {
	row := make([]float64, n*n) // L⁻¹, by forward substitution
	for i := range n {
		for j := range i + 1 {
			s := 0.0
			if i == j {
				s = 1
			}
			for k := j; k < i; k++ {
				s -= l[i*n+k] * row[k*n+j]
			}
			row[i*n+j] = s / l[i*n+i]
		}
		for j := range i + 1 {
			for k := range i + 1 {
				dst[j*n+k] += row[i*n+j] * row[i*n+k]
			}
		}
	}
}
