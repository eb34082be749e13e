package datasets

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
)

// The values were made with NumPy: np.random.seed(s); np.random.uniform(size=…).
func TestLegacyUniformIsNumPys(t *testing.T) {
	for _, c := range []struct {
		seed uint64
		at   int
		want float64
	}{
		{1111, 0, 0.09554919920876204},
		{1111, 1, 0.9250037018616327},
		{1111, 2, 0.34357342320721895},
		{1111, 3, 0.3104769418698441},
		{1111, 4, 0.002009839949097536},
		{1111, 5, 0.23559472439157547},
		{1111, 685*50 + 49, 0.2582600432862542},
		{1111, 64200, 0.8279328088659704},
		{111, 0, 0.6121701756176187},
		{111, 1, 0.16906975434563642},
		{11111, 0, 0.8388883611371006},
		{11111, 1, 0.47893191825555526},
	} {
		u := legacyUniform(c.seed)
		for range c.at {
			u()
		}
		if got := u(); got != c.want {
			t.Errorf("seed %d, draw %d: %v, want %v", c.seed, c.at, got, c.want)
		}
	}
}

// tokenSplit makes a split of the token rows, with frames of ones of the lengths.
func tokenSplit(
	ids [][]int, steps int, audio []int, audioSteps int, vision []int, visionSteps int,
) *Split {
	n := len(ids)
	s := &Split{
		ID: make([]string, n),
		Language: Tokens{steps, make([]int, n*steps), make([]float32, n*steps),
			make([]int, n*steps)},
		Audio: Frames{T: audioSteps, D: 2, X: slices.Repeat([]float32{1}, n*audioSteps*2),
			Len: audio},
		Vision: Frames{T: visionSteps, D: 1, X: slices.Repeat([]float32{1}, n*visionSteps),
			Len: vision},
	}
	for i, row := range ids {
		copy(s.Language.ID[i*steps:], row)
		for j := range row {
			s.Language.Mask[i*steps+j] = 1
		}
	}
	return s
}

// The example has no [PAD] in its second row, where MMSA's length is 0 and its index wraps to the
// last position.
func TestKeepMasksOfTheTwoRowExample(t *testing.T) {
	a, b := []int{101, 2023, 2003, 2307, 102}, []int{101, 1045, 5223, 2009, 999, 1012, 1012, 102}
	s := tokenSplit([][]int{a, b}, 8, []int{1, 1}, 1, []int{1, 1}, 1)
	for _, c := range []struct {
		rate float64
		want []int
	}{
		{0, []int{101, 2023, 2003, 2307, 102, 0, 0, 0, 101, 1045, 5223, 2009, 999, 1012,
			1012, 102}},
		{0.3, []int{101, 2023, 2003, 2307, 102, 0, 0, 0, 101, 1045, 100, 2009, 999, 100,
			1012, 102}},
		{0.9, []int{101, 2023, 100, 100, 102, 0, 0, 0, 101, 100, 100, 100, 100, 100, 100, 102}},
		{1, []int{101, 100, 100, 100, 102, 0, 0, 0, 101, 100, 100, 100, 100, 100, 100, 102}},
	} {
		var batch Batch
		batch.Fill(s, []int{0, 1}, s.KeepMasks(FixedRates(2, c.rate)))
		if !slices.Equal(batch.Language.Corrupted, c.want) {
			t.Errorf("rate %v: %v, want %v", c.rate, batch.Language.Corrupted, c.want)
		}
	}
}

func TestKeepMasksAreNumPys(t *testing.T) {
	type modality struct{ Lengths, Keep []int }
	var want struct {
		Rates         []float64
		Language      modality `json:"text"`
		Audio, Vision modality
	}
	raw, err := os.ReadFile("testdata/masks.json")
	if err == nil {
		err = json.Unmarshal(raw, &want)
	}
	if err != nil {
		t.Fatal(err)
	}
	var ids [][]int
	for _, n := range want.Language.Lengths {
		ids = append(ids, make([]int, n))
	}
	s := tokenSplit(ids, 7, want.Audio.Lengths, 9, want.Vision.Lengths, 4)
	got := s.KeepMasks(Rates{want.Rates, want.Rates, want.Rates})
	for _, m := range []struct {
		name string
		got  []bool
		want []int
	}{{"text", got.Language, want.Language.Keep}, {"audio", got.Audio, want.Audio.Keep},
		{"vision", got.Vision, want.Vision.Keep}} {
		k := make([]int, len(m.got))
		for i, kept := range m.got {
			if kept {
				k[i] = 1
			}
		}
		if !slices.Equal(k, m.want) {
			t.Errorf("%s: %v, want %v", m.name, k, m.want)
		}
	}
}

