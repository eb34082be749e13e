package main

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/datasets"
	"github.com/seed-6655bf3b/recap/internal/files"
	"github.com/seed-6655bf3b/recap/internal/files/filestest"
	_ "github.com/seed-6655bf3b/recap/internal/gctest"
	"github.com/seed-6655bf3b/recap/internal/settings"
	"github.com/seed-6655bf3b/recap/nn"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"recap": func() {
			drawInterval = 0 // no training is too short to be seen
			quick()
			main()
		},
		"exitcode": func() { quick(); fmt.Println("exit", run(os.Args[1:])) },
	})
}

// quick makes opening the synthetic data and writing files fast: each process generates the whole
// set, and what power failures leave is tested in package runs.
func quick() {
	files.Current = filestest.Fast{}
	settings.Generators["synthetic"] = func() datasets.SyntheticConfig {
		c := datasets.DefaultSynthetic()
		c.Train, c.Valid, c.Test = 300, 40, 50
		return c
	}
}

// tiny makes every part of the model small.
const tiny = `
data: {limit: 16, scale: 0.25}
train: {batch: 8, epochs: {stage1: 2, stage2: 2}}
eval: {rates: "0:0.5:0.5"}
width: 8
heads: 2
head_width: 4
feed_forward: 8
depth: 1
fusion_depth: 1
granularities: [4, 2]
text: {width: 8, layers: 1, heads: 2, feed_forward: 8}
critic: {width: 8}
`

// bertConfig is that of a small BERT for the tokens of small.pkl.
const bertConfig = `{"model_type": "bert", "vocab_size": 2100, "hidden_size": 8, "num_hidden_layers": 1,
"num_attention_heads": 2, "intermediate_size": 8, "max_position_embeddings": 12}`

// vocabulary has the special tokens of BERT where they are, and a few words.
func vocabulary() string {
	var b strings.Builder
	for i := range 2100 {
		name, ok := map[int]string{0: "[PAD]", 100: "[UNK]", 101: "[CLS]", 102: "[SEP]",
			103: "[MASK]", 2000: "i", 2001: "loved", 2090: "meh"}[i]
		if !ok {
			name = fmt.Sprintf("[unused%d]", i)
		}
		fmt.Fprintln(&b, name)
	}
	return b.String()
}

func bertWeights(t *testing.T, layers int) []byte {
	t.Helper()
	dev, err := ag.Open("cpu")
	if err != nil {
		t.Fatal(err)
	}
	p := nn.NewParams(dev, rand.New(rand.NewPCG(1, 1)))
	nn.NewBERT(p,
		nn.BERTConfig{Vocab: 2100, Width: 8, Layers: layers, Heads: 2, FeedForward: 8,
			Positions: 12, Types: 2, Eps: 1e-12})
	var b bytes.Buffer
	if err := nn.Save(&b, p.All(), nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestScripts runs the command as users do. Scripts find tiny.yaml, small.pkl (MMSA's layout),
// truncated.pkl and wrongkey.pkl, state.pth of PyTorch, and the folders of pretrained BERTs of one
// layer (bert), of two (deep), and with a weight NaN (nan).
func TestScripts(t *testing.T) {
	small, err := os.ReadFile(filepath.Join("..", "..", "datasets", "testdata", "protocol4.pkl"))
	if err != nil {
		t.Fatal(err)
	}
	state, err := os.ReadFile(filepath.Join("..", "..", "internal", "weights", "testdata",
		"state.pth"))
	if err != nil {
		t.Fatal(err)
	}
	deep := strings.Replace(bertConfig, `layers": 1`, `layers": 2`, 1)
	nan := bertWeights(t, 1)
	copy(nan[len(nan)-4:], "\x00\x00\xc0\x7f")
	files := map[string][]byte{
		"tiny.yaml": []byte(tiny), "small.pkl": small, "truncated.pkl": small[:len(small)/2],
		"state.pth": state, "bert/config.json": []byte(bertConfig),
		"bert/model.safetensors": bertWeights(t, 1), "bert/vocab.txt": []byte(vocabulary()),
		"deep/config.json": []byte(deep), "deep/vocab.txt": []byte(vocabulary()),
		"deep/model.safetensors": bertWeights(t, 2),
		"nan/config.json":        []byte(bertConfig), "nan/model.safetensors": nan,
		"my file.pkl": small, "synthetic.pkl": small,
		"wrongkey.pkl": bytes.ReplaceAll(small, []byte("text_bert"), []byte("text_bret")),
	}
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"),
		Setup: func(env *testscript.Env) error {
			for name, text := range files {
				path := filepath.Join(env.WorkDir, name)
				if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755),
					os.WriteFile(path, text, 0o644)); err != nil {
					return err
				}
			}
			return nil
		},
	})
}

