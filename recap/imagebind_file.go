package recap

import (
	"fmt"
	"log/slog"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/internal/weights"
	"github.com/seed-6655bf3b/recap/nn"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// An imageBindFile is a state dict of ImageBind, imagebind_huge.pth, as PyTorch or safetensors.
type imageBindFile struct {
	*weights.File
	widths []int // D of the generators' trunks
	depths []int // blocks of them
}

// openImageBind opens a file and checks that it has what generators of so many blocks and
// positions take from it. The error lists what is missing.
func openImageBind(path string, blocks, positions int) (*imageBindFile, error) {
	file, err := weights.Open(path)
	if err != nil {
		return nil, fmt.Errorf("recap: generator.file: expected ImageBind's weights, imagebind_huge.pth: %w; download them, or leave generator.file empty for a fresh start", err)
	}
	f := &imageBindFile{File: file}
	var wrong []string
	for i := range trunks {
		wrong = append(wrong, f.match(&trunks[i], blocks, positions)...)
	}
	if wrong != nil {
		file.Close()
		slices.Sort(wrong)
		return nil, fmt.Errorf("recap: generator.file: %s: the file's %d tensors are not ImageBind's, or too few of them; give imagebind_huge.pth, and ask for no more generator.blocks than it has:\n\t%s",
			path, len(file.Names()), strings.Join(wrong, "\n\t"))
	}
	return f, nil
}

// match finds out the sizes of a trunk and returns what does not fit.
func (f *imageBindFile) match(t *trunk, blocks, positions int) (wrong []string) {
	width, depth := t.width, f.depth(t)
	if first := f.Tensor(t.key("blocks.0.norm_1.weight")); first != nil && len(first.Shape) == 1 {
		width = first.Shape[0]
	}
	f.widths, f.depths = append(f.widths, width), append(f.depths, depth)
	if width < 1 || width%headWidth != 0 {
		wrong = append(wrong, fmt.Sprintf("%s: expected a width that is a multiple of %d, found %d", t.key("blocks"), headWidth, width))
	}
	if depth < blocks {
		wrong = append(wrong, fmt.Sprintf("%s: expected at least %d, generator.blocks, found %d", t.key("blocks"), blocks, depth))
	}
	for _, s := range t.sources(width, blocks, positions, blocks == depth) {
		if found := f.Tensor(s.key); found == nil {
			wrong = append(wrong, fmt.Sprintf("missing %s %s", s.key, s.want()))
		} else if !s.fits(found.Shape) {
			wrong = append(wrong, fmt.Sprintf("%s: expected %s, found %v", s.key, s.want(), found.Shape))
		}
	}
	return wrong
}

// key returns the file's key of a part of the trunk.
func (t *trunk) key(name string) string { return "modality_trunks." + t.name + "." + name }

// depth returns the number of a trunk's blocks.
func (f *imageBindFile) depth(t *trunk) int {
	n := 0
	for _, name := range f.Names() {
		if rest, ok := strings.CutPrefix(name, t.key("blocks.")); ok {
			number, _, _ := strings.Cut(rest, ".")
			if i, err := strconv.Atoi(number); err == nil {
				n = max(n, i+1)
			}
		}
	}
	return n
}

// A source is a tensor of the file that a parameter of a generator takes its values from.
type source struct {
	name  string // of the parameter, in the generator
	key   string
	shape []int
	first bool // there may be more rows than the parameter takes
}

// want names the shapes that fit.
func (s *source) want() string {
	if s.first {
		return fmt.Sprintf("%v or more rows", s.shape)
	}
	return fmt.Sprint(s.shape)
}

// fits reports whether a tensor of this shape can be the source.
func (s *source) fits(shape []int) bool {
	if n := len(s.shape) - 2; s.first && len(shape) == len(s.shape) && shape[n] > s.shape[n] {
		shape = slices.Clone(shape)
		shape[n] = s.shape[n]
	}
	return slices.Equal(shape, s.shape)
}

// sources lists what a generator takes from a trunk of the given width: so many of its first
// blocks and positions and, with the whole of its depth, the norm that follows. The positions of
// audio and vision belong to patches of an image and are not used.
func (t *trunk) sources(width, blocks, positions int, whole bool) []source {
	var all []source
	add := func(name, key string, shape ...int) { all = append(all, source{name: name, key: key, shape: shape}) }
	norm := func(name, key string) {
		add(name+".weight", key+".weight", width)
		add(name+".bias", key+".bias", width)
	}
	for i := range blocks {
		block := fmt.Sprintf("blocks.%d.", i)
		part := func(name string, shape ...int) { add(block+name, t.key(block+name), shape...) }
		part("attn.in_proj_weight", 3*width, width)
		part("attn.in_proj_bias", 3*width)
		if t.bias {
			part("attn.bias_k", 1, 1, width)
			part("attn.bias_v", 1, 1, width)
		}
		part("attn.out_proj.weight", width, width)
		part("attn.out_proj.bias", width)
		norm(block+"norm_1", t.key(block+"norm_1"))
		norm(block+"norm_2", t.key(block+"norm_2"))
		part("mlp.fc1.weight", 4*width, width)
		part("mlp.fc1.bias", 4*width)
		part("mlp.fc2.weight", width, 4*width)
		part("mlp.fc2.bias", width)
	}
	if t.stem != "" {
		norm("stem", t.stem)
	} else {
		all = append(all, source{"positions", "modality_preprocessors.text.pos_embed", []int{1, positions, width}, true},
			source{"gain", "modality_preprocessors.text.token_embedding.weight", []int{1, width}, true})
	}
	if whole {
		norm("norm", t.head)
	}
	return all
}

// Resolve makes generator.file an absolute path and sets generator.widths to the widths of its
// trunks, so that New and a program that opens a trained model need no file. The error lists what
// the file lacks. Without a file there is nothing to resolve.
func (c *Config) Resolve() error {
	g := &c.Generator
	g.Widths = nil
	if g.File == "" {
		return nil
	}
	path, err := filepath.Abs(g.File)
	if err != nil {
		return fmt.Errorf("recap: generator.file: %w", err)
	}
	f, err := openImageBind(path, g.Blocks, c.Tokens)
	if err != nil {
		return err
	}
	g.File, g.Widths = path, f.widths
	return f.Close()
}

// Derived reports whether Resolve sets the setting with this key: generator.widths, if there is a
// generator.file.
func (c *Config) Derived(key string) bool {
	return key == "generator.widths" && c.Generator.File != ""
}

// LoadPretrained loads the generators from generator.file, if it is set, and writes so to the log.
func (m *Model) LoadPretrained(log *slog.Logger) error {
	g := &m.config.Generator
	if g.File == "" {
		return nil
	}
	log.Info("pretrained generators", "file", g.File, "widths", g.Widths, "blocks", g.Blocks)
	return m.LoadGenerator(g.File)
}

// LoadGenerator gives the generators the values of a state dict of ImageBind, of which it reads no
// more than they take. The model's configuration has passed Resolve. A file that does not
// fit is an error that changes nothing.
func (m *Model) LoadGenerator(path string) error {
	g := &m.config.Generator
	f, err := openImageBind(path, g.Blocks, m.config.Tokens)
	if err != nil {
		return err
	}
	defer f.Close()
	if !slices.Equal(f.widths, g.Widths) {
		return fmt.Errorf("recap: generator.file: %s: expected trunks of the widths %v, generator.widths, found %v; give the file that the run began with", path, g.Widths, f.widths)
	}
	for i := range m.generators {
		t, name := &trunks[i], "generate."+zoo.Modality(i).String()+"."
		params := map[string]nn.Param{}
		for _, p := range m.params("generate") {
			if _, local, ok := strings.Cut(p.Name, name); ok {
				params[local] = p
			}
		}
		for _, s := range t.sources(f.widths[i], g.Blocks, m.config.Tokens, g.Blocks == f.depths[i]) {
			p := params[s.name]
			if err := f.load(p.Tensor, &s); err != nil {
				return fmt.Errorf("recap: generator.file: %s: %s: %w", path, s.key, err)
			}
			m.loaded = append(m.loaded, p)
		}
	}
	return nil
}

// load gives x the first values of its source or, as the gain, the root mean square of all.
func (f *imageBindFile) load(x *ag.Tensor, s *source) error {
	t := f.Tensor(s.key)
	if s.name == "gain" {
		rms, err := rootMeanSquare(t)
		if err == nil {
			x.Assign([]float64{rms})
		}
		return err
	}
	values := make([]float32, x.Len())
	if err := t.Read(values, 0); err != nil {
		return err
	}
	wide := make([]float64, len(values))
	for i, v := range values {
		wide[i] = float64(v)
	}
	x.Assign(wide)
	return nil
}

// rootMeanSquare reads a tensor part by part.
func rootMeanSquare(t *weights.Tensor) (float64, error) {
	part, sum := make([]float32, min(t.Len(), 1<<16)), 0.0
	for at := 0; at < t.Len(); at += len(part) {
		part = part[:min(len(part), t.Len()-at)]
		if err := t.Read(part, at); err != nil {
			return 0, err
		}
		for _, v := range part {
			sum += float64(v) * float64(v)
		}
	}
	return math.Sqrt(sum / float64(t.Len())), nil
}
