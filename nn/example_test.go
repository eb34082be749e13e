package nn_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn"
)

func newParams() *nn.Params {
	dev, err := ag.Open("cpu")
	if err != nil {
		panic(err)
	}
	return nn.NewParams(dev, rand.New(rand.NewPCG(1, 2)))
}

// A perceptron with one hidden layer. Its parameters are listed as they are created.
func ExampleMLP() {
	p := newParams()
	m := nn.NewMLP(p, 3, 8, 1)
	for _, x := range p.All() {
		fmt.Println(x.Name, x.Shape())
	}
	tp := ag.NewInferenceTape(p.Device())
	y := m.Forward(tp, tp.Full(1, 5, 3))
	fmt.Println(y.Shape())
	// Output:
	// 0.weight [8 3]
	// 0.bias [8]
	// 2.weight [1 8]
	// 2.bias [1]
	// [5 1]
}

// Sub gives each layer its own names. The same view lists the parameters of one part, for
// example to freeze it or to give it a learning rate of its own.
func ExampleParams_Sub() {
	p := newParams()
	nn.NewLinear(p.Sub("encoder").Sub("in"), 4, 2)
	nn.NewLinear(p.Sub("head"), 2, 1)
	for _, x := range p.Sub("encoder").All() {
		fmt.Println(x.Name)
	}
	fmt.Println(p.Sub("encoder").Count(), "of", p.Count())
	// Output:
	// encoder.in.weight
	// encoder.in.bias
	// 10 of 13
}

// A buffer holds running statistics: it is saved with the model, but has no gradient and no
// optimizer moves it.
func ExampleParams_NewBuffer() {
	p := newParams()
	mean := p.NewBuffer("running_mean", nn.Zeros, 2)
	tp := ag.NewTape(p.Device())
	for range 3 {
		tp.Reset()
		x := tp.Input([]float32{1, 2, 3, 6}, 2, 2)
		batch := tp.Mean(x, 0)
		mean.Multiply(0.5) // mean ← mean/2 + batch/2
		mean.AddScaled(0.5, batch)
	}
	fmt.Println(mean.Values(), len(p.All()), len(p.State()))
	// Output: [1.75 3.5] 0 1
}

// The attention of a Transformer mixes positions; shapes stay [B T d].
func ExampleTransformer() {
	p := newParams()
	m := nn.NewTransformer(p,
		nn.TransformerConfig{Width: 8, Heads: 2, HeadWidth: 4, FeedForward: 16, Depth: 2})
	tp := ag.NewInferenceTape(p.Device())
	x := tp.Full(1, 3, 5, 8)
	fmt.Println(m.Forward(tp, x).Shape())
	fmt.Println(m.Head(tp, x, 1).Shape()) // the first position only, for less
	// Output:
	// [3 5 8]
	// [3 1 8]
}

// A convolution with three steps in a window. Without padding the sequence gets two steps shorter.
func ExampleConv1d() {
	p := newParams()
	same := nn.NewConv1d(p.Sub("same"), nn.Conv1dConfig{In: 5, Out: 2, Kernel: 3, Padding: 1})
	valid := nn.NewConv1d(p.Sub("valid"), nn.Conv1dConfig{In: 5, Out: 2, Kernel: 3, Bias: true})
	tp := ag.NewInferenceTape(p.Device())
	x := tp.Full(1, 4, 10, 5)
	fmt.Println(same.Forward(tp, x).Shape(), valid.Forward(tp, x).Shape(), valid.W.Shape())
	// Output: [4 10 2] [4 8 2] [2 5 3]
}

// In training a column is normalised with its own mean and variance, in inference with the running
// statistics.
func ExampleBatchNorm1d() {
	p := newParams()
	norm := nn.NewBatchNorm1d(p, 1)
	training := ag.NewTape(p.Device())
	y := norm.Forward(training, training.Input([]float32{3, 5}, 2, 1))
	fmt.Printf("%.3f %.2f %.2f\n", y.Values(), norm.Mean.Values(), norm.Var.Values())
	inference := ag.NewInferenceTape(p.Device())
	fmt.Printf("%.3f\n", norm.Forward(inference, inference.Input([]float32{4}, 1, 1)).Values())
	// Output:
	// [-1.000 1.000] [0.40] [1.10]
	// [3.432]
}

// The first step is padding and has no code.
func ExampleSinusoidalPositions() {
	p := newParams()
	l := nn.NewSinusoidalPositions(p, 10, 4)
	tp := ag.NewInferenceTape(p.Device())
	y := l.Forward(tp, tp.Input([]float32{0, 0, 0, 0, 9, 9, 9, 9}, 1, 2, 4)).Values()
	fmt.Printf("%.4f\n%.4f\n", y[:4], y[4:])
	// Output:
	// [0.0000 0.0000 0.0000 0.0000]
	// [0.9093 0.0002 -0.4161 1.0000]
}

// Two sequences of 4 and 2 steps. The outputs after the end of the second are 0, and its final
// state is that of its own last step.
func ExampleLSTM() {
	p := newParams()
	m := nn.NewLSTM(p, nn.LSTMConfig{In: 3, Hidden: 2, Layers: 1, Bidirectional: true})
	tp := ag.NewInferenceTape(p.Device())
	y, final := m.Forward(tp, tp.Full(1, 2, 4, 3), []int{4, 2})
	fmt.Println(y.Shape(), len(final), final[0].Shape())
	second := tp.Reshape(tp.Slice(y, 0, 1, 2), 4, 4)
	fmt.Println(tp.Slice(second, 0, 2, 4).Values())
	// Output:
	// [2 4 4] 2 [2 2]
	// [0 0 0 0 0 0 0 0]
}

