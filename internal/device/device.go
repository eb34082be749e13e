// Package device defines the kernels with which the autograd engine computes. Start with [Device].
//
// A [Device] owns buffers of numbers of one precision and runs kernels on them. Packages that use
// it do not depend on whether a number is a float32 or a float64, in host memory or on a GPU. There
// are no optional methods: every device has every kernel, so that all devices run the same
// operations. Package devicetest defines each kernel a second time, by plain loops in double
// precision; every device must agree with it.
//
// # Rules for all kernels
//
//   - Layout. All arrays are row-major and contiguous, unless an [Operand] or a [Matrix] gives
//     strides. Comments give shapes in brackets: x [rows n].
//   - Ownership. The caller owns the buffers. A kernel allocates no buffer and keeps no reference
//     to its arguments, slices included, after it returns; an asynchronous device copies what it
//     needs later.
//   - Aliasing. An elementwise or row-wise kernel may write to one of its inputs (the same buffer
//     with the same layout); the comment says so. Every other result shares no memory with an
//     input, and no two results share memory.
//   - Order. Each sum is added in an order that depends on the shapes alone, so a device gives the
//     same bits each time.
//   - Errors. Wrong arguments are a mistake of the caller: a buffer of another device panics, other
//     mistakes have undefined results. A failure of the hardware is reported by Sync.
package device

// A Buffer is an array of Len numbers that belongs to one device. The garbage collector frees it.
type Buffer interface{ Len() int }

