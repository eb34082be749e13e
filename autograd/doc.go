// Package autograd computes derivatives by reverse-mode automatic differentiation.
//
// # The idea
//
// A program that computes a number L from a tensor x is a chain of operations y = f(x). Write x̄
// for ∂L/∂x. By the chain rule each operation needs to know one thing only: how to turn ȳ into x̄,
//
//	x̄ = ȳ · ∂y/∂x      (a vector-Jacobian product, vjp)
//
// So a Tape writes down, while the forward computation runs, each operation's result, its inputs
// and its vjp. The order of the list is already a topological order; Backward walks it from the
// end, starting with L̄ = 1, and adds up what arrives at each tensor. That is the whole algorithm,
// and tape.go is the whole of it in code.
//
// # Why operations are methods of the tape
//
// One writes tp.Add(x, y), not x.Add(y): the tape carries what an operation needs besides its
// operands (whether to record, whose memory to use, the seed of dropout), so none of it is global,
// and an operation whose operands are all parameters has a tape too. Training or inference is
// which tape you made: NewTape records, NewInferenceTape never does, and Dropout is the identity
// on it.
//
//	dev, _ := autograd.Open("cpu")
//	w := autograd.NewParam(dev, []float64{1, 2}, 2)
//	tp := autograd.NewTape(dev)
//	for range 100 {
//		tp.Reset()                                // recycles the memory of the last step
//		loss := tp.Mean(tp.Mul(w, w))
//		grads := tp.Backward(loss)                // a map from tensor to gradient
//		w.AddScaled(-0.1, grads[w])
//	}
//
// # Tensors, memory, precision
//
// Tensors are immutable, dense and row-major; there are no views. Results belong to the tape that
// made them and live until its Backward, which gives their memory back at its last use, or its
// Reset; a stale tensor panics at its next use; Clone keeps one, and so does naming it to
// Backward. Parameters, data and optimizer state belong to the caller. Precision belongs to the
// device: the same model runs in float32 on "cpu" and in float64 on "cpu64", where its gradients
// can be checked to many digits.
//
// Shapes are written in brackets, [B T D]. Misuse (shapes that do not fit, a tensor of another
// device) panics, as an index out of range does.
//
// # Reading order
//
// tensor.go, tape.go, backward.go, arena.go, broadcast.go, arith.go, activation.go, matmul.go, shape.go,
// concat.go, reduce.go, softmax.go, norm.go, attention.go, lstm.go, index.go, dropout.go,
// sparse.go, similarity.go, loss.go, constant.go, update.go.
package autograd
