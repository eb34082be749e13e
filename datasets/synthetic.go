package datasets

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
)

// A SyntheticConfig holds the sizes of a synthetic data set.
type SyntheticConfig struct {
	Train, Valid, Test int // number of utterances
	// T, the numbers of steps; an utterance has between half of them and all
	LanguageSteps, AudioSteps, VisionSteps int
	AudioDim, VisionDim                    int    // D, features of a frame
	Seed                                   uint64 // of all random numbers
}

// DefaultSynthetic returns the configuration of a small set on which a model trains in minutes on
// a CPU: 12 to 24 tokens and 24 to 48 frames an utterance.
func DefaultSynthetic() SyntheticConfig {
	return SyntheticConfig{
		Train: 1000, Valid: 200, Test: 500,
		LanguageSteps: 24, AudioSteps: 48, VisionSteps: 48,
		AudioDim: 12, VisionDim: 16,
		Seed: 1111,
	}
}

// MOSISynthetic returns the configuration of a set with the sizes of MOSI's unaligned features.
func MOSISynthetic() SyntheticConfig {
	return SyntheticConfig{
		Train: 1284, Valid: 229, Test: 686,
		LanguageSteps: 50, AudioSteps: 375, VisionSteps: 500,
		AudioDim: 5, VisionDim: 20,
		Seed: 1111,
	}
}

// Scale returns the configuration with the numbers of steps of all three modalities multiplied by
// factor and rounded.
func (c SyntheticConfig) Scale(factor float64) SyntheticConfig {
	for _, steps := range []*int{&c.LanguageSteps, &c.AudioSteps, &c.VisionSteps} {
		*steps = int(math.Round(factor * float64(*steps)))
	}
	return c
}

// SyntheticVocab is the size of the vocabulary of a synthetic set: [PAD], [UNK], [CLS] and [SEP]
// have BERT's ids, and two synonyms for each of 40 bins follow them.
const SyntheticVocab = firstWord + synonyms*wordBins

const (
	firstWord = SepID + 1
	synonyms  = 2
	wordBins  = 40
	wordWidth = 0.2 // of a bin; 40 bins cover [-4, 4]
)

const (
	pathSD = 0.5 // standard deviation of a path around its mean
	// ρ, the correlation of consecutive steps, if the longest modality has referenceSteps
	pathCorrelation = 0.85
	frameGain       = 0.6
	frameNoise      = 0.5
	wordNoise       = 0.1
	labelNoise      = 0.1
	labelLimit      = 3.0

	referenceSteps = 48
)

// labelWeight holds the weights w_m of the private factors in the label: language, audio, vision.
var labelWeight = [3]float64{0.7, 0.3, 0.45}

// Latent holds the latent variables of an utterance. Modalities are numbered 0 language, 1 audio,
// 2 vision.
type Latent struct {
	Shared  float64    // μ, the factor that all modalities have in common
	Private [3]float64 // p_m, the factor of modality m alone
}

// Mean returns μ + p_m, the mean of the sum of modality m's two paths.
func (z Latent) Mean(m int) float64 { return z.Shared + z.Private[m] }

// SyntheticInformation returns the mutual information, in nats, of [Latent.Mean] of any two
// modalities. The means are Gaussian with variance 2 and covariance 1, so that
//
//	I(μ + p_1; μ + p_2) = -½ ln(1 - ¼) = ½ ln(4/3) ≈ 0.144
//
// The sums of paths s + u_m of two modalities at one time have the same mutual information, and so
// have their averages over an interval of time.
func SyntheticInformation() float64 { return math.Log(4.0/3) / 2 }

// SyntheticMaxCorrelation returns the correlation of the label, before clipping, with its best
// prediction from modality m alone. Audio and vision determine μ and p_m, language their sum.
//
//	language       (1 + w) / √(2 Var y)
//	audio, vision  √(1 + w²) / √(Var y),   Var y = 1 + Σ_m w_m² + 0.1²
func SyntheticMaxCorrelation(m int) float64 {
	variance := 1 + labelNoise*labelNoise
	for _, w := range labelWeight {
		variance += w * w
	}
	w := labelWeight[m]
	if m == 0 {
		return (1 + w) / math.Sqrt(2*variance)
	}
	return math.Sqrt((1 + w*w) / variance)
}

