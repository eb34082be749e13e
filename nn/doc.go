// Package nn contains layers, and creates, names, saves and loads their parameters, as torch.nn
// does. Start with [Params] and [Linear].
//
// A layer is a struct of parameters with a method Forward(tp, x). [Params] creates a parameter
// and registers it under a name. The tape decides between training and inference. Names and
// layouts are PyTorch's (the weight of a linear layer is [out in]), so weights can be exchanged
// with it as safetensors: see [Save] and [Load].
//
//	p := nn.NewParams(dev, rand.New(rand.NewPCG(1, 2)))
//	hidden := nn.NewLinear(p.Sub("hidden"), 3, 8) // hidden.weight [8 3], hidden.bias [8]
//	score := nn.NewLinear(p.Sub("score"), 8, 1)
//	y := score.Forward(tp, tp.ReLU(hidden.Forward(tp, x)))
//
// # Reading order
//
// params.go, init.go, linear.go, mlp.go, norm.go, batchnorm.go, embedding.go, conv.go, lstm.go,
// mamba.go, mambablock.go, attention.go, positions.go, transformer.go, crossmodal.go, postnorm.go,
// bert.go, pretrained.go, state.go.
package nn
