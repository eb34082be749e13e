package zoo

import (
	"slices"

	"github.com/seed-6655bf3b/recap/nn"
)

// A Spec describes a model that can be trained by its name. Every package of a model exports one;
// the commands find it in the list of all models.
type Spec struct {
	Name  string // on the command line: "misa"
	Label string // in tables: "MISA"
	Paper string // "Hazarika, Zimmermann, Poria: …, ACM Multimedia 2020"

	// Adaptation says how the model differs from that of Paper, if it is not the same one: a note
	// (see Note) below the tables that have it. Its Label tells it from the paper's: "BI-Mamba, our
	// adaptation".
	Adaptation string
	// FromTitle says that Paper was not available and the model is designed from its title. It has
	// no row beside published results.
	FromTitle bool

	// Preset returns new default settings. The preset "paper" has the settings of the paper's
	// code for the data set mosi, mosei or sims, and those of mosi for any other; an adaptation
	// has others of this size. "quick" trains in minutes on a CPU.
	Preset func(preset, dataset string) (Config, Training)

	// Variants lists named changes of the configuration, such as ablations. The unchanged model,
	// "full", is not among them: see [Spec.AllVariants].
	Variants []Variant

	// Terms gives the titles of the loss terms, in the order in which they are shown.
	Terms []TermTitle

	// Regression says that the model predicts labels only and cannot predict classes.
	Regression bool

	// New creates the model's modules and their parameters under p. The configuration is of the
	// type that Preset returns and has passed Check.
	New func(p *nn.Params, c Config, d Dims) Model
}

// Note returns the note below tables that says how the model differs from that of its paper, "" if
// it is the same one.
func (s *Spec) Note() string {
	if s.Adaptation == "" {
		return ""
	}
	return s.Label + ": " + s.Adaptation
}

// A Config is a pointer to a struct with the settings of a model: everything that the data do not
// determine. Its YAML names are keys of `recap train --set`.
type Config interface {
	// Check returns an error that names the first setting with an invalid value.
	Check() error
	// TextEncoder returns the part with the settings of the text encoder.
	TextEncoder() *TextConfig
}

// A Variant is a named change of a model's configuration, such as an ablation.
type Variant struct {
	Name  string // on the command line
	Label string // in tables
	Apply func(Config)
}

// A TermTitle gives the title and unit of a loss term, or of a family of terms: "rec" stands for
// rec_l, rec_a and rec_v.
type TermTitle struct{ Name, Title, Unit string }

// Variant returns the variant called name; ok is false if there is none.
func (s *Spec) Variant(name string) (v Variant, ok bool) {
	all := s.AllVariants()
	i := slices.IndexFunc(all, func(v Variant) bool { return v.Name == name })
	if i < 0 {
		return v, false
	}
	return all[i], true
}

// AllVariants returns the variants of the model. The first is "full", which changes nothing.
func (s *Spec) AllVariants() []Variant {
	return append([]Variant{{"full", s.Label, func(Config) {}}}, s.Variants...)
}