// TestExitCodes gives each command each kind of error: 2 means that the command line or the
// configuration must be corrected, 1 that a file is missing or damaged, or a run not finished.
func TestExitCodes(t *testing.T) {
	dir := workDir(t)
	const unfinished = "runs/mosi/recap/full"
	small, err := os.ReadFile(filepath.Join("..", "..", "datasets", "testdata", "protocol5.pkl"))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"small.pkl": string(small), "cut.pkl": string(small[:len(small)/2]),
		"list.yaml": "[1, 2", "twice.yaml": "seed: 1\n---\nseed: 2\n", "key.yaml": "bach: 3",
		"bert/config.json": bertConfig, "bert/model.safetensors": string(bertWeights(t, 1)[:999]),
		"half/config.json": bertConfig[:20], "odd/seed1/config.yaml": "seed: one",
		unfinished + "/seed1/config.yaml": "dataset: mosi\ndata: {file: gone.pkl}\nseed: 1",
		"cut.json":                        `[{"id": "a", "text`,
		"twice/model.safetensors":         twice, "twice/config.json": bertConfig,
	} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755),
			os.WriteFile(path, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	for code, lines := range map[int][]string{
		exitUsage: {"train --eposh 1", "train extra", "train --epochs none", "train -s x",
			"train --config nowhere.yaml", "train --config list.yaml", "train --config key.yaml",
			"train --config twice.yaml", "train --resume nowhere", "train --variant x",
			"train --name a/b", "eval", "eval nowhere", "eval odd --rates 2", "eval odd --drop x",
			"predict --run odd", "predict --run nowhere --text a", "ablate --variants x",
			"ablate --config list.yaml", "table --by x", "table extra", "plot",
			"plot curves nowhere", "plot losses", "report",
			"report odd --samples -1", "sweep --workers 0", "sweep -s 1 -s 1",
			"sweep --config list.yaml", "serve", "serve odd --addr x", "tune", "tune -n x",
			"tune -n 1 --grid nowhere.yaml", "tune -n 1 --grid list.yaml",
			"tune -n 1 --grid twice.yaml", "tune -n 1 --name a/b", "gradcheck x", "data",
			"data check", "data pack small.pkl", "settings x", "settings -m x", "inspect",
			"doctor x", "help x", "version x", "completion x", "unit nowhere", "x", "--x"},
		exitFailure: {"train --data nowhere.pkl -d a", "train --data cut.pkl -d a",
			"train --data small.pkl -d a --bert nowhere", "train --data small.pkl -d a --bert bert",
			"train --data small.pkl -d a --bert half", "train --data small.pkl -d a --bert twice",
			"train --set generator.kind=imagebind --imagebind cut.pkl",
			"train --resume .", "train --resume odd", "train --resume " + unfinished,
			"eval .", "eval odd", "eval " + unfinished,
			"eval " + unfinished + " --data nowhere.pkl",
			"predict --run . --text a", "predict --run " + unfinished + " --features cut.json",
			"ablate --data cut.pkl -d a", "ablate --bert half", "table",
			"plot curves .", "plot curves " + unfinished, "plot losses odd", "plot tsne odd",
			"plot weights odd", "plot confusion odd", "report .", "report odd",
			"sweep -d mosi", "sweep --bert half", "tune -n 1 -d mosi",
			"tune -n 1 --bert half", "data check nowhere.pkl", "data check cut.pkl",
			"data check twice/model.safetensors", "data pack nowhere.pkl out",
			"data pack cut.pkl out", "data pack small.pkl nowhere/out", "inspect nowhere",
			"inspect cut.pkl", "inspect bert/model.safetensors", "unit odd"},
		exitSuccess: {"", "help train", "data check small.pkl", "data pack small.pkl out",
			"inspect odd", "settings train", "version", "completion bash", "doctor",
			"report " + unfinished},
	} {
		for _, line := range lines {
			cmd, stderr := process(t, dir, strings.Fields(line)...)
			if err := cmd.Run(); cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != code ||
				strings.Contains(stderr.String(), "goroutine ") {
				t.Errorf("recap %s: want exit code %d, found %v:\n%s", line, code, err, stderr)
			}
		}
	}
}

// TestFilesAreClosed runs commands in this process, which then has no file of theirs open.
func TestFilesAreClosed(t *testing.T) {
	dir := workDir(t)
	at := func(name string) string { return filepath.Join(dir, name) }
	small, err := os.ReadFile(filepath.Join("..", "..", "datasets", "testdata", "protocol4.pkl"))
	if err := errors.Join(err, os.WriteFile(at("small.pkl"), small, 0o644),
		os.Mkdir(at("bert"), 0o755),
		os.WriteFile(at("bert/config.json"), []byte(bertConfig), 0o644),
		os.WriteFile(at("bert/model.safetensors"), bertWeights(t, 1), 0o644)); err != nil {
		t.Fatal(err)
	}
	for _, command := range [][]string{{"train"}, {"ablate", "--variants", "full"}} {
		args := append(command, "--config", at("tiny.yaml"), "-d", "small", "--data",
			at("small.pkl"), "--bert", at("bert"), "--out", at("runs"), "--epochs", "1")
		if code := run(args); code != exitSuccess {
			t.Fatalf("recap %s: exit code %d", command[0], code)
		}
		if open := filestest.Open(dir); len(open) > 0 {
			t.Errorf("recap %s: open after it: %q", command[0], open)
		}
	}
}

