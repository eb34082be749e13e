package recap

import (
	"bytes"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// A part is what a state dict of ImageBind has for one kind of input.
type part struct {
	name                  string
	width, blocks, tokens int
	stem                  string
	kernel                []int
}

var hugeParts = []part{
	{"vision", 1280, 32, 257, "rgbt_stem.proj.1", []int{3, 2, 14, 14}},
	{"text", 1024, 24, 77, "", nil},
	{"audio", 768, 12, 229, "rgbt_stem.proj", []int{1, 16, 16}},
	{"depth", 384, 12, 197, "depth_stem.proj", []int{1, 16, 16}},
	{"thermal", 768, 12, 197, "rgbt_stem.proj", []int{1, 16, 16}},
	{"imu", 512, 6, 251, "imu_stem.proj", []int{48}},
}

var smallParts = []part{
	{"vision", 32, 3, 5, "rgbt_stem.proj.1", []int{3, 2, 2, 2}},
	{"text", 32, 3, 6, "", nil},
	{"audio", 32, 2, 7, "rgbt_stem.proj", []int{1, 2, 2}},
	{"thermal", 32, 1, 7, "rgbt_stem.proj", []int{1, 2, 2}},
	{"imu", 16, 1, 7, "imu_stem.proj", []int{6}},
}

// stateDict returns the keys and shapes of a state dict of ImageBind.
func stateDict(parts []part, vocab, embedding int) map[string][]int {
	s := map[string][]int{}
	for _, p := range parts {
		pre, d := "modality_preprocessors."+p.name+".", p.width
		norm := func(name string) { s[name+".weight"], s[name+".bias"] = []int{d}, []int{d} }
		linear := func(name string, out, in int) {
			s[name+".weight"], s[name+".bias"] = []int{out, in}, []int{out}
		}
		head := "modality_heads." + p.name
		if p.name == "text" {
			s[pre+"pos_embed"], s[pre+"mask"] = []int{1, p.tokens, d}, []int{p.tokens, p.tokens}
			s[pre+"token_embedding.weight"] = []int{vocab, d}
			norm(head + ".proj.0")
			s[head+".proj.1.weight"] = []int{embedding, d}
		} else {
			s[pre+"cls_token"] = []int{1, 1, d}
			s[pre+p.stem+".weight"] = append([]int{d}, p.kernel...)
			norm(head + ".0")
			s[head+map[bool]string{true: ".3.weight",
				false: ".2.weight"}[p.name == "imu"]] = []int{embedding, d}
			s[pre+map[bool]string{true: "pos_embed",
				false: "pos_embedding_helper.pos_embed"}[p.name == "imu"]] = []int{1, p.tokens, d}
		}
		if p.name == "vision" {
			norm("modality_trunks.vision.pre_transformer_layer.0")
		} else {
			s["modality_postprocessors."+p.name+".1.log_logit_scale"] = []int{}
		}
		for i := range p.blocks {
			b := fmt.Sprintf("modality_trunks.%s.blocks.%d.", p.name, i)
			s[b+"attn.in_proj_weight"], s[b+"attn.in_proj_bias"] = []int{3 * d, d}, []int{3 * d}
			if p.name != "vision" && p.name != "text" {
				norm(pre + strings.TrimSuffix(p.stem, ".proj") + ".norm_layer")
				s[b+"attn.bias_k"], s[b+"attn.bias_v"] = []int{1, 1, d}, []int{1, 1, d}
			}
			linear(b+"attn.out_proj", d, d)
			linear(b+"mlp.fc1", 4*d, d)
			linear(b+"mlp.fc2", d, 4*d)
			norm(b + "norm_1")
			norm(b + "norm_2")
		}
	}
	return s
}

// TestImageBindHuge compares the sources at the real sizes with the real state dict, whose keys
// and numbers the pattern above reproduces.
func TestImageBindHuge(t *testing.T) {
	size := func(shape []int) int {
		n := 1
		for _, d := range shape {
			n *= d
		}
		return n
	}
	huge, all := stateDict(hugeParts, 49408, 1024), 0
	for _, shape := range huge {
		all += size(shape)
	}
	if len(huge) != 1311 || all != 1_200_786_990 {
		t.Errorf("%d tensors with %d numbers, imagebind_huge has 1311 with 1200786990", len(huge),
			all)
	}
	for i, want := range []int{50_384_896, 28_357_632, 78_709_760} {
		n, tr := 0, &trunks[i]
		for _, s := range tr.sources(tr.width, 4, 8, true) {
			if !s.fits(huge[s.key]) {
				t.Errorf("%s: %s, the file has %v", s.key, s.want(), huge[s.key])
			}
			if strings.Contains(s.key, ".blocks.") {
				n += size(s.shape)
			}
		}
		if n != want {
			t.Errorf("%s: 4 blocks hold %d numbers, want %d", tr.name, n, want)
		}
		if h := tr.headsAt(tr.width); h != []int{16, 12, 16}[i] || tr.headsAt(32) != 2 {
			t.Errorf("%s: %d heads, and %d of width 32", tr.name, h, tr.headsAt(32))
		}
	}
}

// taken matches the keys that generators of two blocks take from a file with the small parts.
var taken = regexp.MustCompile(
	`^modality_(trunks\.(text|audio|vision)\.(blocks\.[01]|pre_.*)\.|` +
		`preprocessors\.(text\.(pos|token)|audio\.rgbt_stem\.norm)|heads\.audio\.0)`,
)

// writeImageBind writes a state dict with the small parts. Numbers that no generator of two blocks
// takes are NaN.
func writeImageBind(
	t *testing.T, edit func(shapes map[string][]int),
) (path string, values map[string][]float64) {
	t.Helper()
	shapes := stateDict(smallParts, 2100, 24)
	if edit != nil {
		edit(shapes)
	}
	p, values := nn.NewParams(open(t, "cpu"), rand.New(rand.NewPCG(7, 7))), map[string][]float64{}
	for _, name := range slices.Sorted(maps.Keys(shapes)) {
		sd := 0.2
		if !taken.MatchString(name) {
			sd = math.NaN()
		}
		values[name] = p.New(name, nn.Normal(sd), shapes[name]...).Values()
	}
	var b bytes.Buffer
	path = filepath.Join(t.TempDir(), "imagebind.safetensors")
	if err := nn.Save(&b, p.All(), nil); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path, values
}

// tinyImageBind is tiny with two blocks of ImageBind, from a file unless path is empty.
func tinyImageBind(t *testing.T, path string) Config {
	t.Helper()
	c := tiny()
	c.Generator = GeneratorConfig{Kind: "imagebind", File: path, Blocks: 2, Width: 16}
	if err := c.Resolve(); err != nil {
		t.Fatal(err)
	}
	return c
}

func loadTiny(t *testing.T, device string, c Config) (*Model, ag.Device) {
	t.Helper()
	m, dev := newTiny(t, device, c, tinyDims)
	if err := m.LoadGenerator(c.Generator.File); err != nil {
		t.Fatal(err)
	}
	return m, dev
}

// weightsOf returns the values of a modality's generator, by name.
func weightsOf(m *Model, modality string) map[string][]float64 {
	w := map[string][]float64{}
	for _, p := range m.params("generate") {
		if name, ok := strings.CutPrefix(p.Name, "generate."+modality+"."); ok {
			w[name] = p.Values()
		}
	}
	return w
}

func TestImageBindValuesArrive(t *testing.T) {
	path, file := writeImageBind(t, nil)
	m, _ := loadTiny(t, "cpu", tinyImageBind(t, path))
	fresh, _ := newTiny(t, "cpu", m.config, tinyDims)
	rms := 0.0
	for _, v := range file["modality_preprocessors.text.token_embedding.weight"] {
		rms += v * v
	}
	for i, key := range []struct{ trunk, stem, head string }{
		{"modality_trunks.text.", "", ""},
		{"modality_trunks.audio.", "modality_preprocessors.audio.rgbt_stem.norm_layer",
			"modality_heads.audio.0"},
		{"modality_trunks.vision.", "modality_trunks.vision.pre_transformer_layer.0", ""},
	} {
		name := zoo.Modality(i).String()
		start := weightsOf(fresh, name)
		for local, got := range weightsOf(m, name) {
			want := start[local]
			group, rest, _ := strings.Cut(local, ".")
			switch {
			case group == "blocks":
				if i := slices.IndexFunc(want, func(v float64) bool { return v != 0 }); i >= 0 {
					t.Errorf("%s.%s begins with %g before it is loaded, want 0: nothing is drawn",
						name, local, want[i])
				}
				want = file[key.trunk+local]
			case group == "stem":
				want = file[key.stem+"."+rest]
			case group == "norm" && key.head != "": // the file's audio trunk has two blocks
				want = file[key.head+"."+rest]
			case local == "positions" && name == "l":
				want = file["modality_preprocessors.text.pos_embed"][:4*32]
			case local == "gain":
				want = []float64{float64(float32(math.Sqrt(rms / (2100 * 32))))}
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s.%s: the values are not those expected", name, local)
			}
		}
	}
}

// TestImageBindFileIsChecked breaks a file in one way at a time. The error names all that is
// wrong, and nothing is loaded.
func TestImageBindFileIsChecked(t *testing.T) {
	path, _ := writeImageBind(t, nil)
	m, _ := newTiny(t, "cpu", tinyImageBind(t, path), tinyDims)
	before := weightsOf(m, "l")
	for name, f := range map[string]struct {
		edit func(s map[string][]int)
		want []string
	}{
		"missing": {func(s map[string][]int) {
			delete(s, "modality_trunks.audio.blocks.1.attn.bias_k")
			delete(s, "modality_preprocessors.text.pos_embed")
			delete(s, "modality_heads.audio.0.bias")
			delete(s, "modality_trunks.vision.blocks.0.attn.in_proj_weight")
			s["40.weight"] = []int{1} // of no trunk
		}, []string{"missing modality_heads.audio.0.bias [32]\n",
			"missing modality_preprocessors.text.pos_embed [1 4 32] or more rows\n",
			"missing modality_trunks.audio.blocks.1.attn.bias_k [1 1 32]\n",
			"missing modality_trunks.vision.blocks.0.attn.in_proj_weight [96 32]\n"}},
		"shape": {func(s map[string][]int) {
			s["modality_trunks.vision.blocks.0.mlp.fc1.weight"] = []int{64, 32}
			s["modality_preprocessors.text.token_embedding.weight"] = []int{50, 16}
		}, []string{"modality_trunks.vision.blocks.0.mlp.fc1.weight: expected [128 32], found [64 32]\n",
			"modality_preprocessors.text.token_embedding.weight: expected [1 32] or more rows, found [50 16]\n"}},
		"positions": {func(s map[string][]int) {
			s["modality_preprocessors.text.pos_embed"] = []int{1, 3, 32}
		},
			[]string{"modality_preprocessors.text.pos_embed: expected [1 4 32] or more rows, found [1 3 32]\n"}},
		"width": {func(s map[string][]int) {
			s["modality_trunks.text.blocks.0.norm_1.weight"] = []int{24}
		},
			[]string{"modality_trunks.text.blocks: expected a width that is a multiple of 16, found 24\n"}},
		"another model": {func(s map[string][]int) {
			clear(s)
			s["encoder.weight"] = []int{2, 2}
		}, []string{"modality_trunks.text.blocks: expected at least 2, generator.blocks, found 0\n",
			"missing modality_trunks.vision.pre_transformer_layer.0.weight [1280]\n",
			"the file's 1 tensors"}},
	} {
		bad, _ := writeImageBind(t, f.edit)
		if name == "missing" {
			n := len(stateDict(smallParts, 2100, 24)) - 4 + 1
			f.want = []string{fmt.Sprintf(": the file's %d tensors are not those of ImageBind, or "+
				"not all of them; give imagebind_huge.pth, and at most as many generator.blocks "+
				"as it has:\n\t", n) + strings.Join(f.want, "\t")}
		}
		c := tinyImageBind(t, path)
		c.Generator.File = bad
		m.config.Generator.File = bad
		log := slog.New(slog.DiscardHandler)
		for _, err := range []error{m.LoadGenerator(bad), m.LoadPretrained(log), c.Resolve()} {
			for _, want := range append(f.want, "generator.file: "+bad) {
				if err == nil || !strings.Contains(err.Error()+"\n", want) {
					t.Errorf("%s: the error lacks %q:\n%v", name, want, err)
				}
			}
		}
	}
	for local, v := range weightsOf(m, "l") {
		if !slices.Equal(v, before[local]) {
			t.Errorf("%s was loaded from a file with an error", local)
		}
	}
}

func TestImageBindFileMustBeThere(t *testing.T) {
	path, _ := writeImageBind(t, nil)
	c := tinyImageBind(t, path)
	c.Generator.Blocks = 3
	if err := c.Resolve(); err == nil ||
		!strings.Contains(err.Error(),
			"modality_trunks.audio.blocks: expected at least 3, generator.blocks, found 2") {
		t.Errorf("3 blocks of 2: %v", err)
	}
	for _, file := range []string{filepath.Join(t.TempDir(), "absent.pth"), t.TempDir()} {
		c.Generator.File = file
		if err := c.Resolve(); err == nil || !strings.Contains(err.Error(), file) ||
			!strings.Contains(err.Error(), "leave generator.file empty") {
			t.Errorf("%s: %v", file, err)
		}
	}
	m, _ := newTiny(t, "cpu", tinyImageBind(t, path), tinyDims)
	other, _ := writeImageBind(t, func(s map[string][]int) {
		maps.Copy(s,
			stateDict([]part{{"vision", 64, 3, 5, "rgbt_stem.proj.1", []int{3, 2, 2, 2}}}, 0, 24))
	})
	if err := m.LoadGenerator(other); err == nil ||
		!strings.Contains(err.Error(), "widths [32 32 32], generator.widths, found [32 32 64]") {
		t.Errorf("a file of other widths: %v", err)
	}
}

// TestImageBindNeedsNoFileAfterTraining opens a saved model whose state dict is gone.
func TestImageBindNeedsNoFileAfterTraining(t *testing.T) {
	path, _ := writeImageBind(t, nil)
	m, dev := loadTiny(t, "cpu", tinyImageBind(t, path))
	var b bytes.Buffer
	if err := nn.Save(&b, m.PredictParams(), nil); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	again, _ := newTiny(t, "cpu", m.config, tinyDims)
	if err := nn.Load(b.Bytes(), again.PredictParams()); err != nil {
		t.Fatal(err)
	}
	in := sample(dev, tinyDims, 3).Corrupted
	score := func(m *Model) []float64 {
		return m.Predict(ag.NewInferenceTape(dev), in).Score.Values()
	}
	if got, want := score(again), score(m); !slices.Equal(got, want) {
		t.Errorf("the opened model predicts %v, the saved one %v", got, want)
	}
}

func TestGeneratorConfigIsChecked(t *testing.T) {
	for want, set := range map[string]func(g *GeneratorConfig){
		"generator.kind is gan, want one of transformer, imagebind": func(g *GeneratorConfig) {
			g.Kind = "gan"
		},
		"generator.blocks is 0, want a number from 1 to 32": func(g *GeneratorConfig) {
			g.Blocks = 0
		},
		"generator.width is 0, want 1 or more": func(g *GeneratorConfig) {
			g.Width = 0
		},
		"generator.width is 24, want a multiple of 16": func(g *GeneratorConfig) {
			g.Width = 24
		},
		"generator.file is x.pth": func(g *GeneratorConfig) {
			g.Kind, g.File = "transformer", "x.pth"
		},
		"generator.freeze is true without generator.file": func(g *GeneratorConfig) {
			g.Freeze = true
		},
		"generator.widths is [32 32 32] without generator.file": func(g *GeneratorConfig) {
			g.Widths = []int{32, 32, 32}
		},
		"generator.widths is [32] without generator.file": func(g *GeneratorConfig) {
			g.Widths = []int{32}
		},
		"generator.widths is [8 32 32], want 3 multiples of 16": func(g *GeneratorConfig) {
			g.File, g.Widths = "x.pth", []int{8, 32, 32}
		},
		"generator.widths is [32 8 32], want 3 multiples of 16": func(g *GeneratorConfig) {
			g.File, g.Widths = "x.pth", []int{32, 8, 32}
		},
		"generator.widths is [32], want 3 multiples of 16": func(g *GeneratorConfig) {
			g.File, g.Widths = "x.pth", []int{32}
		},
		"generator.widths is [32 32], want 3 multiples of 16": func(g *GeneratorConfig) {
			g.File, g.Widths = "x.pth", []int{32, 32}
		},
		"generator.widths is [32 32 8], want 3 multiples of 16": func(g *GeneratorConfig) {
			g.File, g.Widths = "x.pth", []int{32, 32, 8}
		},
	} {
		c := tinyImageBind(t, "")
		set(&c.Generator)
		if err := c.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// TestGeneratorFileIsRead loads nothing without a file, and logs what it loads.
func TestGeneratorFileIsRead(t *testing.T) {
	path, _ := writeImageBind(t, nil)
	for file, want := range map[string]string{"": "", path: "level=INFO msg=\"pretrained " +
		"generators\" file=" + path + " widths=\"[32 32 32]\" blocks=2\n"} {
		m, _ := newTiny(t, "cpu", tinyImageBind(t, file), tinyDims)
		var text bytes.Buffer
		log := slog.New(slog.NewTextHandler(&text, nil))
		if err := m.LoadPretrained(log); err != nil || !strings.HasSuffix(text.String(), want) ||
			(text.Len() == 0) != (file == "") {
			t.Errorf("file %q: error %v, log %q, want %q", file, err, text.String(), want)
		}
		for key, derived := range map[string]bool{"generator.widths": file != "",
			"generator.width": false} {
			if got := m.config.Derived(key); got != derived {
				t.Errorf("file %q: %s is derived: %v, want %v", file, key, got, derived)
			}
		}
		m.Phases() // a second call returns the same
		for i, ph := range m.Phases() {
			var got, want []string
			for _, g := range ph.Passes[0].Groups {
				if g.Name == "generator" {
					for _, p := range g.Params {
						got = append(got, p.Name)
					}
				}
			}
			for _, p := range m.params("generate") {
				if file != "" && i == 0 && (fromFile(p.Name) ||
					strings.HasPrefix(p.Name, "generate.a.norm.")) {
					want = append(want, p.Name)
				}
			}
			slices.Sort(got)
			if slices.Sort(want); !slices.Equal(got, want) {
				t.Errorf("file %q: %s has %v in the group of generators, want %v", file, ph.Name,
					got, want)
			}
		}
	}
}

// TestClosedImageBind reads from a file that is closed, as from a disk that fails.
func TestClosedImageBind(t *testing.T) {
	path, _ := writeImageBind(t, nil)
	f, err := openImageBind(path, 2, 4)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	for _, s := range trunks[zoo.Language].sources(32, 2, 4, false) {
		x := ag.NewTensor(open(t, "cpu"), []float64{7}, 1)
		if err := f.load(x, &s); err == nil || x.Item() != 7 {
			t.Errorf("%s is read from a closed file: error %v, values %v", s.key, err, x.Values())
		}
	}
}

// TestImageBindFilesAreClosed looks for files that are mapped into memory still, one that fits and
// one that does not.
func TestImageBindFilesAreClosed(t *testing.T) {
	path, _ := writeImageBind(t, nil)
	bad, _ := writeImageBind(t, func(s map[string][]int) { clear(s); s["x"] = []int{1} })
	c := tinyImageBind(t, path)
	m, _ := newTiny(t, "cpu", c, tinyDims)
	if err := m.LoadGenerator(path); err != nil {
		t.Fatal(err)
	}
	if m.LoadGenerator(bad) == nil {
		t.Fatal("a file without generators is read")
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Skip("mapped files cannot be listed here")
	}
	for _, file := range []string{path, bad} {
		if bytes.Contains(maps, []byte(file)) {
			t.Errorf("%s is open", file)
		}
	}
}

// TestUnresolvedImageBind creates a model before Resolve has read the file's widths.
func TestUnresolvedImageBind(t *testing.T) {
	c := tiny()
	c.Generator = GeneratorConfig{Kind: "imagebind", File: "x.pth", Blocks: 2, Width: 16}
	defer func() {
		if err := fmt.Sprint(recover()); !strings.Contains(err, "call Config.Resolve first") {
			t.Errorf("without widths New panics with %s", err)
		}
	}()
	newTiny(t, "cpu", c, tinyDims)
}
