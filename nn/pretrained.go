package nn

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/seed-6655bf3b/recap/internal/files"
	"github.com/seed-6655bf3b/recap/internal/weights"
)

// PretrainedBERT is an open file of pretrained weights of a [BERT] in the layout of Hugging
// Face: a folder with config.json and model.safetensors, model.safetensors.index.json with the
// files that it names, or pytorch_model.bin. Names may have a prefix, such as "bert.", and
// the parameters of norms may be called gamma and beta, as in early releases.
type PretrainedBERT struct {
	Config BERTConfig // with ToLoad
	Path   string     // of the weights
	Unused []string   // tensors of the file that are not part of the encoder, such as the pooler's

	file  *weights.File
	names map[string]string // in the file, by the name that NewBERT gives
}

// OpenBERT opens the pretrained BERT in a folder (see [FindPretrained]) and checks that the file
// holds the tensors of its configuration. The error lists every tensor that is missing or has
// another shape. Close it after [PretrainedBERT.Load].
func OpenBERT(dir string) (*PretrainedBERT, error) {
	b := &PretrainedBERT{names: map[string]string{}}
	if err := b.Config.read(filepath.Join(dir, "config.json")); err != nil {
		return nil, err
	}
	b.Config.ToLoad = true
	for _, f := range []struct {
		name string
		open func(string) (*weights.File, error)
	}{{"model.safetensors", weights.Open}, {"model.safetensors.index.json", weights.OpenIndex},
		{"pytorch_model.bin", weights.Open}} {
		path := filepath.Join(dir, f.name)
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		file, err := f.open(path)
		if err != nil {
			return nil, fmt.Errorf("nn: BERT: %w", err)
		}
		b.file, b.Path = file, path
		if err := b.match(); err != nil {
			file.Close()
			return nil, err
		}
		return b, nil
	}
	return nil, fmt.Errorf(
		"nn: BERT: %s: expected model.safetensors or pytorch_model.bin, found neither; "+
			"download one of them into the folder", dir,
	)
}

// ReadBERTConfig returns the sizes in the config.json of a folder in the layout of Hugging Face.
// It opens no weights.
func ReadBERTConfig(dir string) (BERTConfig, error) {
	var c BERTConfig
	err := c.read(filepath.Join(dir, "config.json"))
	return c, err
}

// read reads a config.json.
func (c *BERTConfig) read(path string) error {
	const maxSize = 1 << 20
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("nn: BERT: expected the folder of a Hugging Face model: %w", err)
	}
	if info.Size() > maxSize {
		return fmt.Errorf(
			"nn: BERT: %s: expected at most %d bytes, found %d; give the folder of a Hugging "+
				"Face model", path, maxSize, info.Size(),
		)
	}
	text, err := files.Read(path)
	if err != nil {
		return fmt.Errorf("nn: BERT: %w", err)
	}
	kind := struct {
		Model      string `json:"model_type"`
		Activation string `json:"hidden_act"`
		Positions  string `json:"position_embedding_type"`
	}{"bert", "gelu", "absolute"}
	// the defaults of transformers
	*c = BERTConfig{Types: 2, Eps: 1e-12, Dropout: 0.1, Attention: 0.1}
	for _, into := range []any{c, &kind} {
		if err := json.Unmarshal(text, into); err != nil {
			return fmt.Errorf(
				"nn: BERT: %s: expected the configuration of a model, found %w; download it again",
				path, err,
			)
		}
	}
	for _, f := range []struct {
		key, found, want string
	}{{"model_type", kind.Model, "bert"}, {"hidden_act", kind.Activation, "gelu"},
		{"position_embedding_type", kind.Positions, "absolute"}} {
		if f.found != f.want {
			return fmt.Errorf(
				"nn: BERT: %s: %s: expected %s, found %.40q; only encoders built as BERT are "+
					"supported", path, f.key, f.want, f.found,
			)
		}
	}
	return c.checkSizes(path)
}

// checkSizes returns an error for sizes that no BERT can have; path is that of the config.json.
func (c *BERTConfig) checkSizes(path string) error {
	for _, f := range []struct {
		key   string
		value int
	}{
		{"vocab_size", c.Vocab}, {"hidden_size", c.Width}, {"num_hidden_layers", c.Layers},
		{"num_attention_heads", c.Heads},
		{"intermediate_size", c.FeedForward}, {"max_position_embeddings", c.Positions},
		{"type_vocab_size", c.Types},
	} {
		if f.value < 1 || f.value > 1<<24 {
			return fmt.Errorf("nn: BERT: %s: %s: expected a number from 1 to %d, found %d",
				path, f.key, 1<<24, f.value)
		}
	}
	switch {
	case c.Width%c.Heads != 0:
		return fmt.Errorf(
			"nn: BERT: %s: hidden_size: expected a multiple of num_attention_heads, %d, found %d",
			path, c.Heads, c.Width,
		)
	case !(c.Eps > 0) || !(c.Dropout >= 0 && c.Dropout < 1) ||
		!(c.Attention >= 0 && c.Attention < 1):
		return fmt.Errorf(
			"nn: BERT: %s: expected layer_norm_eps above 0 and dropout below 1, found %g, %g "+
				"and %g", path, c.Eps, c.Dropout, c.Attention,
		)
	}
	return nil
}

