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

// An imageBindFile is a state dict of ImageBind, such as imagebind_huge.pth, in the format of
// PyTorch or as safetensors.
type imageBindFile struct {
	*weights.File
	widths []int // D of the generators' trunks
	depths []int // number of blocks of each trunk
}

// openImageBind opens a file and checks that it has all tensors that generators of the given
// numbers of blocks and positions need. The error lists the tensors that are missing or of a
// wrong shape.
func openImageBind(path string, blocks, positions int) (*imageBindFile, error) {
	file, err := weights.Open(path)
	if err != nil {
		return nil, fmt.Errorf(
			"recap: generator.file: expected ImageBind's weights, imagebind_huge.pth: %w; "+
				"download them, or leave generator.file empty to train from scratch", err,
		)
	}
	f := &imageBindFile{File: file}
	var invalid []string
	for i := range trunks {
		invalid = append(invalid, f.match(&trunks[i], blocks, positions)...)
	}
	if invalid != nil {
		file.Close()
		slices.Sort(invalid)
		return nil, fmt.Errorf("recap: generator.file: %s: the file's %d tensors are not those "+
			"of ImageBind, or not all of them; give imagebind_huge.pth, and at most as many "+
			"generator.blocks as it has:\n\t%s",
			path, len(file.Names()), strings.Join(invalid, "\n\t"))
	}
	return f, nil
}

// match determines width and depth of a trunk and returns a line for each tensor that does not
// fit.
func (f *imageBindFile) match(t *trunk, blocks, positions int) (invalid []string) {
	width, depth := t.width, f.depth(t)
	if first := f.Tensor(t.key("blocks.0.norm_1.weight")); first != nil && len(first.Shape) == 1 {
		width = first.Shape[0]
	}
	f.widths, f.depths = append(f.widths, width), append(f.depths, depth)
	if width < 1 || width%headWidth != 0 {
		invalid = append(invalid,
			fmt.Sprintf("%s: expected a width that is a multiple of %d, found %d", t.key("blocks"),
				headWidth, width))
	}
	if depth < blocks {
		invalid = append(invalid,
			fmt.Sprintf("%s: expected at least %d, generator.blocks, found %d", t.key("blocks"),
				blocks, depth))
	}
	for _, s := range t.sources(width, blocks, positions, blocks == depth) {
		if found := f.Tensor(s.key); found == nil {
			invalid = append(invalid, fmt.Sprintf("missing %s %s", s.key, s.want()))
		} else if !s.fits(found.Shape) {
			invalid = append(invalid,
				fmt.Sprintf("%s: expected %s, found %v", s.key, s.want(), found.Shape))
		}
	}
	return invalid
}

// key returns the key in the file of a part of the trunk.
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

// A source is a tensor of the file from which a parameter of a generator is loaded.
type source struct {
	name  string // of the parameter, in the generator
	key   string
	shape []int
	first bool // the tensor may have more rows, of which the first are loaded
}

// want describes the shapes that fit.
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

// sources lists the tensors that a generator loads from a trunk of the given width: those of its
// first blocks and of the first positions. If the generator has all blocks of the trunk (whole),
// the norm after the last block is loaded too. The positions of audio and vision belong to
// patches of an image and are not used.
func (t *trunk) sources(width, blocks, positions int, whole bool) []source {
	var all []source
	add := func(name, key string, shape ...int) {
		all = append(all, source{name: name, key: key, shape: shape})
	}
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
		all = append(all,
			source{"positions", "modality_preprocessors.text.pos_embed",
				[]int{1, positions, width}, true},
			source{"gain", "modality_preprocessors.text.token_embedding.weight", []int{1, width},
				true})
	}
	if whole {
		norm("norm", t.head)
	}
	return all
}

// Resolve makes generator.file an absolute path and sets generator.widths to the widths of its
// trunks. After that, [New] and a program that opens a trained model do not read the file. It
// returns an error that lists the tensors that are missing. Without a file it does nothing.
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

// LoadPretrained loads the generators from generator.file, if it is set, and logs it. It returns
// the error of [Model.LoadGenerator].
func (m *Model) LoadPretrained(log *slog.Logger) error {
	g := &m.config.Generator
	if g.File == "" {
		return nil
	}
	log.Info("pretrained generators", "file", g.File, "widths", g.Widths, "blocks", g.Blocks)
	return m.LoadGenerator(g.File)
}

// LoadGenerator loads the generators from a state dict of ImageBind. It reads only the tensors
// that they need. [Config.Resolve] must have been called before [New]. If the file does not fit,
// it returns an error and changes nothing.
func (m *Model) LoadGenerator(path string) error {
	g := &m.config.Generator
	f, err := openImageBind(path, g.Blocks, m.config.Tokens)
	if err != nil {
		return err
	}
	defer f.Close()
	if !slices.Equal(f.widths, g.Widths) {
		return fmt.Errorf(
			"recap: generator.file: %s: expected trunks of the widths %v, generator.widths, "+
				"found %v; give the file that the run began with", path, g.Widths, f.widths,
		)
	}
	for i := range m.generators {
		t, name := &trunks[i], "generate."+zoo.Modality(i).String()+"."
		params := map[string]nn.Param{}
		for _, p := range m.params("generate") {
			if _, local, ok := strings.Cut(p.Name, name); ok {
				params[local] = p
			}
		}
		for _, s := range t.sources(f.widths[i], g.Blocks, m.config.Tokens,
			g.Blocks == f.depths[i]) {
			p := params[s.name]
			if err := f.load(p.Tensor, &s); err != nil {
				return fmt.Errorf("recap: generator.file: %s: %s: %w", path, s.key, err)
			}
			m.loaded = append(m.loaded, p)
		}
	}
	return nil
}

// load sets x to the first values of its source. The gain is set to the root mean square of all
// values.
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

// rootMeanSquare returns the root mean square of a tensor, which it reads in parts.
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