// SyntheticTruth holds the latent variables of each utterance of a synthetic set, by split.
type SyntheticTruth struct{ Train, Valid, Test []Latent }

// MinLanguageSteps is the smallest number of language steps of a synthetic set.
const MinLanguageSteps = 5

// Synthetic generates a data set, and returns it with its latent variables. Earlier steps predict
// later ones, the modalities share information about the label, and each modality has information
// that the others do not have; the amounts are known. With z, n, ε independent standard normal
// numbers at each occurrence,
//
//	factors  μ, p_l, p_a, p_v ~ N(0, 1)
//	label    y = clip(μ + 0.7 p_l + 0.3 p_a + 0.45 p_v + 0.1 ε, ±3)
//	paths    s_0 = μ + σ z,  s_{t+1} = μ + ρ (s_t - μ) + σ √(1-ρ²) z,  σ = 0.5
//	         u^m likewise around p_m; ρ = 0.85^(48/T), T the longest modality's steps
//	frames   x^m_t = tanh(0.6 [s_t, u^m_t, n] M_m) + 0.5 ε,  m ∈ {a, v},  fixed M_m [3 d_m] ~ N(0, 1)
//	words    bin ⌊(s_t + u^l_t + 0.1 ε + 4) / 0.2⌋, clipped to the 40 bins, and a random synonym
//
// An utterance fills a fraction drawn from U[½, 1) of every modality's steps. The sequences of all
// modalities cover the same time, and a frame or word depends on the paths at its own time. The
// tokens are [CLS] words [SEP]; word number i, with the text "wi", has the id 103 + i.
//
// The same configuration gives the same set on every machine. Each split has its own generator
// (PCG), so that a smaller split is the beginning of a larger one. Values are rounded to multiples
// of 2⁻¹², which removes the last bits of exp and of fused multiply-adds, in which processors
// differ. Synthetic panics if a size is too small: the smallest are [MinLanguageSteps], 1 for the
// other steps and dimensions, and 0 utterances.
func Synthetic(cfg SyntheticConfig) (*Set, SyntheticTruth) {
	if cfg.LanguageSteps < MinLanguageSteps ||
		min(cfg.AudioSteps, cfg.VisionSteps, cfg.AudioDim, cfg.VisionDim) < 1 ||
		min(cfg.Train, cfg.Valid, cfg.Test) < 0 {
		panic(fmt.Sprintf(
			"datasets: Synthetic: %+v: want 5 or more language steps, 1 or more of the other "+
				"steps and dimensions, no negative number of utterances", cfg,
		))
	}
	seeds := rand.New(rand.NewPCG(cfg.Seed, 0))
	s := synthesizer{cfg: cfg, steps: max(cfg.LanguageSteps, cfg.AudioSteps, cfg.VisionSteps)}
	s.correlation = math.Pow(pathCorrelation, referenceSteps/float64(s.steps))
	s.audio, s.vision = normals(seeds, 3*cfg.AudioDim), normals(seeds, 3*cfg.VisionDim)

	set := &Set{Name: "synthetic", Range: [2]float64{-labelLimit, labelLimit}}
	var truth SyntheticTruth
	first := 0
	next := func(n int) (*Split, []Latent) {
		s.rng = rand.New(rand.NewPCG(seeds.Uint64(), seeds.Uint64()))
		first += n
		return s.split(first-n, n)
	}
	set.Train, truth.Train = next(cfg.Train)
	set.Valid, truth.Valid = next(cfg.Valid)
	set.Test, truth.Test = next(cfg.Test)
	return set, truth
}

// A synthesizer generates one split after the other.
type synthesizer struct {
	cfg           SyntheticConfig
	steps         int       // of the paths in the longest utterance
	correlation   float64   // ρ
	audio, vision []float64 // M_m [3 D]
	rng           *rand.Rand
}

