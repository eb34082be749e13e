package recap

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/autograd/agtest"
	"github.com/seed-6655bf3b/recap/autograd/gradcheck"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
	"github.com/seed-6655bf3b/recap/nn/zoo/zootest"
)

// A plain generator computes y for one sample x [T d] in loops, from the weights by name.
type plain struct {
	w      map[string][]float64
	heads  int
	causal bool
}

func (g *plain) linear(x [][]float64, w, b []float64) [][]float64 {
	y := make([][]float64, len(x))
	for i, row := range x {
		y[i] = slices.Clone(b)
		for o := range b {
			for k, v := range row {
				y[i][o] += v * w[o*len(row)+k]
			}
		}
	}
	return y
}

func (g *plain) named(x [][]float64, name string) [][]float64 {
	return g.linear(x, g.w[name+".weight"], g.w[name+".bias"])
}

// normalize returns γ·(x − mean)/√(var + eps) + β.
func normalize(x [][]float64, gamma, beta func(int) float64, eps float64) [][]float64 {
	y := make([][]float64, len(x))
	for i, row := range x {
		mean, square := 0.0, 0.0
		for _, v := range row {
			mean += v / float64(len(row))
		}
		for _, v := range row {
			square += (v - mean) * (v - mean) / float64(len(row))
		}
		for k, v := range row {
			y[i] = append(y[i], gamma(k)*(v-mean)/math.Sqrt(square+eps)+beta(k))
		}
	}
	return y
}

func (g *plain) norm(x [][]float64, name string, eps float64) [][]float64 {
	at := func(v []float64) func(int) float64 { return func(k int) float64 { return v[k] } }
	return normalize(x, at(g.w[name+".weight"]), at(g.w[name+".bias"]), eps)
}

func sums(x, y [][]float64) [][]float64 {
	z := make([][]float64, len(x))
	for i := range x {
		for k := range x[i] {
			z[i] = append(z[i], x[i][k]+y[i][k])
		}
	}
	return z
}

func (g *plain) attention(x [][]float64, block string) [][]float64 {
	d := len(x[0])
	qkv := g.linear(x, g.w[block+"attn.in_proj_weight"], g.w[block+"attn.in_proj_bias"])
	var keys, values [][]float64
	for _, row := range qkv {
		keys, values = append(keys, row[d:2*d]), append(values, row[2*d:])
	}
	if k, ok := g.w[block+"attn.bias_k"]; ok {
		keys, values = append(keys, k), append(values, g.w[block+"attn.bias_v"])
	}
	y := make([][]float64, len(x))
	for i := range x {
		y[i] = make([]float64, d)
		for c := range d {
			from := c / (d / g.heads) * (d / g.heads) // first column of c's head
			total := 0.0
			for j := range keys {
				if g.causal && j > i {
					continue
				}
				dot := 0.0
				for k := from; k < from+d/g.heads; k++ {
					dot += qkv[i][k] * keys[j][k]
				}
				p := math.Exp(dot / math.Sqrt(float64(d/g.heads)))
				total += p
				y[i][c] += p * values[j][c]
			}
			y[i][c] /= total
		}
	}
	return g.named(y, block+"attn.out_proj")
}

func (g *plain) forward(x [][]float64, modality string, blocks int) [][]float64 {
	e := g.named(x, "project")
	d := len(e[0])
	positions := slices.Collect(slices.Chunk(g.w["positions"], d))[:len(x)]
	switch modality {
	case "l":
		one := func(int) float64 { return g.w["gain"][0] }
		e = sums(normalize(e, one, func(int) float64 { return 0 }, 1e-6), positions)
	case "a":
		e = sums(g.norm(e, "stem", 1e-5), positions)
	case "v":
		e = g.norm(sums(e, positions), "stem", 1e-6)
	}
	for i := range blocks {
		block := fmt.Sprintf("blocks.%d.", i)
		e = sums(e, g.attention(g.norm(e, block+"norm_1", 1e-6), block))
		h := g.named(g.norm(e, block+"norm_2", 1e-6), block+"mlp.fc1")
		for _, row := range h {
			for k, v := range row {
				row[k] = v * 0.5 * (1 + math.Erf(v/math.Sqrt2))
			}
		}
		e = sums(e, g.named(h, block+"mlp.fc2"))
	}
	return g.named(g.norm(e, "norm", 1e-6), "output")
}

