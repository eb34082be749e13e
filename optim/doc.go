// Package optim changes parameters to make a loss smaller: optimizers, clipping of gradients, and
// a schedule of learning rates.
//
//	opt := optim.NewAdamW(1e-4, 1e-4, p.All())
//	for epoch := 1; epoch <= s.Epochs; epoch++ {
//		opt.SetLR(s.At(epoch)) // s is a WarmupCosine
//		…
//		opt.Step(tp.Backward(loss))
//	}
//
// The gradients of several batches make one step by autograd.Tape.Accumulate; ClipNorm and
// ClipValue can be applied to the sum so far or to the whole.
//
// An optimizer skips the parameters without a gradient: neither they nor their state change. State
// returns what resuming needs, to be saved by nn.Save beside the parameters. A step allocates no
// memory for data.
//
// # Reading order
//
// sgd.go, adam.go, clip.go, schedule.go.
package optim
