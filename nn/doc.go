// Package nn holds the layers that models are made of, and their parameters: how these are made,
// named, saved and loaded.
//
// A layer is a struct of parameters with a method Forward(tp, x). Making a parameter registers it
// under a name (Params), so there is nothing to collect afterwards; training or inference is a
// property of the tape. Names and layouts are PyTorch's (a linear map is [out in]), so weights can
// be exchanged with it as safetensors.
//
//	p := nn.NewParams(dev, rand.New(rand.NewPCG(1, 2)))
//	hidden := nn.NewLinear(p.Sub("hidden"), 3, 8) // hidden.weight [8 3], hidden.bias [8]
//	score := nn.NewLinear(p.Sub("score"), 8, 1)
//	y := score.Forward(tp, tp.ReLU(hidden.Forward(tp, x)))
//
// # Reading order
//
// params.go, init.go, linear.go, mlp.go, norm.go, embedding.go, lstm.go, attention.go,
// transformer.go, postnorm.go, bert.go, state.go.
package nn