func TestKeepMasksShrinkWithTheRate(t *testing.T) {
	set, _ := Synthetic(SyntheticConfig{Train: 40, LanguageSteps: 12, AudioSteps: 20,
		VisionSteps: 16, AudioDim: 1, VisionDim: 1})
	s := set.Train
	rng := func() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }
	for name, masks := range map[string]func(Rates) *KeepMasks{
		"fixed":  s.KeepMasks,
		"random": func(r Rates) *KeepMasks { return s.RandomMasks(r, rng()) },
	} {
		kept := func(k *KeepMasks) []bool { return slices.Concat(k.Language, k.Audio, k.Vision) }
		last := kept(masks(FixedRates(s.Len(), 0)))
		valid := 0
		for i := range s.Len() {
			valid += s.Language.length(i) + s.Audio.Len[i] + s.Vision.Len[i]
		}
		if n := count(last); n != valid {
			t.Errorf("%s: rate 0 keeps %d of %d", name, n, valid)
		}
		for r := 0.1; r < 1.05; r += 0.1 {
			k := kept(masks(FixedRates(s.Len(), r)))
			for i := range k {
				if k[i] && !last[i] {
					t.Fatalf("%s: rate %.1f keeps position %d, a lower rate does not", name, r, i)
				}
			}
			last = k
		}
		if n := count(last); n != 2*s.Len() {
			t.Errorf("%s: rate 1 keeps %d positions, want [CLS] and [SEP] of %d utterances",
				name, n, s.Len())
		}
		share := float64(count(masks(FixedRates(s.Len(), 0.5)).Audio)) /
			float64(count(masks(FixedRates(s.Len(), 0)).Audio))
		if share < 0.4 || share > 0.6 {
			t.Errorf("%s: rate 0.5 keeps a share of %.2f", name, share)
		}
	}
}

// TestMasksOfNoTokens keeps nothing of utterances without tokens, and [CLS] and [SEP] of another.
func TestMasksOfNoTokens(t *testing.T) {
	s := tokenSplit([][]int{nil, {101, 7, 102}, nil}, 3, []int{1, 1, 1}, 1, []int{0, 0, 1}, 1)
	k := s.KeepMasks(FixedRates(3, 1))
	want := []bool{false, false, false, true, false, true, false, false, false}
	if !slices.Equal(k.Language, want) {
		t.Errorf("kept %v, want %v", k.Language, want)
	}
	if k = s.KeepMasks(FixedRates(3, 0)); !slices.Equal(k.Vision, []bool{false, false, true}) {
		t.Errorf("kept %v of missing frames", k.Vision)
	}
}

func count(k []bool) int {
	n := 0
	for _, kept := range k {
		if kept {
			n++
		}
	}
	return n
}

func TestRandomMasksDifferPerCall(t *testing.T) {
	s := tokenSplit([][]int{make([]int, 30)}, 30, []int{30}, 30, []int{30}, 30)
	rng := rand.New(rand.NewPCG(1, 1))
	h := s.RandomMasks(FixedRates(1, 0.5), rng)
	if slices.Equal(h.Audio, h.Vision) ||
		slices.Equal(h.Audio, s.RandomMasks(FixedRates(1, 0.5), rng).Audio) {
		t.Error("two calls returned the same masks")
	}
	if fixed := s.KeepMasks(FixedRates(1, 0.5)); !slices.Equal(fixed.Audio, fixed.Vision) {
		t.Error("the literature's masks differ between modalities of the same length")
	}
}

func TestTrainingRates(t *testing.T) {
	const n = 4001
	r := TrainingRates(n, rand.New(rand.NewPCG(3, 4)))
	complete := 0
	for i := range n {
		if r.Language[i] == 0 && r.Audio[i] == 0 && r.Vision[i] == 0 {
			complete++
		}
	}
	if share := float64(complete) / n; share < 0.10 || share > 0.15 {
		t.Errorf("%.3f of the utterances are complete, want about 1/8", share)
	}
	for _, x := range [][]float64{r.Language, r.Audio, r.Vision} {
		zeros, sum := 0, 0.0
		for _, v := range x {
			if v == 0 {
				zeros++
			}
			sum += v
		}
		if mean := sum / float64(n-zeros); zeros != n/2 || mean < 0.47 || mean > 0.53 {
			t.Errorf("%d zeros, mean %.3f of the rest; want %d and about 0.5", zeros, mean, n/2)
		}
	}
}
