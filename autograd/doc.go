// Package autograd computes with tensors and differentiates by reverse-mode automatic
// differentiation, as torch.Tensor and torch.autograd do in PyTorch. Start with [Tape] and
// [Tape.Backward]; the reading order of the files is below.
//
// # The idea
//
// A program that computes a number L from a tensor x is a chain of operations y = f(x). Write x̄
// for ∂L/∂x. By the chain rule each operation needs only a function that computes x̄ from ȳ,
//
//	x̄ = ȳ · ∂y/∂x      (a vector-Jacobian product, vjp)
//
// So a [Tape] records, while the forward computation runs, each operation's result, its inputs
// and its vjp. The order of recording is a topological order of the graph. [Tape.Backward] walks
// it from the end, starting with L̄ = 1, and adds up the gradients that arrive at each tensor.
// That is the complete algorithm; backward.go implements it.
//
// # Why operations are methods of the tape
//
// One writes tp.Add(x, y), not x.Add(y). The tape holds what an operation needs besides its
// operands: whether to record, which memory to use, the seed of dropout. So there is no global
// state, and an operation whose operands are all parameters has a tape too. The tape decides
// between training and inference: [NewTape] returns one that records, [NewInferenceTape] one that
// does not, on which Dropout is the identity.
//
//	dev, _ := autograd.Open("cpu")
//	w := autograd.NewParam(dev, []float64{1, 2}, 2)
//	tp := autograd.NewTape(dev)
//	for range 100 {
//		tp.Reset()                     // recycles the memory of the last step
//		loss := tp.Mean(tp.Mul(w, w))
//		grads := tp.Backward(loss)     // a map from parameter to gradient
//		w.AddScaled(-0.1, grads[w])
//	}
//
// # Tensors, memory, precision
//
// A [Tensor] is immutable, dense and row-major; there are no views. A result belongs to the tape
// that created it. Backward recycles its memory at its last use, and Reset recycles all memory
// of the tape. A tensor whose memory was recycled is stale, and the next use of it panics. To keep
// a tensor, Clone it or pass it to Backward as one to keep. Parameters, data and optimizer state
// belong to the caller.
//
// The device fixes the precision. The same model runs in float32 on "cpu" and in float64 on
// "cpu64", where its gradients can be checked to many digits.
//
// Shapes are written in brackets, [B T D]. An operation panics if shapes do not fit, or if a
// tensor is stale, on another device or of another tape.
//
// # Reading order
//
// tensor.go, tape.go, backward.go, arena.go, scope.go, broadcast.go, arith.go, activation.go,
// matmul.go, shape.go, concat.go, reduce.go, softmax.go, norm.go, attention.go, lstm.go, gru.go,
// conv.go, scan.go, index.go, dropout.go, sparse.go, similarity.go, pool.go, logdet.go, loss.go,
// constant.go, update.go.
package autograd
