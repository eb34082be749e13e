package results

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"

	"github.com/seed-6655bf3b/recap/internal/metric"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// Predictions are the outputs of a model for all utterances of a split at one missing rate.
type Predictions struct {
	Rate   float64
	ID     []string
	Label  []float32                 // or the class; nil if the split has no labels
	Score  []float32                 // the predicted label or class
	Weight [][zoo.Modalities]float64 // weights of the modalities; nil if the model has none
	Loss   float64                   // mean cross-entropy; 0 for regression

	Probability [][]float64 // of each class; nil for regression and if read from a file
}

// Add appends the outputs for a batch. n is the number of utterances of the split.
func (out *Predictions) Add(y zoo.Output, label []float32, class []int, classes, n int) {
	if classes > 0 {
		out.addClasses(y.Score.Values(), class, classes, n)
	} else {
		out.Label = append(out.Label, label...)
		for _, v := range y.Score.Values() {
			out.Score = append(out.Score, float32(v))
		}
	}
	if y.Weight != nil {
		for w := range slices.Chunk(y.Weight.Values(), zoo.Modalities) {
			out.Weight = append(out.Weight, [zoo.Modalities]float64(w))
		}
	}
}

// addClasses appends the most likely classes for logits z [B C] and the probabilities of all
// classes, softmax(z), and adds the batch's part to the mean over n utterances of the cross-entropy
// ln Σ_c e^{z_c} − z_y.
func (out *Predictions) addClasses(logits []float64, class []int, classes, n int) {
	i := 0
	for z := range slices.Chunk(logits, classes) {
		top := slices.Max(z)
		out.Score = append(out.Score, float32(slices.Index(z, top)))
		p, sum := make([]float64, classes), 0.0
		for c, v := range z {
			p[c] = math.Exp(v - top)
			sum += p[c]
		}
		for c := range p {
			p[c] /= sum
		}
		out.Probability = append(out.Probability, p)
		if len(class) > 0 {
			out.Label = append(out.Label, float32(class[i]))
			out.Loss += (top + math.Log(sum) - z[class[i]]) / float64(n)
		}
		i++
	}
}

// Evaluate returns the metrics of the predictions: of regression for classes 0, otherwise of
// classification.
func (out *Predictions) Evaluate(kind metric.Kind, classes int) metric.Scores {
	if classes == 0 {
		return metric.Compute(kind, out.Score, out.Label)
	}
	return metric.Classify(classes, toInts(out.Score), toInts(out.Label))
}

func toInts(x []float32) []int {
	n := make([]int, len(x))
	for i, v := range x {
		n[i] = int(v)
	}
	return n
}

var predictionColumns = []string{"id", "rate", "label", "prediction", "alpha_l", "alpha_a",
	"alpha_v"}

// WriteCSV writes predictions with the columns id, rate, label, prediction, alpha_l, alpha_a and
// alpha_v. Labels and predictions read back as the same numbers. Cells without a value are empty.
func WriteCSV(w io.Writer, all []*Predictions) error {
	c := csv.NewWriter(w)
	rows := [][]string{predictionColumns}
	for _, p := range all {
		for i, id := range p.ID {
			row := []string{id, FormatNumber(p.Rate), "", FormatFloat32(p.Score[i]), "", "", ""}
			if p.Label != nil {
				row[2] = FormatFloat32(p.Label[i])
			}
			if p.Weight != nil {
				for m, v := range p.Weight[i] {
					row[4+m] = strconv.FormatFloat(v, 'f', 4, 64)
				}
			}
			rows = append(rows, row)
		}
	}
	return c.WriteAll(rows)
}

// WriteJSON writes an object in each line: id, prediction, and where they are known label, the
// probabilities of the classes, and the weights of language, audio and vision.
func WriteJSON(w io.Writer, p *Predictions) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	for i, id := range p.ID {
		row := struct {
			ID            string    `json:"id"`
			Prediction    float32   `json:"prediction"`
			Label         *float32  `json:"label,omitempty"`
			Probabilities []float64 `json:"probabilities,omitempty"`
			Language      *float64  `json:"alpha_l,omitempty"`
			Audio         *float64  `json:"alpha_a,omitempty"`
			Vision        *float64  `json:"alpha_v,omitempty"`
		}{ID: id, Prediction: p.Score[i]}
		if p.Label != nil && !math.IsNaN(float64(p.Label[i])) {
			row.Label = &p.Label[i]
		}
		if p.Probability != nil {
			row.Probabilities = p.Probability[i]
		}
		if p.Weight != nil {
			w := &p.Weight[i]
			row.Language, row.Audio, row.Vision = &w[zoo.Language], &w[zoo.Audio], &w[zoo.Vision]
		}
		if err := encoder.Encode(row); err != nil {
			return fmt.Errorf("results: %.60q: expected finite numbers: %w", id, err)
		}
	}
	return nil
}

// FormatNumber returns the shortest text that reads back as v.
func FormatNumber(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// FormatFloat32 returns the shortest text that reads back as v in float32.
func FormatFloat32(v float32) string { return strconv.FormatFloat(float64(v), 'g', -1, 32) }

// readCSV reads predictions, one element per rate, in the order of the file. path is for messages.
// It returns an error with the line that is not as [WriteCSV] writes it.
func readCSV(path string, text []byte) ([]*Predictions, error) {
	lineError := func(line int, expected string) error {
		return fmt.Errorf("results: %s: line %d: expected %s; train or resume the run again",
			path, line, expected)
	}
	rows, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	var parseError *csv.ParseError
	if errors.As(err, &parseError) {
		return nil, lineError(parseError.Line,
			fmt.Sprintf("a row of %d cells, found %v", len(predictionColumns), parseError.Err))
	}
	if err != nil || len(rows) < 2 || !slices.Equal(rows[0], predictionColumns) {
		return nil, lineError(1, "a table of predictions")
	}
	var all []*Predictions
	for i, row := range rows[1:] {
		rate, e1 := strconv.ParseFloat(row[1], 64)
		label, e2 := strconv.ParseFloat(row[2], 32)
		score, e3 := strconv.ParseFloat(row[3], 32)
		if e1 != nil || e2 != nil || e3 != nil {
			return nil, lineError(i+2, "numbers for rate, label and prediction")
		}
		if len(all) == 0 || all[len(all)-1].Rate != rate {
			all = append(all, &Predictions{Rate: rate})
		}
		p := all[len(all)-1]
		p.ID = append(p.ID, row[0])
		p.Label, p.Score = append(p.Label, float32(label)), append(p.Score, float32(score))
		weight, ok := weightsOf(row[4:])
		if !ok || i > 0 && (weight == nil) != (all[0].Weight == nil) {
			return nil, lineError(i+2, "weights of all three modalities, in every line or none")
		}
		if weight != nil {
			p.Weight = append(p.Weight, [zoo.Modalities]float64(weight))
		}
	}
	return all, nil
}

// weightsOf parses the weights of the modalities, nil if the cells are empty.
func weightsOf(cells []string) (weight []float64, ok bool) {
	if !slices.ContainsFunc(cells, func(s string) bool { return s != "" }) {
		return nil, true
	}
	for _, cell := range cells {
		v, err := strconv.ParseFloat(cell, 64)
		if err != nil {
			return nil, false
		}
		weight = append(weight, v)
	}
	return weight, true
}