// A sequence of 5 steps attends to another one of 9 steps, as vision attends to text.
func ExampleCrossmodalTransformer() {
	p := newParams()
	m := nn.NewCrossmodalTransformer(p, nn.CrossmodalConfig{Width: 8, Heads: 2, Layers: 3,
		Positions: nn.NewSinusoidalPositions(p, 9, 8), AttentionDropout: 0.1})
	tp := ag.NewTape(p.Device())
	vision, text := tp.Full(1, 2, 5, 8), tp.Full(1, 2, 9, 8)
	fmt.Println(m.Forward(tp, vision, text).Shape(), m.Forward(tp, vision, nil).Shape())
	// Output: [2 5 8] [2 5 8]
}

// The outputs of a GRU with two layers and both directions, as wide as both hidden states together.
func ExampleGRU() {
	p := newParams()
	m := nn.NewGRU(p, nn.GRUConfig{In: 3, Hidden: 2, Layers: 2, Bidirectional: true})
	tp := ag.NewInferenceTape(p.Device())
	y, final := m.Forward(tp, tp.Full(1, 2, 4, 3), []int{4, 2})
	fmt.Println(y.Shape(), len(final), final[0].Shape())
	fmt.Println(p.All()[0].Name, p.All()[0].Shape())
	// Output:
	// [2 4 4] 4 [2 2]
	// weight_ih_l0 [6 3]
}

// A residual layer on sequences of 5 steps, in both directions. The Mamba layer computes in 16
// channels.
func ExampleMamba() {
	p := newParams()
	norm := nn.NewRMSNorm(p.Sub("norm"), 8)
	m := nn.NewMamba(p.Sub("mamba"), nn.MambaConfig{Width: 8, Expand: 2, State: 4,
		Bidirectional: true})
	tp := ag.NewTape(p.Device())
	x := tp.Full(1, 2, 5, 8)
	fmt.Println(tp.Add(x, m.Forward(tp, norm.Forward(tp, x))).Shape(), p.Sub("mamba").Count())
	// Output: [2 5 8] 1056
}

// The two streams have weights of their own, but for two matrices, which both read.
func ExamplePairMamba() {
	p := newParams()
	c := nn.MambaConfig{Width: 8, Expand: 2, State: 4, Bidirectional: true}
	m := nn.NewPairMamba(p, c)
	tp := ag.NewTape(p.Device())
	audio, text := m.Forward(tp, tp.Full(1, 2, 5, 8), tp.Full(-1, 2, 5, 8))
	fmt.Println(audio.Shape(), text.Shape())
	for _, x := range p.All()[:3] {
		fmt.Println(x.Name, x.Shape())
	}
	// Output:
	// [2 5 8] [2 5 8]
	// A_log [16 4]
	// A_b_log [16 4]
	// streams.0.in_proj.weight [32 8]
}

// A model is saved as safetensors, with metadata, and loaded into one of the same configuration.
// The error of another lists what does not match.
func ExampleSave() {
	p := newParams()
	nn.NewLinear(p.Sub("head"), 2, 1)
	var file bytes.Buffer
	if err := nn.Save(&file, p.State(), map[string]string{"epoch": "7"}); err != nil {
		panic(err)
	}
	meta, _ := nn.Meta(file.Bytes())
	fmt.Println("epoch", meta["epoch"])

	other := newParams()
	nn.NewLinear(other.Sub("head"), 3, 1)
	err := nn.Load(file.Bytes(), other.State())
	fmt.Println(strings.Split(err.Error(), "\n\t")[1])
	// Output:
	// epoch 7
	// head.weight: expected F32 [1 3], found F32 [1 2]
}

// A model can change the hidden states between two layers of a BERT.
func ExampleBERT_Encode() {
	p := newParams()
	bert := nn.NewBERT(p.Sub("bert"), nn.BERTConfig{Vocab: 10, Width: 8, Layers: 3, Heads: 2,
		FeedForward: 16, Positions: 4, Types: 2, Eps: 1e-12})
	tp := ag.NewInferenceTape(p.Device())
	mask := tp.Full(1, 1, 4)
	x := bert.Embed(tp, []int{1, 2, 3, 4}, []int{0, 0, 0, 0}, mask)
	x = bert.Encode(tp, x, mask, 0, 1)
	x = tp.Add(x, tp.Full(0.5, 1, 4, 8)) // for example what audio and vision tell
	x = bert.Encode(tp, x, mask, 1, bert.Layers())
	fmt.Println(x.Shape())
	// Output: [1 4 8]
}

// A pretrained BERT in the layout of Hugging Face. The folder here holds a tiny one.
func ExampleOpenBERT() {
	pretrained, err := nn.OpenBERT("testdata/tiny_bert/safe")
	if err != nil {
		panic(err)
	}
	defer pretrained.Close()
	p := newParams()
	bert := nn.NewBERT(p.Sub("bert"), pretrained.Config)
	if err := pretrained.Load(p.Sub("bert")); err != nil {
		panic(err)
	}
	tp := ag.NewInferenceTape(p.Device())
	ids, segments := []int{1, 2, 3, 0}, []int{0, 0, 0, 0}
	// the last is padding
	y := bert.Forward(tp, ids, segments, tp.Input([]float32{1, 1, 1, 0}, 1, 4))
	fmt.Println(y.Shape(), pretrained.Config.Layers, "layers")
	// Output: [1 4 12] 2 layers
}