// A Device stores buffers and runs kernels on them. Several goroutines may call its methods, as
// long as the calls write to different buffers. The rules for all kernels are in the package
// documentation. In gradients, g is the gradient of the result and dx that of x.
type Device interface {
	// The device itself.

	// Name returns the name that backend.Open takes: "cpu", "cpu64", "cuda:0".
	Name() string
	// Bits returns the precision of a number, 32 or 64.
	Bits() int

	// Memory and synchronisation.

	// Alloc returns a new buffer of n numbers with undefined contents.
	Alloc(n int) Buffer
	// Part returns the n numbers of b from position at on, as a buffer.
	Part(b Buffer, at, n int) Buffer
	// Upload copies src to dst, of the same length, rounded to the device's precision.
	Upload(dst Buffer, src []float64)
	// Upload32 copies src to dst, of the same length.
	Upload32(dst Buffer, src []float32)
	// Download waits for all earlier kernels and copies src to dst, of the same length.
	Download(dst []float64, src Buffer)
	// Submit starts the kernels that the device has collected, for example those of a whole step.
	Submit()
	// Sync waits for all kernels and returns the device's first failure, or nil.
	Sync() error

	// Elementwise kernels, on buffers of equal length. The result may be any of the inputs.

	// Fill sets every element of dst to v.
	Fill(dst Buffer, v float64)
	// Axpy adds alpha·x to y.
	Axpy(alpha float64, x, y Buffer)
	// Unary writes dst = f(x; a, b).
	Unary(op Unary, dst, x Buffer, a, b float64)
	// UnaryGrad writes dx = g·f′(x), given y = f(x).
	UnaryGrad(op Unary, dx, x, y, g Buffer, a, b float64)
	// Binary writes dst = f(x, y) for operands of the given shape; dst is contiguous.
	Binary(op Binary, dst Buffer, shape []int, x, y Operand)
	// Dropout writes x/(1−p) where Keep(seed, i, p) is true for element i, and 0 elsewhere.
	Dropout(dst, x Buffer, p float64, seed uint64)
	// PackSigns packs 16 signs of x into each number of dst [⌈n/16⌉], which is not x: bit b of the
	// integer dst[i] is 1 where x[16i+b] > 0.
	PackSigns(dst, x Buffer)
	// ApplySignMask writes x where its bit in signs, as packed by PackSigns, is 1, and 0
	// elsewhere.
	ApplySignMask(dst, x, signs Buffer)

	// Movement of elements and rows.

	// Copy writes dst = src for operands of the given shape. No two elements of dst are the same
	// number in its buffer.
	Copy(dst Operand, shape []int, src Operand)
	// Accumulate adds src to dst for operands of the given shape. Elements of dst may be the same
	// number in its buffer.
	Accumulate(dst Operand, shape []int, src Operand)
	// Gather writes dst [len(index) width], whose row i is row index[i] of table [any width].
	Gather(dst, table Buffer, index []int, width int)
	// ScatterAdd adds row i of src [len(index) width] to row index[i] of dst, in the order of i.
	ScatterAdd(dst Buffer, index []int, src Buffer, width int)

	// Reductions.

	// Reduce reduces the middle axis of x [outer n inner] and writes dst [outer inner].
	Reduce(op Reduction, dst, x Buffer, outer, n, inner int)
	// Dot writes dst[at] = Σ x·y, accumulated in double precision; x may be y.
	Dot(dst Buffer, at int, x, y Buffer)

	// Row-wise kernels, on the rows of x [rows n]. dst may be x, dx may be g or y.

	// Softmax writes the softmax of each row; a row of −Inf gives zeros.
	Softmax(dst, x Buffer, rows, n int)
	// SoftmaxGrad writes dx = y ⊙ (g − Σ g⊙y), given y = softmax(x).
	SoftmaxGrad(dx, y, g Buffer, rows, n int)
	// LogSoftmax writes x − LogSumExp(x) of each row; a row of −Inf gives −Inf.
	LogSoftmax(dst, x Buffer, rows, n int)
	// LogSoftmaxGrad writes dx = g − eʸ·Σ g, given y = log softmax(x).
	LogSoftmaxGrad(dx, y, g Buffer, rows, n int)
	// LayerNorm writes y = γ ⊙ x̂ + β, where x̂ = (x − mean)·rstd, rstd = 1/√(var + eps) and var
	// is the biased variance of the row, and writes mean and rstd to stats [rows 2]; y may be x.
	LayerNorm(y, stats, x, gamma, beta Buffer, rows, n int, eps float64)
	// LayerNormGrad writes dx = rstd·(h − mean(h) − x̂·mean(h⊙x̂)) with h = g ⊙ γ, dgamma [n] =
	// Σ g⊙x̂ and dbeta [n] = Σ g over the rows; dx may be g or x.
	LayerNormGrad(dx, dgamma, dbeta, g, x, stats, gamma Buffer, rows, n int)

	// Products and networks. The parameter types give shapes and formulas.

	// Gemm multiplies matrices: see [Gemm].
	Gemm(g Gemm)
	// Attention computes multi-head attention, and lse for AttentionGrad: see [Attention].
	Attention(a Attention, out, lse, q, k, v Buffer)
	// AttentionGrad writes the gradients of q, k and v, given Attention's results.
	AttentionGrad(a Attention, dq, dk, dv, g, out, lse, q, k, v Buffer)
	// LSTM runs a recurrent network over all steps: see [LSTM].
	LSTM(l LSTM, y, cell, gates, weight Buffer)
	// LSTMGrad replaces the values of the gates, which LSTM wrote, by the gradient of z.
	LSTMGrad(l LSTM, gates, g, cell, weight Buffer)
	// GRU runs a recurrent network over all steps: see [GRU].
	GRU(r GRU, y, hidden, gates, weight, bias Buffer)
	// GRUGrad replaces the gates and hidden that GRU left by gradients: see [GRU].
	GRUGrad(r GRU, gates, hidden, g, y, weight Buffer)
	// CausalConv computes a convolution over time of each channel: see [CausalConv].
	CausalConv(c CausalConv, y, x, weight, bias Buffer)
	// CausalConvGrad writes the gradients of x, weight and bias for the gradient g of y.
	CausalConvGrad(c CausalConv, dx, dweight, dbias, g, x, weight Buffer)
	// SelectiveScan writes out [Samples Steps Width], and saved [Samples Saved States Width] for
	// SelectiveScanGrad: see [Scan].
	SelectiveScan(s Scan, out, saved Buffer, x ScanOperands)
	// SelectiveScanGrad writes the gradients dx of all inputs x, for the gradient g of out.
	SelectiveScanGrad(s Scan, dx ScanOperands, g, saved Buffer, x ScanOperands)
	// PairScores writes dst [m n], dst_ij = Σ_h w_h·max(0, u_jh + v_ih), for u [n width], v [m
	// width] and w [width]: a perceptron with one hidden layer on all pairs of rows. It stores no
	// m×n×width array.
	PairScores(dst, u, v, w Buffer, m, n, width int)
	// PairScoresGrad writes du, dv and dw, of the shapes of u, v and w, for g [m n].
	PairScoresGrad(du, dv, dw, g, u, v, w Buffer, m, n, width int)

	// Optimisation.

	// Adam updates the parameter p and its moments m and v in place with gradient g: see [Adam].
	Adam(a Adam, p, g, m, v Buffer)
	// AdamRows is Adam for the rows index[i] of p, m and v [any width], all different, with the
	// gradient g [len(index) width]; it does not change other rows.
	AdamRows(a Adam, p, g, m, v Buffer, index []int, width int)
	// AdamCompact is Adam with less state, for a matrix p [rows columns]: see [Adam]. If index is
	// not nil, it updates only the rows index[i], all different, with g [len(index) columns].
	AdamCompact(a Adam, p, g, m, row, column Buffer, index []int)
}
