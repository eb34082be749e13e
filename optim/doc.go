// Package optim contains optimizers, the clipping of gradients, and a schedule of learning rates,
// as torch.optim does. Start with [Adam].
//
//	opt := optim.NewAdamW(1e-4, 1e-4, p.All())
//	for epoch := 1; epoch <= s.Epochs; epoch++ {
//		opt.SetLR(s.At(epoch)) // s is a WarmupCosine
//		…
//		opt.Step(tp.Backward(loss))
//	}
//
// To make one step from the gradients of several batches, add them up with
// autograd.Tape.Accumulate. [ClipNorm] and [ClipValue] clip the gradients of a batch or the sum.
//
// An optimizer skips the parameters without a gradient: neither they nor their state change. Its
// State is saved by nn.Save together with the parameters, so that a training can be resumed. A step
// allocates no memory on the device.
//
// # Reading order
//
// sgd.go, adam.go, clip.go, schedule.go.
package optim