// TestImageBindEqualsItsFormulas compares the three generators, with weights from a file, with
// loops.
func TestImageBindEqualsItsFormulas(t *testing.T) {
	path, _ := writeImageBind(t, nil)
	m, dev := loadTiny(t, "cpu64", tinyImageBind(t, path))
	r := rand.New(rand.NewPCG(8, 8))
	for i, g := range m.generators {
		name := zoo.Modality(i).String()
		for _, p := range m.all.Sub("generate").Sub(name).All() {
			if strings.HasPrefix(p.Name, "generate."+name+".norm.") {
				p.Assign(normals(r, p.Len()))
			}
		}
		for _, steps := range []int{4, 1} {
			x := normals(r, 2*steps*8)
			for k := range x {
				x[k] *= 0.01 // so that eps counts
			}
			want := plain{w: weightsOf(m, name), heads: 2, causal: name == "l"}
			got := g.Forward(ag.NewTape(dev), ag.NewTensor(dev, x, 2, steps, 8)).Values()
			for s, sample := range slices.Collect(slices.Chunk(x, steps*8)) {
				y := slices.Concat(want.forward(slices.Collect(slices.Chunk(sample, 8)),
					name, 2)...)
				if len(y) != len(sample) {
					t.Fatalf("%s: %d numbers by the formulas, want %d", name, len(y), len(sample))
				}
				for k := range y {
					if d := math.Abs(got[s*steps*8+k] - y[k]); !(d < 1e-12) {
						t.Fatalf("%s, %d positions: element %d of sample %d is off by %g",
							name, steps, k, s, d)
					}
				}
			}
		}
	}
}

// TestImageBindGradients checks every derivative of one block of each trunk, from random weights.
func TestImageBindGradients(t *testing.T) {
	c := tinyImageBind(t, "")
	c.Generator.Blocks = 1
	dev, r := open(t, "cpu64"), rand.New(rand.NewPCG(9, 9))
	for i := range zoo.Modalities {
		p := nn.NewParams(dev, r)
		g := newImageBind(p, &c, zoo.Modality(i))
		for _, x := range p.Tensors() {
			x.Assign(normals(r, x.Len()))
			x.Multiply(0.4)
		}
		x := ag.NewParam(dev, normals(r, 2*4*8), 2, 4, 8)
		agtest.CheckGrad(t, 1e-6, func(tp *ag.Tape, in []*ag.Tensor) *ag.Tensor {
			return g.Forward(tp, in[0])
		}, append([]*ag.Tensor{x}, p.Tensors()...)...)
	}
}

// TestImageBindInitialisation checks the standard deviation of new weights, and that a width that
// differs from ImageBind's has heads of width 16.
func TestImageBindInitialisation(t *testing.T) {
	c := Quick()
	c.Generator.Kind = "imagebind"
	p := nn.NewParams(open(t, "cpu"), rand.New(rand.NewPCG(1, 1)))
	g := newImageBind(p, &c, zoo.Audio)
	if len(g.blocks) != 4 || g.blocks[0].heads != 4 {
		t.Errorf("%d blocks of %d heads, want 4 and 4", len(g.blocks), g.blocks[0].heads)
	}
	for name, want := range map[string]float64{
		"project.weight": math.Sqrt(2. / 128), "blocks.0.attn.in_proj_weight": math.Sqrt(2. / 256),
		"blocks.3.mlp.fc2.weight": math.Sqrt(2. / 320),
		"blocks.0.attn.bias_k":    1. / 8, "blocks.0.attn.out_proj.bias": 0, "positions": 1. / 8,
		"output.weight": 0.02, "output.bias": 0,
	} {
		i := slices.IndexFunc(p.All(), func(p nn.Param) bool { return p.Name == name })
		square := 0.0
		for _, v := range p.All()[i].Values() {
			square += v * v / float64(p.All()[i].Len())
		}
		if got := math.Sqrt(square); math.Abs(got-want) > 0.25*want {
			t.Errorf("%s has the standard deviation %g, want %g", name, got, want)
		}
	}
}

