package lnln

import (
	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
	"github.com/seed-6655bf3b/recap/nn/zoo/almt"
)

// dominant returns D [B n d], the features of the text as far as they are complete and the proxy
// for the rest, and the estimated completeness w [B 1]:
//
//	D = (1−w)·P + w·U_l,  P = G(U_a, U_v)
//
// The gradient of P is reversed. So the generator, and through it the embeddings of audio and
// vision, are trained to increase every loss that depends on D: L_adv and L_sp. The paper describes
// a reversal before the discriminator only. The gradients of w and U_l are not reversed.
func (m *model) dominant(tp *ag.Tape, u [zoo.Modalities]*ag.Tensor) (dominant, w *ag.Tensor) {
	w = m.completeness.Forward(tp, u[zoo.Language])
	p := tp.ReverseGrad(m.proxy.Forward(tp, u[zoo.Audio], u[zoo.Vision]), 1)
	w3 := tp.Reshape(w, -1, 1, 1)
	return tp.Add(tp.Mul(tp.AddScalar(tp.Neg(w3), 1), p), tp.Mul(w3, u[zoo.Language])), w
}

// adversarial returns L_adv, the mean cross-entropy of the discriminator over 2·B·n tokens: those
// of D are of class 1, those of C_l of class 0.
func (m *model) adversarial(tp *ag.Tape, dominant, complete *ag.Tensor) *ag.Tensor {
	logits := m.discriminator.Forward(tp, tp.Concat(0, dominant, complete))
	class := make([]int, logits.Len()/2)
	for i := range len(class) / 2 {
		class[i] = 1
	}
	return tp.CrossEntropy(tp.Reshape(logits, -1, 2), class)
}

// A twoLayer is Linear d → d/2, LeakyReLU of slope 0.1, Linear.
type twoLayer struct{ hidden, out *nn.Linear }

func newTwoLayer(p *nn.Params, width, out int) *twoLayer {
	return &twoLayer{nn.NewLinear(p.Sub("hidden"), width, width/2),
		nn.NewLinear(p.Sub("out"), width/2, out)}
}

// Forward maps x [… d] to [… out].
func (l *twoLayer) Forward(tp *ag.Tape, x *ag.Tensor) *ag.Tensor {
	return l.out.Forward(tp, tp.LeakyReLU(l.hidden.Forward(tp, x), 0.1))
}

// A completeness estimates w, how complete the text is.
type completeness struct {
	encode *almt.Encoder // with one token
	score  *twoLayer
}

func newCompleteness(p *nn.Params, c *Config) *completeness {
	return &completeness{almt.NewEncoder(p.Sub("encode"), c.transformer(c.Depth), 1, c.Tokens),
		newTwoLayer(p.Sub("score"), c.Width, 1)}
}

// Forward returns w [B 1] in (0, 1) for U_l [B n d].
func (e *completeness) Forward(tp *ag.Tape, text *ag.Tensor) *ag.Tensor {
	return tp.Reshape(tp.Sigmoid(e.score.Forward(tp, e.encode.Forward(tp, text))), -1, 1)
}

// A proxy is G, which generates a replacement for the features of the text.
type proxy struct {
	start    *ag.Tensor // p, [n d], initially ones
	generate *almt.Encoder
}

func newProxy(p *nn.Params, c *Config) *proxy {
	return &proxy{p.New("start", nn.Ones, c.Tokens, c.Width),
		almt.NewEncoder(p.Sub("generate"), c.transformer(c.Depth), c.Tokens, 3*c.Tokens)}
}

// Forward returns P [B n d] for U_a and U_v: the encoder's output at its learned tokens, which
// precede [p U_a U_v]. The output at p is not used.
func (g *proxy) Forward(tp *ag.Tape, audio, vision *ag.Tensor) *ag.Tensor {
	return g.generate.Forward(tp, almt.Prepend(tp, g.start, tp.Concat(1, audio, vision)))
}
