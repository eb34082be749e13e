package zoo

import (
	"slices"

	"github.com/seed-6655bf3b/recap/nn"
)

// A Spec is a model that can be trained by its name: whatever trains, compares, checks and
// documents models takes it from here.
type Spec struct {
	Name  string // on the command line: "misa"
	Label string // in tables: "MISA"
	Paper string // "Hazarika, Zimmermann, Poria: …, ACM Multimedia 2020"
	// Preset returns the defaults: "paper" has the numbers of the paper's code for a data set,
	// mosi, mosei or sims, and for any other those of mosi; "quick" trains in minutes on a CPU.
	Preset func(preset, dataset string) (Config, Training)
	// Variants are named changes of the configuration. Without any there is only the whole model,
	// "full".
	Variants []Variant
	// Terms says what the terms of the loss are, in the order in which they are shown.
	Terms []TermTitle
	// Regression says that the model predicts labels and cannot predict classes.
	Regression bool
	// New makes the model's modules under p. The configuration is of the type that Preset returns
	// and has passed Check.
	New func(p *nn.Params, c Config, d Dims) Model
}

// A Config is a pointer to a struct that fixes everything about a model that the data do not. Its
// YAML names are keys of `recap train --set`.
type Config interface {
	// Check returns an error that names the first field whose value cannot be used.
	Check() error
	// Words returns the part that describes the encoder of words.
	Words() *TextConfig
}

// A Variant is a named change of a model's configuration, such as an ablation.
type Variant struct {
	Name  string // on the command line
	Label string // in tables
	Apply func(Config)
}

// A TermTitle says what a term is, or all terms of several modalities or pairs of them: "rec"
// stands for rec_l, rec_a and rec_v.
type TermTitle struct{ Name, Title, Unit string }

// Specs lists the baselines by age, one paper a line.
var Specs = []Spec{
	{Name: "misa", Label: "MISA", Preset: misaPreset, Terms: misaTerms, New: newMISA,
		Paper: "Hazarika, Zimmermann, Poria: MISA: Modality-Invariant and -Specific Representations for Multimodal Sentiment Analysis, ACM Multimedia 2020"},
	{Name: "self-mm", Label: "Self-MM", Regression: true, Preset: selfMMPreset, Terms: selfMMTerms, New: newSelfMM,
		Paper: "Yu, Xu, Yuan, Wu: Learning Modality-Specific Representations with Self-Supervised Multi-Task Learning for Multimodal Sentiment Analysis, AAAI 2021"},
	{Name: "lnln", Label: "LNLN", Preset: lnlnPreset, Terms: lnlnTerms, New: newLNLN,
		Paper: "Zhang, Wang, Yu: Towards Robust Multimodal Sentiment Analysis with Incomplete Data, NeurIPS 2024"},
}

// Variant returns the variant called name, or ok false if there is none.
func (s *Spec) Variant(name string) (v Variant, ok bool) {
	all := s.AllVariants()
	i := slices.IndexFunc(all, func(v Variant) bool { return v.Name == name })
	if i < 0 {
		return v, false
	}
	return all[i], true
}

// AllVariants returns the model's variants, "full" first.
func (s *Spec) AllVariants() []Variant {
	return append([]Variant{{"full", s.Label, func(Config) {}}}, s.Variants...)
}
