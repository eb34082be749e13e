// Package device defines the closed set of kernels that the autograd engine is made of.
//
// A Device owns opaque buffers of one precision and runs kernels on them. Nothing above this
// package knows whether a number is a float32 in memory, a float64, or lives on a GPU. There are
// no optional methods: a kernel enters the set for every device, or not at all, so two devices can
// never take different paths unseen.
//
// Kernels never allocate buffers, never retain arguments, and never fail: a failure of the
// hardware surfaces at Sync. Unless a method says otherwise, dst may be one of the inputs (the
// same buffer, the same layout) but must not overlap one in part. All arrays are row-major.
package device

// A Buffer is a linear array of numbers that belongs to one device. Its contents after Alloc are
// undefined.
type Buffer interface{ Len() int }

// An Operand is a strided view of a buffer, seen through a shape that the kernel is given beside
// it: element (i, j, …) lies at Offset + i·Strides[0] + j·Strides[1] + …. A stride of 0 repeats.
type Operand struct {
	Buf     Buffer
	Offset  int
	Strides []int
}

// Unary names an elementwise function f(x; a, b) of one variable and two constants.
type Unary uint8

const (
	Affine    Unary = iota // a·x + b
	Exp                    // eˣ
	Log                    // ln x
	Sqrt                   // √x
	Abs                    // |x|
	Tanh                   // tanh x
	Sigmoid                // 1 / (1 + e⁻ˣ)
	Softplus               // ln(1 + eˣ), without overflow
	ReLU                   // max(x, 0)
	LeakyReLU              // x where x > 0, a·x elsewhere
	GELU                   // x·Φ(x) = x/2·(1 + erf(x/√2))
	SiLU                   // x / (1 + e⁻ˣ)
	Clamp                  // min(max(x, a), b); derivative 1 where a ≤ x ≤ b, 0 elsewhere
	Huber                  // x²/(2a) where |x| < a, |x| − a/2 elsewhere
	NumUnary
)

// Binary names an elementwise function of two variables.
type Binary uint8

const (
	Add   Binary = iota // x + y
	Sub                 // x − y
	Mul                 // x·y
	Div                 // x / y
	Equal               // 1 where x = y, 0 elsewhere
	Less                // 1 where x < y, 0 elsewhere
	Mask                // x where y ≠ 0, −Inf elsewhere
	NumBinary
)

// Reduction names a function that reduces n numbers to one.
type Reduction uint8

const (
	Sum       Reduction = iota // Σ x
	Max                        // max x
	LogSumExp                  // ln Σ eˣ, without overflow; −Inf where every x is −Inf
	NumReductions
)

// A Matrix is a row-major matrix, or an evenly spaced batch of them, inside a buffer.
type Matrix struct {
	Buf    Buffer
	Offset int
	Stride int // distance between rows
	Batch  int // distance between the matrices of a batch; 0 repeats one matrix
}

// Gemm describes C ← Alpha·op(A)·op(B) + Beta·C for each of Count independent matrices, where
// op(A) is [M K], op(B) is [K N], C is [M N] and op transposes where the flag says so. The
// matrices of C do not overlap. With Beta 0, C is not read.
type Gemm struct {
	TransA, TransB bool
	M, N, K        int
	Alpha, Beta    float64
	A, B, C        Matrix
	Count          int
}

// Attention describes multi-head scaled dot-product attention: for each sample and head
//
//	P = softmax(Scale·Q Kᵀ), O = drop(P) V
//
// Queries are [Samples Queries Heads·Width], keys and values [Samples Keys Heads·Width]; head h
// takes columns h·Width to (h+1)·Width. Excluded keys have weight 0; a query all of whose keys are
// excluded has output 0 and gradient 0.
type Attention struct {
	Samples, Heads, Queries, Keys, Width int

	Scale   float64
	Mask    Buffer  // [Samples Keys], 0 excludes the key; nil excludes none
	Causal  bool    // excludes key j for query i where j > i + |Keys − Queries|
	Dropout float64 // probability that a weight is dropped; 0 disables
	Seed    uint64  // of the dropout: element ((s·Heads+h)·Queries+i)·Keys+j is kept where Keep says so
}

// LSTM describes a long short-term memory network of one layer and direction on sequences of
// different lengths: one that is 0 at the first step, and from one step to the next of its own
// sequence (t−1 → t or, reversed, t+1 → t)
//
//	i, f, o = σ(z_t),  g = tanh(z_t),  c_t = f ⊙ c_before + i ⊙ g,  y_t = o ⊙ tanh(c_t)
//
// with z_t [4·Width] the gates i, f, g, o side by side.
type LSTM struct {
	Samples, Steps, Width int

	Lengths []int // [Samples], from 1 to Steps
	Reverse bool  // each sequence runs from its own end to its beginning
}

// Adam describes one step of Adam or AdamW, with bias corrections made by the caller.
type Adam struct {
	LR, Beta1, Beta2, Eps float64
	WeightDecay           float64
	Decoupled             bool    // true: p ← p − LR·WeightDecay·p before the step (AdamW); false: g ← g + WeightDecay·p
	Correction1           float64 // 1 − Beta1ᵗ
	Correction2           float64 // 1 − Beta2ᵗ
}