// match finds the file's tensor for each parameter.
func (b *PretrainedBERT) match() error {
	prefix, used, standard := "", map[string]bool{}, map[string]string{}
	for _, name := range b.file.Names() {
		if p, ok := strings.CutSuffix(name, "embeddings.word_embeddings.weight"); ok {
			prefix = p
		}
	}
	for _, name := range b.file.Names() {
		own := strings.TrimPrefix(name, prefix)
		for old, now := range map[string]string{"LayerNorm.gamma": "LayerNorm.weight",
			"LayerNorm.beta": "LayerNorm.bias"} {
			if stem, ok := strings.CutSuffix(own, old); ok {
				own = stem + now
			}
		}
		standard[own] = name
	}
	var wrong []string
	for name, shape := range b.Config.shapes(len(b.file.Names())) {
		found := b.file.Tensor(standard[name])
		switch {
		case found == nil:
			wrong = append(wrong, fmt.Sprintf("missing %s%s %v", prefix, name, shape))
		case !slices.Equal(found.Shape, shape):
			wrong = append(wrong,
				fmt.Sprintf("%s: expected %v, found %v", standard[name], shape, found.Shape))
		default:
			b.names[name] = standard[name]
		}
		used[standard[name]] = true
	}
	for _, name := range b.file.Names() {
		if !used[name] {
			b.Unused = append(b.Unused, name)
		}
	}
	if wrong != nil {
		slices.Sort(wrong)
		for _, name := range b.Unused {
			wrong = append(wrong, "unexpected "+name)
		}
		return fmt.Errorf(
			"nn: BERT: %s: the tensors are not those of config.json beside it; download both "+
				"again:\n\t%s", b.Path, strings.Join(wrong, "\n\t"),
		)
	}
	return nil
}

// shapes returns the shape of each parameter by name, of at most limit+1 layers: a damaged
// config.json may ask for millions.
func (c *BERTConfig) shapes(limit int) map[string][]int {
	s := map[string][]int{
		"embeddings.word_embeddings.weight":       {c.Vocab, c.Width},
		"embeddings.position_embeddings.weight":   {c.Positions, c.Width},
		"embeddings.token_type_embeddings.weight": {c.Types, c.Width},
	}
	norm := func(name string) {
		s[name+".LayerNorm.weight"], s[name+".LayerNorm.bias"] = []int{c.Width}, []int{c.Width}
	}
	linear := func(name string, in, out int) {
		s[name+".weight"], s[name+".bias"] = []int{out, in}, []int{out}
	}
	norm("embeddings")
	for i := range min(c.Layers, limit+1) {
		layer := fmt.Sprintf("encoder.layer.%d.", i)
		for _, name := range []string{"attention.self.query", "attention.self.key",
			"attention.self.value", "attention.output.dense"} {
			linear(layer+name, c.Width, c.Width)
		}
		norm(layer + "attention.output")
		linear(layer+"intermediate.dense", c.Width, c.FeedForward)
		linear(layer+"output.dense", c.FeedForward, c.Width)
		norm(layer + "output")
	}
	return s
}

// Load overwrites the parameters under p's prefix, created by [NewBERT] with b.Config, with
// those of the file. It panics if p holds others, and returns an error if the file cannot be
// read or if a parameter is NaN or infinite.
func (b *PretrainedBERT) Load(p *Params) error {
	for _, x := range p.All() {
		name, ok := b.names[strings.TrimPrefix(x.Name, p.prefix)]
		if !ok {
			panic(fmt.Sprintf(
				"nn: BERT: Load: parameter %q is not of a BERT with this configuration", x.Name,
			))
		}
		values, err := b.file.Tensor(name).Floats()
		if err != nil {
			return fmt.Errorf("nn: BERT: %s: %s: %w", b.Path, name, err)
		}
		for _, v := range values {
			if v-v != 0 {
				return fmt.Errorf("nn: BERT: %s: %s: expected finite numbers, found %v; the file "+
					"is damaged, download it again", b.Path, name, v)
			}
		}
		x.Assign32(values)
	}
	return nil
}

// Close closes the file.
func (b *PretrainedBERT) Close() error { return b.file.Close() }

// FindPretrained returns the folder of a pretrained model: name itself if it is a folder,
// otherwise the newest snapshot of the model with this name in the cache of Hugging Face,
// $HF_HOME or ~/.cache/huggingface. It returns an error if there is neither.
func FindPretrained(name string) (dir string, err error) {
	if info, err := os.Stat(name); err == nil && info.IsDir() {
		return name, nil
	}
	home := os.Getenv("HF_HOME")
	if home == "" {
		user, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("nn: pretrained model %s: %w", name, err)
		}
		home = filepath.Join(user, ".cache", "huggingface")
	}
	model := filepath.Join(home, "hub", "models--"+strings.ReplaceAll(name, "/", "--"))
	if commit, err := os.ReadFile(filepath.Join(model, "refs", "main")); err == nil {
		dir := filepath.Join(model, "snapshots", filepath.Base(strings.TrimSpace(string(commit))))
		if _, err := os.Stat(filepath.Join(dir, "config.json")); err == nil {
			return dir, nil
		}
	}
	found, _ := fs.Glob(os.DirFS(model), "snapshots/*/config.json") // the pattern is well formed
	if len(found) == 0 {
		return "", fmt.Errorf(
			"nn: pretrained model %s: expected a folder, or a model of this name in %s, found "+
				"neither; give the folder with config.json, or set HF_HOME",
			name, filepath.Join(home, "hub"),
		)
	}
	return filepath.Join(model, filepath.Dir(found[len(found)-1])), nil
}
