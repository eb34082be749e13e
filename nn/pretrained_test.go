package nn

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/internal/files/filestest"
	"github.com/seed-6655bf3b/recap/internal/weights"
)

// A bertGolden is what transformers' BertModel computes (testdata/make_bert.py).
type bertGolden struct {
	IDs, Types   []int
	Mask, Hidden []float64
	Shape        []int
	Grads        map[string][]float64
}

// run computes the same by a pretrained BERT on a device.
func (g *bertGolden) run(
	t *testing.T, dir, device string,
) (hidden []float64, grads map[string][]float64, grown int) {
	t.Helper()
	pre, err := OpenBERT(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer pre.Close()
	dev := open(t, device)
	p := NewParams(dev, rand.New(rand.NewPCG(1, 1)))
	c := pre.Config
	c.Dropout, c.Attention, c.SparseTokens = 0, 0, true
	bert := NewBERT(p.Sub("text"), c)
	if err := pre.Load(p.Sub("text")); err != nil {
		t.Fatal(err)
	}
	tp := ag.NewTape(dev)
	y := bert.Forward(tp, g.IDs, g.Types, ag.NewTensor(dev, g.Mask, g.Shape...))
	w := make([]float64, y.Len())
	for i := range w {
		w[i] = math.Sin(1.7*float64(i)) * g.Mask[i/c.Width]
	}
	all := tp.Backward(tp.Sum(tp.Mul(y, ag.NewTensor(dev, w, y.Shape()...))), y)
	grads = map[string][]float64{}
	for _, x := range p.All() {
		grads[strings.TrimPrefix(x.Name, "text.")] = all[x.Tensor].Values()
	}
	return y.Values(), grads, len(p.All())
}

// distance is the largest difference over the largest absolute value wanted.
func distance(got, want []float64) float64 {
	if len(got) != len(want) {
		return math.Inf(1)
	}
	worst, size := 0.0, 0.0
	for i := range want {
		worst, size = max(worst, math.Abs(got[i]-want[i])), max(size, math.Abs(want[i]))
	}
	return worst / size
}

func TestPretrainedBERTAgreesWithTransformers(t *testing.T) {
	var g bertGolden
	text, err := os.ReadFile("testdata/tiny_bert/golden.json")
	if err == nil {
		err = json.Unmarshal(text, &g)
	}
	if err != nil {
		t.Fatal(err)
	}
	// the file's numbers are float32
	for device, tol := range map[string]float64{"cpu64": 2e-7, "cpu": 3e-6} {
		for _, dir := range []string{"safe", "old"} {
			hidden, grads, params := g.run(t, "testdata/tiny_bert/"+dir, device)
			if d := distance(hidden, g.Hidden); !(d <= tol) {
				t.Errorf("%s, %s: hidden states differ by %g", device, dir, d)
			}
			if params != len(g.Grads) {
				t.Errorf("%d parameters, transformers has gradients of %d", params, len(g.Grads))
			}
			for name, want := range g.Grads {
				// 0 but for rounding, as the softmax does not see it
				if strings.HasSuffix(name, "self.key.bias") {
					want, grads[name] = append(want, 1), append(grads[name], 1)
				}
				if d := distance(grads[name], want); !(d <= 10*tol) {
					t.Errorf("%s, %s: gradient of %s differs by %g", device, dir, name, d)
				}
			}
		}
	}
}

// TestPretrainedRealBERT compares a real model with transformers', where RECAP_BERT names its
// folder and RECAP_BERT_GOLDEN the file that testdata/make_bert.py made with it.
func TestPretrainedRealBERT(t *testing.T) {
	dir, path := os.Getenv("RECAP_BERT"), os.Getenv("RECAP_BERT_GOLDEN")
	if dir == "" || path == "" {
		t.Skip("RECAP_BERT and RECAP_BERT_GOLDEN are not set: no real weights to compare with")
	}
	f, err := weights.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	floats := func(name string) []float64 {
		v, err := f.Tensor(name).Floats()
		if err != nil {
			t.Fatal(err)
		}
		wide := make([]float64, len(v))
		for i := range v {
			wide[i] = float64(v[i])
		}
		return wide
	}
	integers := func(name string) (ids []int) {
		for _, v := range floats(name) {
			ids = append(ids, int(v))
		}
		return ids
	}
	g := bertGolden{IDs: integers("ids"), Types: integers("types"), Mask: floats("mask"),
		Shape: f.Tensor("ids").Shape, Hidden: floats("hidden")}
	hidden, grads, _ := g.run(t, dir, "cpu")
	d := distance(hidden, g.Hidden)
	t.Logf("last hidden state of %v tokens, %d of them [UNK]: relative difference %.2g",
		g.Shape, count(g.IDs, 100), d)
	if !(d <= 1e-5) {
		t.Errorf("hidden states differ by %g", d)
	}
	worst, where := 0.0, ""
	for _, name := range f.Names() {
		own, ok := strings.CutPrefix(name, "grad.")
		if !ok || strings.HasSuffix(own, "self.key.bias") {
			continue
		}
		if d := distance(grads[own], floats(name)); d > worst {
			worst, where = d, own
		}
	}
	t.Logf("gradients of the embeddings and the last layer: relative difference at most %.2g, of %s", worst, where)
	if !(worst <= 1e-4) || where == "" {
		t.Errorf("gradients differ by %g (%s)", worst, where)
	}
}

func count(x []int, v int) (n int) {
	for _, y := range x {
		if y == v {
			n++
		}
	}
	return n
}

// bertDir returns a copy of the tiny BERT's folder with some of its files replaced; "" leaves one
// out.
func bertDir(t *testing.T, replaced map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"config.json", "model.safetensors"} {
		data, err := os.ReadFile("testdata/tiny_bert/safe/" + name)
		if other, ok := replaced[name]; ok {
			data = []byte(other)
		}
		if err == nil && len(data) > 0 {
			err = os.WriteFile(filepath.Join(dir, name), data, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestShardedBERT loads the weights by an index, from files that it names.
func TestShardedBERT(t *testing.T) {
	const shard = "model-00001-of-00001.safetensors"
	whole, err := OpenBERT("testdata/tiny_bert/safe")
	if err != nil {
		t.Fatal(err)
	}
	defer whole.Close()
	files := map[string]string{}
	for _, name := range whole.file.Names() {
		files[name] = shard
	}
	index, err := json.Marshal(map[string]any{"weight_map": files})
	if err != nil {
		t.Fatal(err)
	}
	dir := bertDir(t, map[string]string{"model.safetensors": ""})
	data, err := os.ReadFile("testdata/tiny_bert/safe/model.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{shard: data, "model.safetensors.index.json": index} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b, err := OpenBERT(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	load := func(b *PretrainedBERT) (values [][]float64) {
		p := NewParams(open(t, "cpu"), rand.New(rand.NewPCG(1, 1)))
		NewBERT(p, b.Config)
		if err := b.Load(p); err != nil {
			t.Fatal(err)
		}
		for _, x := range p.All() {
			values = append(values, x.Values())
		}
		return values
	}
	if got, want := load(b), load(whole); !reflect.DeepEqual(got, want) {
		t.Error("the weights differ from those of one file")
	}
}

func TestPretrainedBERTRefusesOtherFiles(t *testing.T) {
	config, err := os.ReadFile("testdata/tiny_bert/safe/config.json")
	if err != nil {
		t.Fatal(err)
	}
	with := func(old, new string) map[string]string {
		s := strings.Replace(string(config), old, new, 1)
		if s == string(config) {
			t.Fatalf("config.json has no %s", old)
		}
		return map[string]string{"config.json": s}
	}
	for name, c := range map[string]struct {
		files map[string]string
		want  string
	}{
		"no config": {map[string]string{"config.json": ""},
			"expected the folder of a Hugging Face model"},
		"no weights": {map[string]string{"model.safetensors": ""},
			"expected model.safetensors or pytorch_model.bin, found neither"},
		"half a config": {map[string]string{"config.json": string(config[:40])},
			"expected the configuration of a model"},
		"half a file": {map[string]string{"model.safetensors": "half"},
			"expected safetensors or a file of torch.save"},
		"no BERT": {with(`"model_type": "bert"`, `"model_type": "roberta"`),
			`model_type: expected bert, found "roberta"`},
		"heads": {with(`"num_attention_heads": 3`, `"num_attention_heads": 5`),
			"hidden_size: expected a multiple of num_attention_heads, 5, found 12"},
		"vocabulary": {with(`"vocab_size": 19`, `"vocab_size": 16777216`),
			"embeddings.word_embeddings.weight: expected [16777216 12], found [19 12]"},
		"no dropout": {map[string]string{"config.json": strings.NewReplacer(
			`"hidden_dropout_prob": 0.1`, `"hidden_dropout_prob": 0`,
			`"attention_probs_dropout_prob": 0.1`, `"attention_probs_dropout_prob": 0`,
		).Replace(string(config))}, ""},
		"no layers": {with(`"num_hidden_layers": 2`, `"num_hidden_layers": 0`),
			"num_hidden_layers: expected a number from 1 to 16777216, found 0"},
		"above the limit": {with(`"vocab_size": 19`, `"vocab_size": 16777217`),
			"vocab_size: expected a number from 1 to 16777216, found 16777217"},
		"negative": {with(`"vocab_size": 19`, `"vocab_size": -1`),
			"vocab_size: expected a number from 1 to 16777216, found -1"},
		"dropout of attention": {with(`"attention_probs_dropout_prob": 0.1`,
			`"attention_probs_dropout_prob": 1`), "dropout below 1, found 1e-12, 0.1 and 1"},
		"negative dropout": {with(`"attention_probs_dropout_prob": 0.1`,
			`"attention_probs_dropout_prob": -0.1`), "dropout below 1, found 1e-12, 0.1 and -0.1"},
		"dropout": {with(`"hidden_dropout_prob": 0.1`, `"hidden_dropout_prob": 1`),
			"dropout below 1, found 1e-12, 1 and 0.1"},
		"negative hidden dropout": {with(`"hidden_dropout_prob": 0.1`,
			`"hidden_dropout_prob": -0.1`), "dropout below 1, found 1e-12, -0.1 and 0.1"},
		"activation": {with(`"hidden_act": "gelu"`, `"hidden_act": "relu"`),
			`hidden_act: expected gelu, found "relu"; only encoders built as BERT are supported`},
		"a large config": {map[string]string{"config.json": string(config) +
			strings.Repeat(" ", 1<<20+1-len(config))},
			"config.json: expected at most 1048576 bytes, found 1048577; give the folder"},
		"the largest config": {map[string]string{"config.json": string(config) +
			strings.Repeat(" ", 1<<20-len(config))}, ""},
		"eps": {with(`"layer_norm_eps": 1e-12`, `"layer_norm_eps": 0`),
			"expected layer_norm_eps above 0"},
		"a layer more": {with(`"num_hidden_layers": 2`, `"num_hidden_layers": 3`),
			"missing encoder.layer.2.output.dense.weight [12 20]"},
		"a layer less": {with(`"num_hidden_layers": 2`, `"num_hidden_layers": 1`), ""},
		"many layers": {with(`"num_hidden_layers": 2`, `"num_hidden_layers": 16777216`),
			"missing encoder.layer.2.output.dense.weight [12 20]"},
	} {
		dir := bertDir(t, c.files)
		b, err := OpenBERT(dir)
		switch {
		case c.want == "" &&
			(err != nil || !slices.Contains(b.Unused, "pooler.dense.weight") ||
				slices.Contains(b.Unused, "encoder.layer.1.output.dense.weight") !=
					(b.Config.Layers == 1)):
			t.Errorf("%s: %v, unused %v", name, err, b)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		if err == nil {
			b.Close()
		}
		if open := filestest.Open(dir); len(open) > 0 {
			t.Errorf("%s: not closed: %q", name, open)
		}
	}
}

// TestMismatchesAreListed has a configuration of another vocabulary and hidden width, and of one
// layer: the error lists each tensor once.
func TestMismatchesAreListed(t *testing.T) {
	config, err := os.ReadFile("testdata/tiny_bert/safe/config.json")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer(`"vocab_size": 19`, `"vocab_size": 20`,
		`"intermediate_size": 20`, `"intermediate_size": 21`,
		`"num_hidden_layers": 2`, `"num_hidden_layers": 1`).Replace(string(config))
	dir := bertDir(t, map[string]string{"config.json": text})
	want := "nn: BERT: " + filepath.Join(dir, "model.safetensors") + ": the tensors are not " +
		"those of config.json beside it; download both again:\n\t" + strings.Join([]string{
		"embeddings.word_embeddings.weight: expected [20 12], found [19 12]",
		"encoder.layer.0.intermediate.dense.bias: expected [21], found [20]",
		"encoder.layer.0.intermediate.dense.weight: expected [21 12], found [20 12]",
		"encoder.layer.0.output.dense.weight: expected [12 21], found [12 20]",
	}, "\n\t")
	const layer = "encoder.layer.1."
	for _, module := range []string{layer + "attention.output.LayerNorm",
		layer + "attention.output.dense", layer + "attention.self.key",
		layer + "attention.self.query", layer + "attention.self.value",
		layer + "intermediate.dense", layer + "output.LayerNorm", layer + "output.dense",
		"pooler.dense"} {
		want += "\n\tunexpected " + module + ".bias\n\tunexpected " + module + ".weight"
	}
	for range 5 { // in the same order each time
		if _, err := OpenBERT(dir); err == nil || err.Error() != want {
			t.Fatalf("error %v, want %s", err, want)
		}
	}
}

// TestUnusedTensors has an encoder below a prefix between tensors that are not of it.
func TestUnusedTensors(t *testing.T) {
	dir := bertDir(t, nil)
	c, err := ReadBERTConfig(dir)
	if err != nil {
		t.Fatal(err)
	}
	p := NewParams(open(t, "cpu"), rand.New(rand.NewPCG(1, 1)))
	p.New("a", Ones, 2)
	NewBERT(p.Sub("bert"), c)
	p.New("z", Ones, 3)
	path := filepath.Join(dir, "model.safetensors")
	if err := os.WriteFile(path, save(t, p.All(), nil), 0o600); err != nil {
		t.Fatal(err)
	}
	b, err := OpenBERT(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	c.ToLoad = true
	if want := []string{"a", "z"}; !slices.Equal(b.Unused, want) || b.Path != path ||
		!reflect.DeepEqual(b.Config, c) {
		t.Errorf("unused %v of %s with %+v, want %v of %s with %+v", b.Unused, b.Path, b.Config,
			want, path, c)
	}
}

// TestLoadOfOtherParameters has a model that is not of the configuration, and a file that is
// closed.
func TestLoadOfOtherParameters(t *testing.T) {
	b, err := OpenBERT("testdata/tiny_bert/safe")
	if err != nil {
		t.Fatal(err)
	}
	p := NewParams(open(t, "cpu"), rand.New(rand.NewPCG(1, 1)))
	NewLinear(p.Sub("other"), 2, 3)
	mustPanic(t, `nn: BERT: Load: parameter "other.weight" is not of a BERT`, func() {
		_ = b.Load(p)
	})
	NewBERT(p.Sub("bert"), b.Config)
	if err := b.Load(p.Sub("bert")); err != nil {
		t.Error(err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	want := "nn: BERT: " + b.Path + ": embeddings.word_embeddings.weight: "
	if err := b.Load(p.Sub("bert")); err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("after Close: error %v, want %s…", err, want)
	}
}

// TestInitOfBERT checks the initial values of an encoder that is trained from scratch.
func TestInitOfBERT(t *testing.T) {
	p := NewParams(open(t, "cpu"), rand.New(rand.NewPCG(1, 2)))
	NewBERT(p, BERTConfig{Vocab: 500, Width: 48, Layers: 1, Heads: 3, FeedForward: 64,
		Positions: 300, Types: 200, Eps: 1e-12})
	drawn := 0
	for _, x := range p.All() {
		if len(x.Shape()) == 2 {
			drawn++
			sd, n := math.Sqrt(x.Dot(x.Tensor)/float64(x.Len())), float64(x.Len())
			if math.Abs(sd-0.02) > 4*0.02/math.Sqrt(2*n) {
				t.Errorf("%s has standard deviation %g, want 0.02", x.Name, sd)
			}
			continue
		}
		want := 0.0
		if strings.HasSuffix(x.Name, "LayerNorm.weight") {
			want = 1
		}
		mustFill(t, x.Name, x.Values(), want, want)
	}
	if drawn != 3+6 {
		t.Errorf("%d matrices, want 3 tables and 6 of the layer", drawn)
	}
}

// TestDefaultsOfBERT reads a configuration that leaves out what transformers has defaults for.
// A drawCounter counts the draws from a source.
type drawCounter struct {
	rand.Source
	draws int
}

func (d *drawCounter) Uint64() uint64 { d.draws++; return d.Source.Uint64() }

func TestPretrainedBERTDrawsNoInitialValues(t *testing.T) {
	b, err := OpenBERT("testdata/tiny_bert/safe")
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	count := &drawCounter{Source: rand.NewPCG(1, 1)}
	p := NewParams(open(t, "cpu"), rand.New(count))
	NewBERT(p.Sub("text"), b.Config)
	if count.draws != 0 {
		t.Errorf("%d draws for parameters that are then loaded", count.draws)
	}
	for _, x := range p.All() {
		if i := slices.IndexFunc(x.Values(), func(v float64) bool { return v != 0 }); i >= 0 {
			t.Errorf("%s begins with %g before it is loaded, want 0", x.Name, x.Values()[i])
		}
	}
	p.New("after", Normal(1), 3)
	if count.draws == 0 {
		t.Error("the parameters after the encoder are not drawn")
	}
	if err := b.Load(p.Sub("text")); err != nil {
		t.Fatal(err)
	}
}

func TestDefaultsOfBERT(t *testing.T) {
	dir := bertDir(t, map[string]string{"config.json": `{"vocab_size": 19, "hidden_size": 12,
		"num_hidden_layers": 1, "num_attention_heads": 3, "intermediate_size": 20,
		"max_position_embeddings": 9}`})
	want := BERTConfig{Vocab: 19, Width: 12, Layers: 1, Heads: 3, FeedForward: 20, Positions: 9,
		Types: 2, Eps: 1e-12, Dropout: 0.1, Attention: 0.1}
	if got, err := ReadBERTConfig(dir); err != nil || got != want {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
	path := filepath.Join(dir, "config.json")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	_, err := ReadBERTConfig(dir)
	if !errors.Is(err, os.ErrNotExist) || !strings.HasPrefix(err.Error(),
		"nn: BERT: expected the folder of a Hugging Face model: ") {
		t.Errorf("without the file: error %v", err)
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err = ReadBERTConfig(dir); err == nil ||
		!strings.HasPrefix(err.Error(), "nn: BERT: "+path+": expected a file, found a directory") {
		t.Errorf("a folder in its place: error %v", err)
	}
}

func TestPretrainedBERTWithNaN(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/tiny_bert/safe")); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "model.safetensors")
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	check := func() error {
		b, err := OpenBERT(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		dev, err := ag.Open("cpu")
		if err != nil {
			t.Fatal(err)
		}
		p := NewParams(dev, rand.New(rand.NewPCG(1, 1)))
		NewBERT(p, b.Config)
		return b.Load(p)
	}
	if err := check(); err != nil {
		t.Error(err)
	}
	first := 8 + binary.LittleEndian.Uint64(file) // the data begin after the header
	binary.LittleEndian.PutUint32(file[first:], math.Float32bits(float32(math.NaN())))
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := check(); err == nil || !strings.Contains(err.Error(),
		"expected finite numbers, found NaN; the file is damaged") {
		t.Error(err)
	}
}

func TestFindPretrained(t *testing.T) {
	home := filepath.Join(t.TempDir(), "[home]")
	t.Setenv("HF_HOME", home)
	model := filepath.Join(home, "hub", "models--some--bert")
	for _, commit := range []string{"aaa", "bbb"} {
		dir := filepath.Join(model, "snapshots", commit)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte("{}"),
			0o600); err != nil {
			t.Fatal(err)
		}
	}
	find := func(name, want string) {
		t.Helper()
		if got, err := FindPretrained(name); err != nil || got != want {
			t.Errorf("%s: %s, %v, want %s", name, got, err, want)
		}
	}
	find("some/bert", filepath.Join(model, "snapshots", "bbb"))
	if err := os.MkdirAll(filepath.Join(model, "refs"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(model, "refs", "main"), []byte("aaa\n"),
		0o600); err != nil {
		t.Fatal(err)
	}
	find("some/bert", filepath.Join(model, "snapshots", "aaa"))
	find(home, home)
	// a commit names a snapshot, whatever is before its last slash, and one that is there
	for _, x := range [][2]string{{"../../aaa", "aaa"}, {"", "bbb"}, {"ccc", "bbb"}} {
		if err := os.WriteFile(filepath.Join(model, "refs", "main"), []byte(x[0]),
			0o600); err != nil {
			t.Fatal(err)
		}
		find("some/bert", filepath.Join(model, "snapshots", x[1]))
	}
	user := t.TempDir()
	if err := os.MkdirAll(filepath.Join(user, ".cache"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(home, filepath.Join(user, ".cache", "huggingface")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("HF_HOME", "")
	t.Setenv("HOME", user)
	find("some/bert", filepath.Join(user, ".cache", "huggingface", "hub", "models--some--bert",
		"snapshots", "bbb"))
	t.Setenv("HOME", "")
	if _, err := FindPretrained("some/bert"); err == nil ||
		err.Error() != "nn: pretrained model some/bert: $HOME is not defined" {
		t.Errorf("without a home: error %v", err)
	}
	t.Setenv("HF_HOME", home)
	if _, err := FindPretrained("other/bert"); err == nil ||
		!strings.Contains(err.Error(),
			"found neither; give the folder with config.json, or set HF_HOME") {
		t.Error(err)
	}
}

func FuzzOpenBERT(f *testing.F) {
	dir := f.TempDir()
	for _, name := range []string{"config.json", "model.safetensors"} {
		data, err := os.ReadFile("testdata/tiny_bert/safe/" + name)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), data, 0o600)
		}
		if err != nil {
			f.Fatal(err)
		}
		if name == "config.json" {
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, config []byte) {
		if err := os.WriteFile(filepath.Join(dir, "config.json"), config, 0o600); err != nil {
			t.Fatal(err)
		}
		b, err := OpenBERT(dir)
		if err != nil {
			return
		}
		defer b.Close()
		p := NewParams(open(t, "cpu"), rand.New(rand.NewPCG(1, 1)))
		NewBERT(p, b.Config)
		if err := b.Load(p); err != nil {
			t.Fatal(err)
		}
	})
}