// A Device is a place where buffers live and kernels run. Its methods may be called from several
// goroutines as long as the calls write to different buffers.
type Device interface {
	Name() string // as given to autograd.Open: "cpu", "cpu64", "cuda:0"
	Bits() int    // precision of a number: 32 or 64

	Alloc(n int) Buffer
	Upload(dst Buffer, src []float64)
	Upload32(dst Buffer, src []float32)
	Download(dst []float64, src Buffer) // waits for the kernels before it
	Submit()                            // begins what waits to be begun, such as a whole step at once
	Sync() error                        // waits for every kernel; reports what failed since the last call

	// Elementwise.

	Fill(dst Buffer, v float64)
	Axpy(alpha float64, x, y Buffer) // y ← y + alpha·x
	Unary(op Unary, dst, x Buffer, a, b float64)
	UnaryGrad(op Unary, dx, x, y, g Buffer, a, b float64) // dx = g·f′(x), where y = f(x); dx may be g
	Binary(op Binary, dst Buffer, shape []int, x, y Operand)

	// Movement. Copy's dst elements are distinct; Accumulate's may overlap (stride 0 or windows),
	// and are added in a fixed order.

	Copy(dst Operand, shape []int, src Operand)
	Accumulate(dst Operand, shape []int, src Operand)          // dst ← dst + src
	Gather(dst, table Buffer, index []int, width int)          // dst [len(index) width] = rows of table
	ScatterAdd(dst Buffer, index []int, src Buffer, width int) // dst[index[i]] ← dst[index[i]] + src[i]
	Dropout(dst, x Buffer, p float64, seed uint64)             // x/(1−p) where Keep(seed, i, p), 0 elsewhere
	Reduce(op Reduction, dst, x Buffer, outer, n, inner int)   // x [outer n inner] → dst [outer inner]
	Dot(dst Buffer, at int, x, y Buffer)                       // dst[at] = Σ x·y, accumulated in double precision

	// Row-wise and products.

	Gemm(g Gemm)
	Softmax(dst, x Buffer, rows, n int)          // of each row; a row of −Inf gives zeros
	SoftmaxGrad(dx, y, g Buffer, rows, n int)    // dx = y ⊙ (g − Σ g⊙y)
	LogSoftmax(dst, x Buffer, rows, n int)       // x − LogSumExp(x); a row of −Inf gives −Inf
	LogSoftmaxGrad(dx, y, g Buffer, rows, n int) // dx = g − eʸ Σ g

	// LayerNorm computes y = γ ⊙ x̂ + β with x̂ = (x − mean)·rstd, rstd = 1/√(var + eps), over
	// each row; var is the biased variance. stats [rows 2] receives mean and rstd for
	// LayerNormGrad, which writes (does not add to) dx, dgamma and dbeta.
	LayerNorm(y, stats, x, gamma, beta Buffer, rows, n int, eps float64)
	LayerNormGrad(dx, dgamma, dbeta, g, x, stats, gamma Buffer, rows, n int)

	// Attention writes out [Samples Queries Heads·Width] and, for AttentionGrad, the log-sum-exp
	// of each row of scaled scores, lse [Samples Heads Queries]. No Queries×Keys tensor outlives
	// the call.
	Attention(a Attention, out, lse, q, k, v Buffer)
	AttentionGrad(a Attention, dq, dk, dv, g, out, lse, q, k, v Buffer)

	// LSTM runs all steps. gates [Samples Steps 4·Width] holds what the input adds to z and
	// becomes the gates' values; weight [4·Width Width] multiplies y_before. y and cell are
	// [Samples Steps Width]; after a sequence's end y is 0, gates and cell stay as they are.
	// LSTMGrad turns these gates into the gradient of z for the gradient g of y, 0 after a
	// sequence's end; what g has there is not used.
	LSTM(l LSTM, y, cell, gates, weight Buffer)
	LSTMGrad(l LSTM, gates, g, cell, weight Buffer)

	// PairScores writes dst [m n], dst_ij = Σ_h w_h·max(0, u_jh + v_ih), for u [n width], v [m
	// width] and w [width]: a two-layer perceptron on all pairs of n and m rows. PairScoresGrad
	// writes du, dv and dw for the gradient g [m n]. No m×n×width tensor is made.
	PairScores(dst, u, v, w Buffer, m, n, width int)
	PairScoresGrad(du, dv, dw, g, u, v, w Buffer, m, n, width int)

	// PackSigns packs the signs of x, sixteen bits into one integer-valued number: bit b of dst[i]
	// is 1 where x[16i+b] > 0. ApplySignMask writes x where the bit in signs is 1, and 0 elsewhere.
	// dst of PackSigns has ⌈len(x)/16⌉ numbers and is not x.
	PackSigns(dst, x Buffer)
	ApplySignMask(dst, x, signs Buffer)

	// Adam updates p, m and v in place with the gradient g.
	Adam(a Adam, p, g, m, v Buffer)
	// AdamRows is Adam for some rows of p, m and v, all different and width long: row index[i]
	// with the gradient g[i]. Other rows keep.
	AdamRows(a Adam, p, g, m, v Buffer, index []int, width int)
}

// Keep tells whether element i survives a dropout of probability p: a counter-based generator, so
// that the mask needs no memory, is the same on every device and does not depend on the order of
// evaluation.
func Keep(seed uint64, i int, p float64) bool {
	return float64(Hash(seed, uint64(i))>>11)*0x1p-53 >= p
}

// Hash returns 64 well-mixed bits of the pair (seed, counter): the output function of SplitMix64
// (Steele, Lea, Flood: Fast splittable pseudorandom number generators, OOPSLA 2014).
func Hash(seed, counter uint64) uint64 {
	z := seed + (counter+1)*0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
