package datasets_test

import (
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"github.com/seed-6655bf3b/recap/datasets"
)

// small returns a synthetic set whose sequences fit on a line.
func small() *datasets.Set {
	set, _ := datasets.Synthetic(datasets.SyntheticConfig{
		Train: 10, Valid: 2, Test: 2,
		LanguageSteps: 8, AudioSteps: 6, VisionSteps: 4,
		AudioDim: 2, VisionDim: 1,
		Seed: 1,
	})
	return set
}

// tempDir returns a new folder for an example's files, and a function that removes it.
func tempDir() (dir string, remove func()) {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	return dir, func() { os.RemoveAll(dir) }
}

func ExampleSynthetic() {
	cfg := datasets.DefaultSynthetic()
	cfg.Train = 2
	set, truth := datasets.Synthetic(cfg)
	s := set.Train
	fmt.Println(set.Name, set.Range, set.Shape())
	fmt.Printf("%s: label %.2f, %d audio frames\n", s.ID[0], s.Label[0], s.Audio.Len[0])
	fmt.Println(s.RawText[0])
	fmt.Println(s.Language.ID[:5])

	// The latent variables are known: the label is their weighted sum and some noise.
	z := truth.Train[0]
	fmt.Printf("%.2f\n", z.Shared+0.7*z.Private[0]+0.3*z.Private[1]+0.45*z.Private[2])
	// Output:
	// synthetic [-3 3] text 24, audio 48x12, vision 48x16
	// synthetic$_$0: label 0.23, 30 audio frames
	// w44 w41 w35 w41 w45 w41 w49 w41 w41 w43 w46 w43 w37
	// [101 147 144 138 144]
	// 0.31
}

// MMSA publishes MOSI, MOSEI and CH-SIMS as pickles. Sizes, name and range of labels are taken
// from the file.
func ExampleOpen() {
	dir, remove := tempDir()
	defer remove()
	path := filepath.Join(dir, "mosi_unaligned.pkl")
	// in place of a real file
	if err := os.WriteFile(path, datasets.MadePickle(4, 6, 3), 0o600); err != nil {
		log.Fatal(err)
	}

	set, err := datasets.Open(path)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(set.Name, set.Range, set.Shape())
	for i, id := range set.Train.ID {
		fmt.Println(id, set.Train.Label[i], set.Train.Audio.Len[i])
	}
	// Output:
	// mosi [-3 3] text 2, audio 6x3, vision 2x1
	// train$_$0 0 6
	// train$_$1 1 6
	// train$_$2 2 6
	// train$_$3 0 6
}

// A packed set is opened without reading its frames: each batch reads its own.
func ExamplePack() {
	dir, remove := tempDir()
	defer remove()
	in, out := filepath.Join(dir, "features.pkl"), filepath.Join(dir, "features.safetensors")
	if err := os.WriteFile(in, datasets.MadePickle(4, 6, 3), 0o600); err != nil {
		log.Fatal(err)
	}
	if _, err := datasets.Pack(in, out, datasets.Options{}); err != nil {
		log.Fatal(err)
	}

	set, err := datasets.Open(out)
	if err != nil {
		log.Fatal(err)
	}
	audio := &set.Train.Audio
	frames := make([]float32, audio.T*audio.D)
	audio.Row(frames, 3)
	fmt.Println(set.Name, set.Shape(), audio.X == nil, frames[:3])
	// Output:
	// features text 2, audio 6x3, vision 2x1 true [3 3 3]
}

// Check finds what is unusual in a file, and what Open would refuse.
func ExampleCheck() {
	report, err := datasets.Check("testdata/types.pkl", datasets.Options{})
	if err != nil {
		log.Fatal(err)
	}
	train := report.Splits[0]
	fmt.Println(train.Name, train.Utterances, train.Shape)
	for _, k := range train.Keys {
		fmt.Println(" ", k.Key, k.Value)
	}
	for _, w := range report.Warnings {
		if what, _, ok := strings.Cut(w, ", found"); ok && strings.HasPrefix(w, "train: ") {
			fmt.Println(what)
		}
	}
	// Output:
	// train 3 text 6, audio 40x8, vision 5x3
	//   raw_text list [3]
	//   id bytes [3]
	//   text_bert int64 [3 3 6]
	//   audio float16 [3 40 8]
	//   vision float64 [3 5 3]
	//   audio_lengths uint16 [3 1]
	//   vision_lengths list [3]
	//   regression_labels object [3]
	// train: audio: expected zeros after the length
	// train: vision: expected zeros after the length
	// train: vision: expected padding at the end
}

