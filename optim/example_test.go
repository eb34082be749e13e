package optim_test

import (
	"fmt"
	"math/rand/v2"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/optim"
)

func newParams() *nn.Params {
	dev, err := ag.Open("cpu64")
	if err != nil {
		panic(err)
	}
	return nn.NewParams(dev, rand.New(rand.NewPCG(1, 2)))
}

// Momentum: with a constant gradient of 1 the steps grow towards LR / (1 − Momentum).
func ExampleSGD() {
	p := newParams()
	x := p.New("x", nn.Zeros, 1)
	opt := optim.NewSGD(0.1, 0.5, p.All())
	tp := ag.NewTape(p.Device())
	for range 3 {
		tp.Reset()
		before := x.Item()
		opt.Step(tp.Backward(tp.Sum(x)))
		fmt.Printf("%.3f\n", before-x.Item())
	}
	// Output:
	// 0.100
	// 0.150
	// 0.175
}

// Fine-tuning: the pretrained part has a tenth of the learning rate, and no weight decay. Adam's
// first step is the learning rate, whatever the size of the gradient.
func ExampleAdam_AddGroup() {
	p := newParams()
	head := p.Sub("head").New("weight", nn.Zeros, 1)
	encoder := p.Sub("encoder").New("weight", nn.Zeros, 1)
	opt := optim.NewAdamW(0.1, 0.01, p.Sub("head").All())
	opt.AddGroup(optim.Group{Params: p.Sub("encoder").All(), LR: 0.01})
	tp := ag.NewTape(p.Device())
	opt.Step(tp.Backward(tp.Sum(tp.Add(head, tp.Scale(encoder, 1000)))))
	fmt.Printf("head %.2f, encoder %.2f\n", head.Item(), encoder.Item())
	// Output: head -0.10, encoder -0.01
}

// Ten epochs: one of warm-up, in which the learning rate is 0 at first, and then half a cosine.
func ExampleWarmupCosine() {
	s := optim.WarmupCosine{LR: 1, Epochs: 10}
	for epoch := 1; epoch <= s.Epochs; epoch++ {
		fmt.Printf("%.2f ", s.At(epoch))
	}
	// Output: 0.00 1.00 1.00 0.97 0.88 0.75 0.59 0.41 0.25 0.12
}

// The gradient (3, 4) has norm 5. It is scaled to norm 1 before the step.
func ExampleClipNorm() {
	p := newParams()
	x := p.New("x", nn.Zeros, 2)
	opt := optim.NewSGD(1, 0, p.All())
	tp := ag.NewTape(p.Device())
	grads := tp.Backward(tp.Sum(tp.Mul(x, tp.Input([]float32{3, 4}, 2))))
	norm := optim.ClipNorm(tp, grads, p.All(), 1)
	opt.Step(grads)
	fmt.Printf("%.1f %.2f\n", norm.Item(), x.Values())
	// Output: 5.0 [-0.60 -0.80]
}