// split generates n utterances, numbered from first.
func (s *synthesizer) split(first, n int) (*Split, []Latent) {
	c := s.cfg
	out := &Split{
		ID:      make([]string, n),
		RawText: make([]string, n),
		Language: Tokens{T: c.LanguageSteps, ID: make([]int, n*c.LanguageSteps),
			Mask: make([]float32, n*c.LanguageSteps), Segment: make([]int, n*c.LanguageSteps)},
		Audio: Frames{T: c.AudioSteps, D: c.AudioDim,
			X: make([]float32, n*c.AudioSteps*c.AudioDim), Len: make([]int, n)},
		Vision: Frames{T: c.VisionSteps, D: c.VisionDim,
			X: make([]float32, n*c.VisionSteps*c.VisionDim), Len: make([]int, n)},
		Label: make([]float32, n),
	}
	latents := make([]Latent, n)
	for i := range n {
		z := Latent{s.rng.NormFloat64(),
			[3]float64{s.rng.NormFloat64(), s.rng.NormFloat64(), s.rng.NormFloat64()}}
		filled := 0.5 + 0.5*s.rng.Float64()
		valid := func(steps int) int { return int(math.Ceil(filled * float64(steps))) }

		latents[i] = z
		out.ID[i] = fmt.Sprintf("synthetic$_$%d", first+i)
		out.Label[i] = s.label(z)
		shared := s.path(z.Shared, valid(s.steps))
		out.RawText[i] = s.words(&out.Language, i, valid(c.LanguageSteps), shared,
			s.path(z.Private[0], len(shared)))
		s.frames(&out.Audio, i, valid(c.AudioSteps), s.audio, shared,
			s.path(z.Private[1], len(shared)))
		s.frames(&out.Vision, i, valid(c.VisionSteps), s.vision,
			shared, s.path(z.Private[2], len(shared)))
	}
	return out, latents
}

func (s *synthesizer) label(z Latent) float32 {
	y := z.Shared + labelNoise*s.rng.NormFloat64()
	for m, w := range labelWeight {
		y += w * z.Private[m]
	}
	return rounded(min(max(y, -labelLimit), labelLimit))
}

// path returns n steps of a stationary AR(1) process with the given mean.
func (s *synthesizer) path(mean float64, n int) []float64 {
	x := make([]float64, n)
	innovation := pathSD * math.Sqrt(1-s.correlation*s.correlation)
	deviation := pathSD * s.rng.NormFloat64()
	for t := range x {
		x[t] = mean + deviation
		deviation = s.correlation*deviation + innovation*s.rng.NormFloat64()
	}
	return x
}

// words writes row i of the tokens, n tokens including [CLS] and [SEP], and returns the text.
func (s *synthesizer) words(out *Tokens, i, n int, shared, private []float64) string {
	id := out.ID[i*out.T:][:n]
	text := make([]string, n-2)
	id[0], id[n-1] = ClsID, SepID
	for j := range text {
		t := j * len(shared) / len(text)
		v := shared[t] + private[t] + wordNoise*s.rng.NormFloat64()
		bin := min(max(int(math.Floor(v/wordWidth))+wordBins/2, 0), wordBins-1)
		word := synonyms*bin + s.rng.IntN(synonyms)
		id[j+1] = firstWord + word
		text[j] = fmt.Sprintf("w%d", word)
	}
	for j := range n {
		out.Mask[i*out.T+j] = 1
	}
	return strings.Join(text, " ")
}

// frames writes n frames to row i, with the mixing matrix [3 D].
func (s *synthesizer) frames(out *Frames, i, n int, mixing, shared, private []float64) {
	out.Len[i] = n
	for j := range n {
		t := j * len(shared) / n
		nuisance := s.rng.NormFloat64()
		x := out.X[(i*out.T+j)*out.D:][:out.D]
		for d := range x {
			v := shared[t]*mixing[d] + private[t]*mixing[out.D+d] + nuisance*mixing[2*out.D+d]
			x[d] = rounded(math.Tanh(frameGain*v) + frameNoise*s.rng.NormFloat64())
		}
	}
}

func normals(rng *rand.Rand, n int) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = rng.NormFloat64()
	}
	return x
}

func rounded(v float64) float32 { return float32(math.Round(v*4096) / 4096) }