// The masks of the literature have a fixed seed: a larger missing rate keeps a subset of what a
// smaller rate keeps. [CLS] (101) and [SEP] (102) are always kept; missing tokens become [UNK]
// (100).
func ExampleSplit_KeepMasks() {
	s := small().Test
	var b datasets.Batch
	for _, rate := range []float64{0, 0.3, 0.6, 0.9} {
		b.Fill(s, []int{0}, s.KeepMasks(datasets.FixedRates(s.Len(), rate)))
		fmt.Println(rate, b.Language.Corrupted, b.Audio.Keep)
	}
	// Output:
	// 0 [101 142 127 136 134 134 102 0] [1 1 1 1 1 1]
	// 0.3 [101 142 127 136 100 100 102 0] [0 1 1 1 0 0]
	// 0.6 [101 142 100 100 100 100 102 0] [0 1 0 0 0 0]
	// 0.9 [101 142 100 100 100 100 102 0] [0 1 0 0 0 0]
}

// In training, missing rates and masks are drawn again in each epoch.
func ExampleSplit_RandomMasks() {
	s := small().Train
	for epoch := range 3 {
		rng := rand.New(rand.NewPCG(1111, uint64(epoch)))
		rates := datasets.TrainingRates(s.Len(), rng)
		masks := s.RandomMasks(rates, rng)
		fmt.Printf("%.2f %v\n", rates.Audio[0], masks.Audio[:s.Audio.T])
	}
	// Output:
	// 0.49 [false false true true false false]
	// 0.44 [true true true false false false]
	// 0.58 [false false false false false false]
}

// Fill hands over complete frames and the masks, from which a device computes the corrupted
// frames; FillCorrupted hands over corrupted frames alone.
func ExampleBatch_Fill() {
	s := small().Train
	masks := s.KeepMasks(datasets.FixedRates(s.Len(), 0.5))
	var b datasets.Batch
	b.Fill(s, []int{3, 7}, masks)
	fmt.Println("complete ", b.Vision.X)
	fmt.Println("keep     ", b.Vision.Keep)
	b.FillCorrupted(s, []int{3, 7}, masks)
	fmt.Println("corrupted", b.Vision.X)
	// Output:
	// complete  [-0.0056152344 1.0874023 0.5739746 0 0.0078125 -1.1638184 -0.2993164 0]
	// keep      [0 0 0 0 1 1 0 0]
	// corrupted [0 0 0 0 0.0078125 -1.1638184 0 0]
}

func ExampleOrder() {
	fmt.Println(datasets.Order(7, 3, 0, nil))
	fmt.Println(datasets.Order(7, 3, 2, nil)) // the last batch has at least 2
	fmt.Println(datasets.Order(7, 3, 2, rand.New(rand.NewPCG(1, 2))))
	// Output:
	// [[0 1 2] [3 4 5] [6]]
	// [[0 1 2] [3 4 5 6]]
	// [[1 4 0] [2 6 3 5]]
}

// Utterances to predict may come as JSON; Fit pads them to the lengths of a trained model.
func ExampleOpenFeatures() {
	dir, remove := tempDir()
	defer remove()
	path := filepath.Join(dir, "mine.json")
	const text = `[
		{"id": "a", "text_bert": [[101, 2307, 102], [1, 1, 1], [0, 0, 0]],
			"audio": [[0.5], [0.1]], "vision": [[2], [3]]},
		{"id": "b", "text_bert": [[101, 102], [1, 1], [0, 0]], "audio": [[0.7]], "vision": [[4], [5]]}
	]`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		log.Fatal(err)
	}

	s, err := datasets.OpenFeatures(path, "test", datasets.Options{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(s.Shape(), s.Label == nil)
	s, err = s.Fit(datasets.Shape{LanguageSteps: 4, AudioSteps: 3, AudioD: 1, VisionSteps: 2,
		VisionD: 1})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(s.Language.ID)
	fmt.Println(s.Audio.X, s.Audio.Len)
	// Output:
	// text 3, audio 2x1, vision 2x1 true
	// [101 2307 102 0 101 102 0 0]
	// [0.5 0.1 0 0.7 0 0] [2 1]
}
