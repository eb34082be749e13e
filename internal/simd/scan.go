package simd

// The functions of this file compute one step of a selective scan (Gu and Dao 2023) for w channels
// of one sequence, each with n states. Arrays of states [n w] have the channels side by side. They
// panic if the lengths do not match, or if there are no states.

// ScanStep writes the step sizes delta = softplus(step) and slope = σ(step), their derivative. The
// relative errors are at most 3e-7. Above 20, delta is step.
func ScanStep(delta, slope, step []float32) {
	equal("ScanStep", len(step), len(delta), len(slope))
	spans(len(step), func(lo, hi int) {
		active.vector.scanStep(delta[lo:hi], slope[lo:hi], step[lo:hi])
	})
}

// ScanState computes a step from the states prev [n w], which may be next: for a [n w], delta and x
// [w], and b and c [n] it writes
//
//	decay = exp(delta ⊙ a),  next = decay ⊙ prev + b xᵀ,  y = nextᵀ c
//
// It expects delta ⊙ a ≤ 0.
func ScanState(next, decay, prev, a, delta, x, y, b, c []float32) {
	w, n := len(y), numberOfStates("ScanState", b)
	equal("ScanState", w, len(delta), len(x))
	equal("ScanState", n, len(c))
	equal("ScanState", n*w, len(next), len(decay), len(prev), len(a))
	active.vector.scanState(next, decay, prev, a, delta, x, y, b, c)
}

// ScanStateGrad differentiates a step of ScanState, given r [w], the gradient of y, and carry [n
// w], the gradient that the step after passes to next. With q = carry + c rᵀ, the gradient of next,
// and p = q ⊙ decay ⊙ prev, it writes
//
//	carry = q ⊙ decay,  db = q x,  dc = next r,  kappa = qᵀ b,  ddelta = Σ_n p ⊙ a
//
// and adds delta ⊙ p to da. sums [2·ScanPartials·n] is memory for partial sums.
func ScanStateGrad(
	carry, da, decay, prev, a, delta, x, r, kappa, ddelta, b, c, db, dc, sums []float32,
) {
	w, n := len(r), numberOfStates("ScanStateGrad", b)
	equal("ScanStateGrad", w, len(delta), len(x), len(kappa), len(ddelta))
	equal("ScanStateGrad", n, len(c), len(db), len(dc))
	equal("ScanStateGrad", n*w, len(carry), len(da), len(decay), len(prev), len(a))
	equal("ScanStateGrad", 2*ScanPartials*n, len(sums))
	active.vector.scanStateGrad(carry, da, decay, prev, a, delta, x, r, kappa, ddelta, b, c, db,
		dc, sums)
}

// numberOfStates returns the length of b, and panics if it is 0: the kernels' loops over the states
// run at least once.
func numberOfStates(op string, b []float32) int {
	if len(b) == 0 {
		panic("simd: " + op + ": no states")
	}
	return len(b)
}

// ScanPartials is the largest number of channels in a vector.
const ScanPartials = 16

// plainScanStep computes softplus as max(x, 0) + ln(1 + e), e = exp(−|x|), where ln(1 + e) = 2
// artanh s, s = e/(2 + e) ≤ 1/3. The polynomial of artanh(s)/s, of degree 4 in s², has a relative
// error of at most 5.5e-9.
func plainScanStep(delta, slope, step []float32) {
	for i, x := range step {
		e := exp32(-abs32(x))
		s := e / (2 + e)
		t := s * s
		p := 1 + t*(0.3333320915699005+
			t*(0.2001076340675354+t*(0.14000901579856873+t*0.1400599628686905)))
		delta[i], slope[i] = max(x, 0)+2*s*p, 1/(1+e)
		if x < 0 {
			slope[i] = e / (1 + e)
		}
	}
}

// PlainScanState returns [ScanState] in plain Go, for both precisions, with the given exp.
func PlainScanState[F float32 | float64](
	exp func(F) F,
) func(next, decay, prev, a, delta, x, y, b, c []F) {
	return func(next, decay, prev, a, delta, x, y, b, c []F) {
		w := len(y)
		clear(y)
		for n := range b {
			for j := range w {
				i := n*w + j
				decay[i] = exp(delta[j] * a[i])
				next[i] = decay[i]*prev[i] + x[j]*b[n]
				y[j] += c[n] * next[i]
			}
		}
	}
}

// PlainScanStateGrad is [ScanStateGrad] in plain Go, for both precisions.
func PlainScanStateGrad[F float32 | float64](
	carry, da, decay, prev, a, delta, x, r, kappa, ddelta, b, c, db, dc, _ []F,
) {
	w := len(r)
	clear(kappa)
	clear(ddelta)
	for n := range b {
		db[n], dc[n] = 0, 0
		for j := range w {
			i := n*w + j
			kept := decay[i] * prev[i]
			q := carry[i] + r[j]*c[n]
			db[n] += q * x[j]
			dc[n] += r[j] * (kept + x[j]*b[n])
			kappa[j] += q * b[n]
			carry[i] = q * decay[i]
			ddelta[j] += q * kept * a[i]
			da[i] += q * kept * delta[j]
		}
	}
}