// twice is a safetensors file with two tensors of one name.
const twice = "\x70\x00\x00\x00\x00\x00\x00\x00" +
	`{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},` +
	`"x":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}     ` + "12345678"

// A process is a run of the command that can be killed.
func process(t *testing.T, dir string, args ...string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	cmd := exec.Command("recap", args...)
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	return cmd, &stderr
}

// longer trains for ten epochs, so that there is something to interrupt.
var longer = []string{"train", "--config", "tiny.yaml", "--set", "train.epochs.stage1=5",
	"--set", "train.epochs.stage2=5"}

// trained runs a whole training in a new directory, and returns the files that must be the same
// bit for bit.
func trained(t *testing.T, env ...string) map[string]string {
	t.Helper()
	dir := workDir(t)
	cmd, stderr := process(t, dir, longer...)
	cmd.Env = append(os.Environ(), env...)
	if err := cmd.Run(); err != nil {
		t.Fatal(err, stderr)
	}
	return bits(t, dir)
}

func workDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "tiny.yaml"), []byte(tiny), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

func bits(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	for _, name := range []string{"seed1111/stage1.safetensors", "seed1111/best.safetensors",
		"seed1111/state.safetensors", "seed1111/predictions.csv", "summary.csv"} {
		text, err := os.ReadFile(filepath.Join(dir, "runs", "synthetic", "recap", "full", name))
		if err != nil {
			t.Fatal(err)
		}
		files[name] = string(text)
	}
	return files
}

func same(t *testing.T, what string, got, want map[string]string) {
	t.Helper()
	for name := range want {
		if got[name] != want[name] {
			t.Errorf("%s: %s is not that of an unbroken run", what, name)
		}
	}
}

// TestKilledAndResumed kills RECAP's training at various moments.
func TestKilledAndResumed(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no signals")
	}
	want := trained(t)
	for i, signal := range []os.Signal{os.Kill, os.Kill, os.Interrupt} {
		dir, stderr := killed(t, signal, 2*i+2)
		if signal == os.Interrupt && (!strings.Contains(stderr, "recap: finishing epoch ") ||
			!strings.Contains(stderr, "--resume")) {
			t.Errorf("interrupted: %s", stderr)
		}
		again, output := process(t, dir, "train", "--resume", "runs/synthetic/recap/full")
		if err := again.Run(); err != nil {
			t.Fatal(err, output)
		}
		same(t, fmt.Sprint(signal), bits(t, dir), want)
	}
}

// killed trains until the given number of epochs is done, and then sends the signal, which must
// end the process. A process that has all ten epochs by then is no test: another one is started.
func killed(t *testing.T, signal os.Signal, epochs int) (dir, stderr string) {
	t.Helper()
	code := map[os.Signal]int{os.Kill: -1, os.Interrupt: 130}[signal]
	for range 10 {
		dir := workDir(t)
		cmd, stderr := process(t, dir, longer...)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		awaitEpoch(t, dir, epochs)
		sent := cmd.Process.Signal(signal)
		err := cmd.Wait()
		if err == nil || epochsOf(dir) == 10 {
			t.Log("finished before the signal:", sent)
			continue
		}
		if found := cmd.ProcessState.ExitCode(); found != code {
			t.Fatalf("%v: status %d, want %d\n%s", signal, found, code, stderr)
		}
		return dir, stderr.String()
	}
	t.Fatalf("%v: ten processes were done before the signal", signal)
	return "", ""
}

// awaitEpoch waits until the journal has n lines, and then a moment longer: the epoch after is
// under way.
func awaitEpoch(t *testing.T, dir string, n int) {
	t.Helper()
	for range 10000 {
		if epochsOf(dir) >= n {
			time.Sleep(time.Duration(n) * time.Millisecond)
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatal("no epoch within ten seconds")
}

// epochsOf returns the number of lines of the journal.
func epochsOf(dir string) int {
	text, _ := os.ReadFile(filepath.Join(dir, "runs/synthetic/recap/full/seed1111/metrics.jsonl"))
	return bytes.Count(text, []byte("\n"))
}

func TestSameBitsOnAnyNumberOfCores(t *testing.T) {
	same(t, "two cores", trained(t, "GOMAXPROCS=2"), trained(t, "GOMAXPROCS=1"))
}
