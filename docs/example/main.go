// This program is a module of its own. It learns exclusive or with recap's engine, layers and
// optimizer, and shows all that a user of the engine needs.
package main

import (
	"fmt"
	"math/rand/v2"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/optim"
)

func main() {
	dev, err := ag.Open("cpu")
	if err != nil {
		panic(err)
	}
	p := nn.NewParams(dev, rand.New(rand.NewPCG(1, 2)))
	net := nn.NewMLP(p, 2, 8, 1)
	opt := optim.NewAdamW(0.05, 0, p.All())

	x := ag.NewTensor(dev, []float64{0, 0, 0, 1, 1, 0, 1, 1}, 4, 2)
	y := ag.NewTensor(dev, []float64{0, 1, 1, 0}, 4, 1)

	tp := ag.NewTape(dev)
	for range 300 {
		tp.Reset()
		loss := tp.BCEWithLogits(net.Forward(tp, x), y)
		opt.Step(tp.Backward(loss))
	}

	tp = ag.NewInferenceTape(dev)
	for i, v := range tp.Sigmoid(net.Forward(tp, x)).Values() {
		fmt.Printf("%d xor %d = %.2f\n", i/2, i%2, v)
	}
}