// TestImageBindInTheModel trains and freezes generators from a file inside the model. It checks
// which parameters are updated, that each has a gradient, and the derivative of each phase's loss
// along a direction.
func TestImageBindInTheModel(t *testing.T) {
	path, _ := writeImageBind(t, nil)
	for _, freeze := range []bool{false, true} {
		c := tinyImageBind(t, path)
		c.Generator.Freeze = freeze
		m, dev := loadTiny(t, "cpu64", c)
		b := sample(dev, tinyDims, 16)
		for i, ph := range m.Phases() {
			tp := ag.NewTape(dev)
			grads := tp.Backward(zoo.Total(tp, termsOf(tp, ph, b)))
			for _, i := range gradcheck.ZeroGradient(grads, zootest.Tensors(ph.Params())) {
				t.Errorf("freeze %v, %s: %s has no gradient", freeze, ph.Name, ph.Params()[i].Name)
			}
			for _, p := range m.params("generate") {
				moves := i == 0 && !(freeze && fromFile(p.Name))
				if got := slices.Contains(ph.Params(), p); got != moves ||
					(grads[p.Tensor] != nil) != moves {
					t.Errorf("freeze %v, %s: is %s updated? %v, want %v", freeze, ph.Name,
						p.Name, got, moves)
				}
			}
			agtest.CheckDirection(t, 1e-5, zootest.Tensors(ph.Params()), ph.CheckableLosses(b)[0])
		}
	}
}

// fromFile reports whether a generator's parameter comes from the file, however many blocks it has.
func fromFile(name string) bool {
	return strings.Contains(name, ".blocks.") || strings.Contains(name, ".stem.") ||
		strings.HasSuffix(name, ".gain") || name == "generate.l.positions"
}

// TestImageBindVariants applies the ablations that concern generators.
func TestImageBindVariants(t *testing.T) {
	path, _ := writeImageBind(t, nil)
	for name, set := range map[string]func(c *Config){
		"no-hcag": func(c *Config) {
			c.Without.HCAG = true
		}, "no-stage1": func(c *Config) { c.Without.Stage1 = true },
	} {
		c := tinyImageBind(t, path)
		set(&c)
		m, dev := loadTiny(t, "cpu", c)
		b := sample(dev, tinyDims, 8)
		for _, ph := range m.Phases() {
			tp := ag.NewTape(dev)
			grads := tp.Backward(zoo.Total(tp, termsOf(tp, ph, b)))
			for _, i := range gradcheck.ZeroGradient(grads, zootest.Tensors(ph.Params())) {
				t.Errorf("%s, %s: %s has no gradient", name, ph.Name, ph.Params()[i].Name)
			}
		}
		if n := len(m.params("generate")); (n == 0) != c.Without.HCAG {
			t.Errorf("%s: %d parameters of generators", name, n)
		}
	}
}

func TestImageBindLearns(t *testing.T) {
	c := tinyImageBind(t, "")
	c.Text.Dropout = 0
	m, dev := newTiny(t, "cpu", c, tinyDims)
	first, last := train(m, m.Phases()[0], sample(dev, tinyDims, 8), 0.003, oneOf("rec_"),
		1./3)
	if !(last < first/3) {
		t.Errorf("rec_ fell from %.3f to %.3f in 100 steps on 8 samples; want under a third",
			first, last)
	}
}
