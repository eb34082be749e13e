package explore

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"math"
	"slices"

	ag "github.com/seed-6655bf3b/recap/autograd"
	"github.com/seed-6655bf3b/recap/datasets"
	"github.com/seed-6655bf3b/recap/internal/results"
	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/train"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// An Exploration shows what a trained model makes of some test utterances at each missing rate.
type Exploration struct {
	Seed    uint64 // of the model
	Of      int    // utterances, among which the samples are
	Rates   []float64
	Range   [2]float64 // of labels, or the first and the last class
	Classes int        // 0 where labels are predicted
	L, D    int        // shape of the features; 0 for a model without
	Samples []Sample
}

// A Sample is an utterance.
type Sample struct {
	ID, Text string
	Label    float32
	Words    []string                  // its tokens between [CLS] and [SEP]; those that continue a word begin with ##
	Gone     [zoo.Modalities][]int     // of each word and frame, the first of the rates at which it is missing, or their number
	Complete [zoo.Modalities][]float32 // X_m [L d], nil for a model without features
	At       []View                    // [rates]
}

// A View is a sample at one missing rate.
type View struct {
	Score                float32
	Weight               []float64                 // of the modalities; nil for a model without
	Corrupted, Completed [zoo.Modalities][]float32 // X̃_m and X'_m [L d]
}

// Options say what is explored.
type Options struct {
	Samples    int
	Device     string // "" for the run's
	Vocabulary string // pretrained model (nn.FindPretrained) whose tokens the data has; "" for the run's own
}

// maxViews is the largest number of rates at which samples are shown.
const maxViews = 11

// Run applies the first finished seed of a run, or the one whose directory is given, to test
// utterances chosen over the range of the errors that its predictions.csv holds.
func Run(ctx context.Context, dir string, o Options, log *slog.Logger) (*Exploration, error) {
	d, err := rundir.FirstFinished(dir)
	if err != nil {
		return nil, err
	}
	c, err := d.Config()
	if err != nil {
		return nil, err
	}
	c.MoveTo(o.Device)
	words, err := openTranscriber(&c, o.Vocabulary)
	if err != nil {
		return nil, err
	}
	p, err := train.OpenPredictor(d, &c)
	if err != nil {
		return nil, err
	}
	set, err := train.OpenData(&c)
	if err != nil {
		return nil, err
	}
	tested, err := results.Read(d, &c, p.Batcher.Kind)
	if err != nil {
		return nil, err
	}
	if got, want := set.Test.Len(), len(tested[0][0].ID); got != want {
		return nil, fmt.Errorf("explore: %s: expected the %d test utterances of its predictions, found %d; give back the data it was trained on", d, want, got)
	}
	e := &Exploration{Seed: c.Seed, Of: set.Test.Len(), Range: set.Range, Classes: c.Data.Classes}
	if e.Classes > 0 {
		e.Range = [2]float64{0, float64(e.Classes - 1)}
	}
	for _, i := range train.EvenlySpaced(len(tested[0]), maxViews) {
		e.Rates = append(e.Rates, tested[0][i].Rate)
	}
	if len(e.Rates) < len(tested[0]) {
		log.Info("samples are shown at some rates only", "rates", e.Rates, "of", len(tested[0]))
	}
	return e, explore(ctx, p, e, d, set.Test, overErrors(tested[0], o.Samples), words)
}

// overErrors chooses n utterances evenly over the order of their mean absolute errors, and returns
// their indices in order.
func overErrors(tested []*results.Predictions, n int) []int {
	sum := make([]float64, len(tested[0].ID))
	for _, p := range tested {
		for i, y := range p.Label {
			sum[i] += math.Abs(float64(p.Score[i]) - float64(y))
		}
	}
	order := train.Indices(len(sum))
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(sum[a], sum[b]) })
	var chosen []int
	for _, i := range train.EvenlySpaced(len(order), n) {
		chosen = append(chosen, order[i])
	}
	slices.Sort(chosen)
	return chosen
}

