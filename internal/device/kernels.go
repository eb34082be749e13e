package device

// This file holds the parameters of the kernels: which function to apply, and the shapes and
// formulas of those kernels that need more than a sentence.

// An Operand is a strided view of a buffer. The kernel gets the shape separately; element (i, j,
// …) lies at Offset + i·Strides[0] + j·Strides[1] + …. A stride of 0 repeats elements along its
// axis.
type Operand struct {
	Buf     Buffer
	Offset  int
	Strides []int // one for each axis of the shape
}

// Unary selects an elementwise function f(x; a, b) of one variable and two constants.
type Unary uint8

// The functions of one variable. NumUnary is their number.
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

// Binary selects an elementwise function of two variables.
type Binary uint8

// The functions of two variables. NumBinary is their number.
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

// Reduction selects a function that reduces n numbers to one.
type Reduction uint8

// The reductions. NumReductions is their number.
const (
	Sum       Reduction = iota // Σ x
	Max                        // max x
	LogSumExp                  // ln Σ eˣ, without overflow; −Inf where every x is −Inf
	NumReductions
)

// A Matrix is a row-major matrix in a buffer, or a batch of evenly spaced ones.
type Matrix struct {
	Buf    Buffer
	Offset int // position of the first element
	Stride int // distance between rows
	Batch  int // distance between the matrices of a batch; 0 repeats one matrix
}

// Gemm describes C ← Alpha·op(A)·op(B) + Beta·C for each of Count independent matrices, where
// op(A) is [M K], op(B) is [K N], C is [M N], and op transposes if the flag is set. The matrices
// of C do not overlap. If Beta is 0, C is not read.
type Gemm struct {
	TransA, TransB bool
	M, N, K        int
	Alpha, Beta    float64
	A, B, C        Matrix
	Count          int
}

// Attention describes multi-head scaled dot-product attention (Vaswani et al., NeurIPS 2017,
// section 3.2). For each sample and head it computes
//
//	S = Scale·Q Kᵀ,  P = softmax(S),  O = D(P) V
//
// where D is the dropout. Queries and outputs are [Samples Queries Heads·Width], keys and values
// [Samples Keys Heads·Width]; head h has columns h·Width to (h+1)·Width. An excluded key has
// weight 0. A query whose keys are all excluded has output 0 and gradient 0.
//
// The method Attention also writes lse [Samples Heads Queries], the log-sum-exp of each row of S.
// From it AttentionGrad recomputes P, and writes, for the gradient Ō of O,
//
//	V̄ = D(P)ᵀ Ō,  S̄ = P ⊙ (D(Ō Vᵀ) − Σ Ō⊙O),  Q̄ = Scale·S̄ K,  K̄ = Scale·S̄ᵀ Q
//
// No array of Queries×Keys numbers exists after a call.
type Attention struct {
	Samples, Heads, Queries, Keys, Width int

	Scale   float64
	Mask    Buffer  // [Samples Keys]: 0 excludes the key; nil excludes none
	Causal  bool    // excludes key j for query i where j > i + |Keys − Queries|
	Dropout float64 // probability that a weight is dropped; 0 disables
	// of the dropout; weight (s, h, i, j) is element ((s·Heads+h)·Queries+i)·Keys+j of Keep
	Seed uint64
}

// Sequences are the inputs of a recurrent network with one layer and one direction. The step before
// t is t−1 or, with Reverse, t+1.
type Sequences struct {
	Samples, Steps, Width int // Width is the number of units

	Lengths []int // [Samples], each from 1 to Steps
	Reverse bool  // runs each sequence from its own end to its beginning
}

// LSTM describes a long short-term memory network with one layer and one direction, on sequences
// of different lengths. Each step t computes
//
//	z_t = gates_t + W·y_before,  i, f, o = σ(z_t),  g = tanh(z_t)
//	c_t = f ⊙ c_before + i ⊙ g,  y_t = o ⊙ tanh(c_t)
//
// where z_t [4·Width] holds the gates i, f, g, o side by side. Before the first step, y and c are
// 0.
//
// The method LSTM takes gates [Samples Steps 4·Width], which hold the input's part of z, and
// weight W [4·Width Width]. It replaces gates by the values i, f, g, o, and writes y and cell
// [Samples Steps Width]. After the end of a sequence it sets y to 0 and leaves gates and cell as
// they are.
//
// LSTMGrad takes the results of LSTM and the gradient g of y, and replaces gates by the gradient
// of z, which is 0 after the end of a sequence. It does not use g there.
type LSTM struct{ Sequences }

