package report

import (
	"encoding/base64"
	"html/template"
	"math"
	"slices"

	"github.com/seed-6655bf3b/recap/internal/experiment"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// packed is the data of explorer.js.
type packed struct {
	Seed    uint64     `json:"seed"`
	Of      int        `json:"of"`
	Rates   []float64  `json:"rates"`
	Range   [2]float64 `json:"range"`
	Classes int        `json:"classes"`
	Samples []sample   `json:"samples"`

	// Features in 8 bits: of each sample and modality X_m, then at each rate X̃_m and X'_m, all [L
	// D]. A byte b stands for scale·(2b/255 − 1).
	L        int                     `json:"l"`
	D        int                     `json:"d"`
	Scale    [zoo.Modalities]float64 `json:"scale"`
	Features string                  `json:"features"` // in base 64; "" for a model without
}

type sample struct {
	ID     string                `json:"id"`
	Text   string                `json:"text"`
	Label  float64               `json:"label"`
	Words  []string              `json:"words"`
	Gone   [zoo.Modalities][]int `json:"gone"`
	Score  []*float64            `json:"score"`            // [rates]; null where the model predicted no number
	Weight [][]*float64          `json:"weight,omitempty"` // [rates][modalities]
}

// pack turns an exploration into data for the page.
func pack(e *experiment.Exploration) (template.JS, error) {
	p := packed{Seed: e.Seed, Of: e.Of, Rates: e.Rates, Range: e.Range, Classes: e.Classes, L: e.L, D: e.D}
	for m := range p.Scale {
		p.Scale[m] = scale(e.Samples, m)
	}
	var bytes []byte
	for i := range e.Samples {
		s := &e.Samples[i]
		out := sample{ID: s.ID, Text: s.Text, Label: rounded(float64(s.Label)), Words: s.Words, Gone: s.Gone}
		for _, v := range s.At {
			out.Score = append(out.Score, finite(float64(v.Score)))
			var weight []*float64
			for _, w := range v.Weight {
				weight = append(weight, finite(w))
			}
			if weight != nil {
				out.Weight = append(out.Weight, weight)
			}
		}
		p.Samples = append(p.Samples, out)
		for m := range s.Complete {
			bytes = quantize(bytes, s.Complete[m], p.Scale[m])
			for _, v := range s.At {
				bytes = quantize(bytes, v.Corrupted[m], p.Scale[m])
				bytes = quantize(bytes, v.Completed[m], p.Scale[m])
			}
		}
	}
	p.Features = base64.StdEncoding.EncodeToString(bytes)
	return script(p)
}

// scale returns what 99.5 % of a modality's features do not exceed: larger ones, which would make
// all others look alike, are cut.
func scale(samples []experiment.Sample, m int) float64 {
	var all []float64
	add := func(x []float32) {
		for _, v := range x {
			all = append(all, math.Abs(float64(v)))
		}
	}
	for i := range samples {
		add(samples[i].Complete[m])
		for _, v := range samples[i].At {
			add(v.Corrupted[m])
			add(v.Completed[m])
		}
	}
	if all == nil {
		return 0
	}
	slices.Sort(all)
	return rounded(all[len(all)*995/1000])
}

func quantize(to []byte, x []float32, scale float64) []byte {
	for _, v := range x {
		share := min(max(float64(v)/scale, -1), 1)
		if math.IsNaN(share) {
			share = 0
		}
		to = append(to, byte(math.Round(255*(share+1)/2)))
	}
	return to
}

// finite returns nil for what JSON cannot hold.
func finite(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	v = rounded(v)
	return &v
}

func rounded(v float64) float64 { return math.Round(v*1e4) / 1e4 }