// explore fills in the samples.
func explore(ctx context.Context, p *train.Predictor, e *Exploration, d rundir.Dir, s *datasets.Split, chosen []int, words *transcriber) error {
	for _, i := range chosen {
		sample := Sample{ID: s.ID[i], Label: s.Label[i]}
		if e.Classes > 0 {
			sample.Label = float32(results.ClassOf(float64(sample.Label), e.Classes, p.Batcher.Kind))
		}
		if s.RawText != nil {
			sample.Text = s.RawText[i]
		}
		sample.Words = words.words(tokensOf(s, i), sample.Text)
		e.Samples = append(e.Samples, sample)
	}
	for r, rate := range e.Rates {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		masks := s.KeepMasks(datasets.FixedRates(s.Len(), rate))
		for at, i := range chosen {
			e.Samples[at].note(s, i, masks, r)
		}
		if err := view(p, e, s, chosen, masks); err != nil {
			return fmt.Errorf("explore: %s: %w", d, err)
		}
	}
	return nil
}

// tokensOf returns the tokens of utterance i between [CLS] and [SEP].
func tokensOf(s *datasets.Split, i int) []int {
	t := s.Language.T
	n := 0
	for n < t && s.Language.Mask[i*t+n] != 0 {
		n++
	}
	return s.Language.ID[i*t+min(1, n) : i*t+max(n-1, min(1, n))]
}

// note takes down what is missing at rate number r, the rates before it having been noted.
func (sample *Sample) note(s *datasets.Split, i int, k *datasets.KeepMasks, r int) {
	for m, keep := range [zoo.Modalities][]bool{
		k.Language[i*s.Language.T:][1:][:len(sample.Words)],
		k.Audio[i*s.Audio.T:][:s.Audio.Len[i]],
		k.Vision[i*s.Vision.T:][:s.Vision.Len[i]],
	} {
		if r == 0 {
			sample.Gone[m] = make([]int, len(keep))
		}
		for t, kept := range keep {
			if kept {
				sample.Gone[m][t] = r + 1
			}
		}
	}
}

// Inspector is implemented by a model that can show features beside its prediction: those that it
// embeds the input in and those that it completes, [B L d] for each modality.
type Inspector interface {
	Inspect(tp *ag.Tape, in *zoo.Input) (embedded, completed [zoo.Modalities]*ag.Tensor, out zoo.Output)
}

// view appends a view of each sample with the given keep masks.
func view(p *train.Predictor, e *Exploration, s *datasets.Split, chosen []int, masks *datasets.KeepMasks) error {
	first := e.Samples[0].At == nil
	at := 0
	for index := range slices.Chunk(chosen, p.BatchSize) {
		part := e.Samples[at:][:len(index)]
		at += len(index)
		model, ok := p.Model.(Inspector)
		if !ok {
			plainly(p, part, s, index, masks)
			continue
		}
		if first {
			embedded, _, _ := model.Inspect(p.Tape, p.Input(s, index, nil))
			e.L, e.D = embedded[0].Shape()[1], embedded[0].Shape()[2]
			for m, x := range embedded {
				for i, row := range rowsOf(x) {
					part[i].Complete[m] = row
				}
			}
		}
		corrupted, completed, y := model.Inspect(p.Tape, p.Input(s, index, masks))
		appendViews(p, part, y)
		for m := range zoo.Modalities {
			before, after := rowsOf(corrupted[m]), rowsOf(completed[m])
			for i := range part {
				v := &part[i].At[len(part[i].At)-1]
				v.Corrupted[m], v.Completed[m] = before[i], after[i]
			}
		}
	}
	return p.Device.Sync()
}

// plainly predicts with a model that has no features to show.
func plainly(p *train.Predictor, part []Sample, s *datasets.Split, index []int, masks *datasets.KeepMasks) {
	appendViews(p, part, p.Model.Predict(p.Tape, p.Input(s, index, masks)))
}

// appendViews adds a view to each sample.
func appendViews(p *train.Predictor, part []Sample, y zoo.Output) {
	var out results.Predictions
	out.Add(y, p.Batcher.Data.Label, p.Batcher.Class, p.Dims.Classes, len(part))
	for i := range part {
		v := View{Score: out.Score[i]}
		if out.Weight != nil {
			v.Weight = out.Weight[i][:]
		}
		part[i].At = append(part[i].At, v)
	}
}

// rowsOf returns the samples of x [B …].
func rowsOf(x *ag.Tensor) [][]float32 {
	values := x.Values()
	rows := make([][]float32, x.Shape()[0])
	n := len(values) / len(rows)
	for i := range rows {
		for _, v := range values[i*n:][:n] {
			rows[i] = append(rows[i], float32(v))
		}
	}
	return rows
}