// GRU describes a gated recurrent unit network with one layer and one direction, on sequences of
// different lengths. Each step t computes
//
//	u_t = W·y_before + b,  r, z = σ(gates_t + u_t),  n = tanh(gates_t + r ⊙ u_t)
//	y_t = (1 − z) ⊙ n + z ⊙ y_before
//
// where gates_t and u_t [3·Width] hold the parts of r, z, n side by side. Before the first step, y
// is 0.
//
// The method GRU takes gates [Samples Steps 3·Width], which hold the input's part, weight W
// [3·Width Width] and bias b [3·Width]. It replaces gates by the values r, z, n, and writes y and
// hidden [Samples Steps Width], the part of n in u. After the end of a sequence it sets y to 0 and
// leaves gates and hidden as they are.
//
// GRUGrad takes the results of GRU and the gradient g of y. It replaces gates by the gradient of
// the input's part, and hidden by that of the part of n in u; the gradient of the parts of r and z
// in u is that of the input's. They are 0 after the end of a sequence, where g is not used.
type GRU struct{ Sequences }

// CausalConv describes a convolution over time of sequences x [Samples Steps Width] in which each
// channel j has its own weights and a step depends on no later one. For weight [Width Kernel] and
// bias [Width] it is
//
//	y_tj = bias_j + Σ_k weight_jk·x_{t−d,j},  d = Kernel − 1 − k ≥ 0
//
// where steps outside of x are 0. With Reverse, t+d takes the place of t−d: the convolution is
// causal in reversed time.
type CausalConv struct {
	Samples, Steps, Width, Kernel int

	Reverse bool
}

// Scan describes the selective scan of Mamba (Gu and Dao 2023, algorithm 2) with one direction, on
// Samples sequences of Steps steps and Width channels, each with States states. With Δ =
// softplus(step + stepBias), A = −exp(aLog) and h = 0 before the first step, each step t computes,
// for channel j and state n,
//
//	h_jn ← exp(Δ_j A_jn)·h_jn + Δ_j u_j b_n,  y_j = Σ_n c_n h_jn
//	out_j = (y_j + skip_j u_j)·z_j·σ(z_j)
//
// Above 20, softplus is the identity. The states of all steps are never in memory at once: the
// method SelectiveScan saves those of every ScanInterval-th step in saved, in an order of its own,
// and SelectiveScanGrad computes the others again.
type Scan struct {
	Samples, Steps, Width, States int

	Reverse bool // runs from the last step to the first
}

// ScanInterval is the number of steps between two saved states of a selective scan.
const ScanInterval = 16

// Saved returns the number of steps of a sequence whose states are saved.
func (s Scan) Saved() int { return (s.Steps - 1) / ScanInterval }

// ScanOperands are the inputs of a selective scan, or their gradients.
type ScanOperands struct {
	U, Step, Z     Buffer // [Samples Steps Width]
	B, C           Buffer // [Samples Steps States]
	StepBias, Skip Buffer // [Width]
	ALog           Buffer // [Width States]
}

// Adam describes one step of Adam (Kingma and Ba, ICLR 2015, algorithm 1) or AdamW (Loshchilov and
// Hutter, ICLR 2019, algorithm 2):
//
//	m ← Beta1·m + (1 − Beta1)·g,  v ← Beta2·v + (1 − Beta2)·g²
//	p ← p − LR·(m/Correction1) / (√(v/Correction2) + Eps)
//
// The caller computes the bias corrections of step t.
//
// For a matrix p, AdamCompact replaces v by running means of each row and column of g² (Shazeer and
// Stern, ICML 2018: Adafactor), row [rows] and column [columns],
//
//	r_i ← Beta2·r_i + (1 − Beta2)·mean_j g²_ij,  c_j ← Beta2·c_j + (1 − Beta2)·mean_i g²_ij
//	v_ij = r_i·c_j / mean(c)
//
// and keeps m in bfloat16, the first 16 bits of a float32, rounded to nearest even. The step uses m
// before it is rounded. Where some rows are updated, the mean over i is that of these rows. v is
// that of Adam if all g²_ij are a_i·b_j times a factor of the step.
//
// The buffer of m [rows ⌈columns/2⌉] has two numbers of a row in one. With h = ⌊columns/2⌋, its
// number k of a row is the float32 whose high bits are those of m_h+k and whose low bits are those
// of m_k. The last m of an odd row is alone, in the low bits.
type Adam struct {
	LR, Beta1, Beta2, Eps float64
	WeightDecay           float64
	// AdamW: p ← p − LR·WeightDecay·p before the step; else g ← g + WeightDecay·p
	Decoupled   bool
	Correction1 float64 // 1 − Beta1ᵗ
	Correction2 float64 // 1 − Beta2ᵗ
}
