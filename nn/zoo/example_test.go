package zoo_test

import (
	"fmt"
	"math/rand/v2"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
	"github.com/seed-6655bf3b/recap/nn/zoo/misa"
	"github.com/seed-6655bf3b/recap/nn/zoo/zootest"
	"github.com/seed-6655bf3b/recap/optim"
)

// meanAudio is a model in 20 lines: it predicts the label from the mean of the audio frames.
type meanAudio struct {
	all  *nn.Params
	text *zoo.TextEncoder
	head *nn.Linear
}

func newMeanAudio(p *nn.Params, c zoo.TextConfig, d zoo.Dims) *meanAudio {
	return &meanAudio{p, zoo.NewTextEncoder(p.Sub("text"), c, d),
		nn.NewLinear(p.Sub("head"), d.AudioD, d.OutputWidth())}
}

func (m *meanAudio) TextEncoder() *zoo.TextEncoder { return m.text }
func (m *meanAudio) PredictParams() []nn.Param     { return m.all.Sub("head").All() }

func (m *meanAudio) Predict(tp *ag.Tape, in *zoo.Input) zoo.Output {
	score := m.head.Forward(tp, tp.Mean(in.Audio, 1)) // [B 1]
	return zoo.Output{Score: tp.Reshape(score, -1)}
}

func (m *meanAudio) Phases() []zoo.Phase {
	return []zoo.Phase{{Name: "train", Supervised: true,
		Passes: []zoo.Pass{{Params: m.PredictParams(), Terms: m.terms}}}}
}

func (m *meanAudio) terms(tp *ag.Tape, b *zoo.Batch) ([]zoo.Term, []zoo.MemoryUpdate) {
	return []zoo.Term{{Name: "task", Weight: 1,
		Loss: tp.MSE(m.Predict(tp, b.Corrupted).Score, b.Label)}}, nil
}

// A model says what its loss is and which parameters it updates; a loop that knows no model trains
// it. This is the shortest such loop.
func Example() {
	dev, err := ag.Open("cpu64")
	if err != nil {
		panic(err)
	}
	d := zootest.TinyDims
	var m zoo.Model = newMeanAudio(nn.NewParams(dev, rand.New(rand.NewPCG(1, 1))),
		zootest.TinyText(), d)
	b := zoo.RandomBatch(dev, &d, 4, 1)

	tp := ag.NewTape(dev)
	var losses []float64
	for _, phase := range m.Phases() {
		pass := phase.Passes[0]
		opt := optim.NewAdam(0.05, 0, pass.Params)
		for range 200 {
			tp.Reset()
			terms, updates := pass.Terms(tp, b)
			zoo.Apply(tp, updates)
			loss := zoo.Total(tp, terms)
			losses = append(losses, loss.Item())
			opt.Step(tp.Backward(loss))
		}
	}
	fmt.Println("loss falls:", losses[199] < losses[0])
	fmt.Println("scores:", m.Predict(ag.NewInferenceTape(dev), b.Corrupted).Score.Shape())
	// Output:
	// loss falls: true
	// scores: [4]
}

// A term of weight 0 is logged and is no part of the loss.
func ExampleTotal() {
	dev, err := ag.Open("cpu64")
	if err != nil {
		panic(err)
	}
	tp := ag.NewTape(dev)
	value := func(v float32) *ag.Tensor { return tp.Input([]float32{v}) }
	loss := zoo.Total(tp, []zoo.Term{
		{Name: "task", Weight: 1, Loss: value(2)},
		{Name: "reconstruction", Weight: 0.5, Loss: value(3)},
		{Name: "accuracy", Weight: 0, Loss: value(100)},
	})
	fmt.Println(loss.Item())
	// Output: 3.5
}

// A phase of two passes alternates between two losses in each epoch, as MMIM does. A parameter
// may be updated in both.
func ExamplePhase() {
	dev, err := ag.Open("cpu")
	if err != nil {
		panic(err)
	}
	p := nn.NewParams(dev, rand.New(rand.NewPCG(1, 1)))
	nn.NewLinear(p.Sub("predictor"), 2, 2)
	nn.NewLinear(p.Sub("encoder"), 2, 2)
	ph := zoo.Phase{Name: "train", Passes: []zoo.Pass{
		{Name: "predictors", Params: p.Sub("predictor").All()},
		{Name: "task", Params: p.All()},
	}}
	for k, pass := range ph.Passes {
		fmt.Printf("%s updates %d parameters\n", ph.PassName(k), len(pass.Params))
	}
	fmt.Println("together:", len(ph.Params()))
	// Output:
	// train/predictors updates 2 parameters
	// train/task updates 4 parameters
	// together: 4
}

// Terms returns what the phase's memory becomes; it changes when the caller applies it.
func ExampleApply() {
	dev, err := ag.Open("cpu64")
	if err != nil {
		panic(err)
	}
	labels := ag.NewTensor(dev, []float64{0, 0, 0, 0}, 4) // of four samples
	tp := ag.NewTape(dev)
	updates := []zoo.MemoryUpdate{{Memory: labels, Index: []int{3, 1},
		Rows: tp.Input([]float32{0.5, -1}, 2)}}
	fmt.Println(labels.Values())
	zoo.Apply(tp, updates)
	fmt.Println(labels.Values())
	// Output:
	// [0 0 0 0]
	// [0 -1 0 0.5]
}

// The preset "paper" has the settings of the paper's code for a data set, "quick" small ones.
// Presets are new values that the caller may change.
func ExampleSpec() {
	for _, preset := range []string{"paper", "quick"} {
		for _, dataset := range []string{"mosi", "mosei"} {
			config, training := misa.Spec.Preset(preset, dataset)
			c := config.(*misa.Config)
			fmt.Printf("%s %s: width %d, batch %d, learning rate %g\n", preset, dataset,
				c.Width, training.Batch, training.LR)
		}
	}
	config, _ := misa.Spec.Preset("quick", "mosi")
	config.(*misa.Config).Heads = 3
	fmt.Println(config.Check())
	// Output:
	// paper mosi: width 128, batch 16, learning rate 0.0001
	// paper mosei: width 128, batch 64, learning rate 0.0001
	// quick mosi: width 64, batch 32, learning rate 0.001
	// quick mosei: width 64, batch 32, learning rate 0.001
	// misa: heads is 3, want a divisor of width 64
}

// The same model predicts a label or classes, as Dims says. The loss of a sample is the squared
// error of a label, or the cross-entropy of the logits.
func ExampleTaskErrors() {
	dev, err := ag.Open("cpu64")
	if err != nil {
		panic(err)
	}
	tp := ag.NewTape(dev)
	regression, classes := zoo.Dims{}, zoo.Dims{Classes: 2}
	label := zoo.Batch{Label: tp.Input([]float32{1, -2}, 2)}
	class := zoo.Batch{Class: []int{0, 1}}
	fmt.Println(zoo.TaskErrors(tp, tp.Input([]float32{1.5, -1}, 2, 1), &label,
		&regression).Values())
	fmt.Printf("%.3f\n",
		zoo.TaskErrors(tp, tp.Input([]float32{0, 0, 0, 2}, 2, 2), &class, &classes).Values())
	// Output:
	// [0.25 1]
	// [0.693 0.127]
}
