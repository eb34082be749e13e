package report

import (
	"encoding/base64"
	"html/template"
	"math"
	"slices"

	"github.com/seed-6655bf3b/recap/internal/explore"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// explorerData is the data of explorer.js.
type explorerData struct {
	Seed    uint64     `json:"seed"`
	Of      int        `json:"of"` // number of utterances of the test split
	Rates   []float64  `json:"rates"`
	Range   [2]float64 `json:"range"`   // of the labels
	Classes int        `json:"classes"` // 0 for regression
	Samples []sample   `json:"samples"`

	// Features are [samples][modalities][1 + 2·rates][L D] bytes in base 64: X_m, then X̃_m and
	// X'_m for each rate. A byte b represents the value scale_m·(2b/255 − 1). "" if the model has
	// no features to show.
	L        int                     `json:"l"`
	D        int                     `json:"d"`
	Scale    [zoo.Modalities]float64 `json:"scale"`
	Features string                  `json:"features"`
}

type sample struct {
	ID     string   `json:"id"`
	Text   string   `json:"text"`
	Label  float64  `json:"label"`
	Tokens []string `json:"tokens"`
	// index of the lowest rate at which each position is missing
	MissingFrom [zoo.Modalities][]int `json:"missingFrom"`
	// [rates]; null for a prediction that is not finite
	Score  []*float64   `json:"score"`
	Weight [][]*float64 `json:"weight,omitempty"` // [rates][modalities]
}

// explorerJSON encodes an exploration as the data of explorer.js.
func explorerJSON(e *explore.Exploration) (template.JS, error) {
	data := explorerData{Seed: e.Seed, Of: e.Utterances, Rates: e.Rates, Range: e.Range,
		Classes: e.Classes, L: e.L, D: e.D}
	for m := range data.Scale {
		data.Scale[m] = scale(e.Samples, m)
	}
	var features []byte
	for i := range e.Samples {
		s := &e.Samples[i]
		out := sample{ID: s.ID, Text: s.Text, Label: rounded(float64(s.Label)), Tokens: s.Tokens,
			MissingFrom: s.MissingFrom}
		for _, v := range s.Views {
			out.Score = append(out.Score, finite(float64(v.Score)))
			var weight []*float64
			for _, w := range v.Weight {
				weight = append(weight, finite(w))
			}
			if weight != nil {
				out.Weight = append(out.Weight, weight)
			}
		}
		data.Samples = append(data.Samples, out)
		for m := range s.Complete {
			features = quantize(features, s.Complete[m], data.Scale[m])
			for _, v := range s.Views {
				features = quantize(features, v.Corrupted[m], data.Scale[m])
				features = quantize(features, v.Completed[m], data.Scale[m])
			}
		}
	}
	data.Features = base64.StdEncoding.EncodeToString(features)
	return scriptData(data)
}

// scale returns the 99.5th percentile of the absolute values of the features of modality m, or 0
// if there are none. Larger values are clipped, because a single outlier would hide the other
// differences.
func scale(samples []explore.Sample, m int) float64 {
	var all []float64
	add := func(x []float32) {
		for _, v := range x {
			all = append(all, math.Abs(float64(v)))
		}
	}
	for i := range samples {
		add(samples[i].Complete[m])
		for _, v := range samples[i].Views {
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

// quantize appends round(255·(v/scale + 1)/2) for each v of x, clipped to 0 … 255; NaN counts as
// 0.
func quantize(to []byte, x []float32, scale float64) []byte {
	for _, v := range x {
		normalized := min(max(float64(v)/scale, -1), 1)
		if math.IsNaN(normalized) {
			normalized = 0
		}
		to = append(to, byte(math.Round(255*(normalized+1)/2)))
	}
	return to
}

// finite returns v rounded to four decimals, or nil for a number that JSON cannot represent.
func finite(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	v = rounded(v)
	return &v
}

func rounded(v float64) float64 { return math.Round(v*1e4) / 1e4 }
