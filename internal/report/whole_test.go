package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seed-6655bf3b/recap/internal/explore"
	"github.com/seed-6655bf3b/recap/internal/metric"
	tested "github.com/seed-6655bf3b/recap/internal/results"
	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/settings"
	"github.com/seed-6655bf3b/recap/internal/settings/settingstest"
	"github.com/seed-6655bf3b/recap/internal/tables"
)

// summaryOf returns the summary of labels −1 and 1, and of predictions that are off by a tenth of
// the seed and by the rate.
func summaryOf(t *testing.T, rates []float64, seeds ...uint64) *tables.Summary {
	t.Helper()
	c, s := settingstest.Resolved(t, nil), &tables.Summary{}
	for _, seed := range seeds {
		c.Seed = seed
		var list []*tested.Predictions
		for _, rate := range rates {
			off := float32(seed)/10 + float32(rate)
			list = append(list, &tested.Predictions{Rate: rate, ID: []string{"a", "b"},
				Label: []float32{-1, 1}, Score: []float32{-1 + off, 1 + off}})
		}
		s.AddTested(&c, metric.MOSI, [][]*tested.Predictions{list})
	}
	return s
}

func number(v float64) *float64 { return &v }

// TestHeadline has one rate and one seed, and several of both.
func TestHeadline(t *testing.T) {
	for _, c := range []struct {
		rates []float64
		seeds []uint64
		want  Headline
	}{
		{[]float64{0.5}, []uint64{1}, Headline{Of: "missing rate 0.5", Scores: []Score{
			{"MAE ↓", number(0.6), "0.6000"}, {"Corr ↑", number(1), "1.0000"}}}},
		{[]float64{0, 0.5}, []uint64{1, 3}, Headline{Of: "mean over 2 missing rates from 0 to " +
			"0.5 and 2 seeds, ± the standard deviation over the seeds", Scores: []Score{
			{"MAE ↓", number(0.45), "0.4500 ± 0.1000"}, {"Corr ↑", number(1), "1.0000 ± 0.0000"}}}},
	} {
		got := headline(summaryOf(t, c.rates, c.seeds...))
		if diff := cmp.Diff(&c.want, got, cmpopts.EquateApprox(0, 1e-6)); diff != "" {
			t.Error(diff)
		}
	}
}

// TestResults compares the tables of one seed at one rate, and of two seeds at two rates.
func TestResults(t *testing.T) {
	run := &rundir.Run{Config: settingstest.Resolved(t, nil)}
	one := func(values ...string) (cells []Cell) {
		for _, v := range values {
			mean, std, _ := strings.Cut(v, "±")
			cells = append(cells, Cell{mean, std})
		}
		return cells
	}
	keys := metric.Keys(metric.MOSI)
	var meanings []Property
	for i, key := range keys {
		arrow := " ↑"
		if i == 6 {
			arrow = " ↓"
		}
		meanings = append(meanings, Property{key + arrow, metric.Meaning(metric.MOSI, key)})
	}
	// off by 0.6: −0.4 and 1.6 are of the classes 0 and 2
	want := &Results{Caption: "selected by validation MAE at rate 0.5", Metrics: keys,
		Meanings: meanings, Rates: []Row{
			{"0.5", one("1.0000", "1.0000", "1.0000", "1.0000", "0.0000", "0.0000", "0.6000",
				"1.0000")},
			{"mean", one("1.0000", "1.0000", "1.0000", "1.0000", "0.0000", "0.0000", "0.6000",
				"1.0000")}}}
	if diff := cmp.Diff(want, results(run, summaryOf(t, []float64{0.5}, 1))); diff != "" {
		t.Error(diff)
	}
	// off by 0.1 and 0.3 at rate 0, all are right; by 0.6 and 0.8 at rate 0.5, none of the classes
	const all = "1.0000±0.0000"
	want = &Results{Caption: "mean ± standard deviation over 2 seeds; selected by validation MAE " +
		"at rate 0.5", Metrics: keys, Meanings: append(slices.Clone(meanings), Property{"AUILC",
		"The area under the curve of a metric over the missing rates."}), Rates: []Row{
		{"0", one(all, all, all, all, all, all, "0.2000±0.1000", all)},
		{"0.5", one(all, all, all, all, "0.0000±0.0000", "0.0000±0.0000", "0.7000±0.1000", all)},
		{"mean", one(all, all, all, all, "0.5000±0.0000", "0.5000±0.0000", "0.4500±0.1000", all)},
		{"AUILC", one("0.5000±0.0000", "0.5000±0.0000", "0.5000±0.0000", "0.5000±0.0000",
			"0.2500±0.0000", "0.2500±0.0000", "0.2250±0.0500", "0.5000±0.0000")}},
		Seeds: []Row{
			{"1", one("1.0000", "1.0000", "1.0000", "1.0000", "0.5000", "0.5000", "0.3500",
				"1.0000")},
			{"3", one("1.0000", "1.0000", "1.0000", "1.0000", "0.5000", "0.5000", "0.5500",
				"1.0000")},
		}}
	if diff := cmp.Diff(want, results(run, summaryOf(t, []float64{0, 0.5}, 1, 3))); diff != "" {
		t.Error(diff)
	}
}

// TestBaselineOfAPage adds the scores of the constant predictor: one is undefined.
func TestBaselineOfAPage(t *testing.T) {
	for _, c := range []struct {
		classes      int
		ofSeed, what string
	}{
		{0, "", "the mean of the training labels, 1.000"},
		{3, ", in the splits of seed 5", "the most frequent class of the training set, 1, in the " +
			"splits of seed 5"},
	} {
		p := &Page{Headline: &Headline{Scores: []Score{{Metric: "MAE ↓"}, {Metric: "Corr ↑"}}},
			Results: &Results{Metrics: []string{"Corr", "MAE"}, Rates: []Row{{Name: "mean"}},
				Meanings: []Property{{"MAE ↓", "error"}}}}
		constant := tested.Baseline{Constant: 1,
			Scores: metric.Scores{"MAE": 1.23456, "Corr": math.NaN()}}
		p.addBaseline(&explore.Exploration{Classes: c.classes, Baseline: constant}, c.ofSeed)
		want := &Page{Headline: &Headline{Scores: p.Headline.Scores, Baseline: "Baseline: always " +
			"predicting " + c.what + ", has MAE 1.2346, Corr undefined."},
			Results: &Results{Metrics: []string{"Corr", "MAE"},
				Rates: []Row{{Name: "mean"},
					{"baseline", []Cell{{"undefined", ""}, {"1.2346", ""}}}},
				Meanings: []Property{{"MAE ↓", "error"}, {"baseline", "A model that ignores its " +
					"input and always predicts " + c.what + "."}}}}
		if diff := cmp.Diff(want, p); diff != "" {
			t.Error(diff)
		}
	}
}

// TestProperties compares the whole list, of generated data and of a file.
func TestProperties(t *testing.T) {
	c := settingstest.Resolved(t, map[string]string{"model": "recap", "data.limit": "20",
		"train.lr": "0.1"})
	run := &rundir.Run{Config: c, Seeds: []rundir.SeedRun{{Seed: 7, Finished: true}, {Seed: 8}}}
	want := []Property{{"Data", "generated by the program"},
		{"Text encoder", "trained from scratch"}, {"Seeds", "7, 8 (unfinished)"},
		{"Device", c.Device}, {"Preset", "quick"},
		{"Overridden settings", strings.Join(c.Changes(), ", ")},
		{"Checkpoint", "selected by validation MAE at rate 0.5"}, {"Missing rates", c.Eval.Rates}}
	if diff := cmp.Diff(want, properties(run)); diff != "" || len(c.Changes()) < 2 {
		t.Error(diff, c.Changes())
	}
	preset, err := settings.Resolve(settings.Sources{})
	if err != nil {
		t.Fatal(err)
	}
	preset.Data.File = filepath.Join("a", "mosi.pkl")
	preset.Method.TextEncoder().BERT = filepath.Join("a", "bert")
	list := properties(&rundir.Run{Config: preset})
	if list[0].Value != "mosi.pkl" || list[1].Value != "bert" || list[2].Value != "" {
		t.Errorf("%q", list)
	}
}

// TestExplorerJSON compares the data of two samples at two rates, whose features have one number.
// Of the largest numbers 1, 2 and 4 of the modalities the bytes are 255·(v/scale + 1)/2.
func TestExplorerJSON(t *testing.T) {
	inf := float32(math.Inf(1))
	of := func(l, a, v float32) [3][]float32 { return [3][]float32{{l}, {a}, {v}} }
	e := &explore.Exploration{Seed: 5, Utterances: 40, Rates: []float64{0, 0.5},
		Range: [2]float64{-3, 3}, Classes: 0, L: 1, D: 1, Samples: []explore.Sample{
			{ID: "<a>", Text: "x", Label: 1.23456, Tokens: []string{"x"},
				MissingFrom: [3][]int{{1}, {2, 0}, {}}, Complete: of(1, -2, 4),
				Views: []explore.View{
					{Score: 0.5, Weight: []float64{0.5, 0.25, 0.25}, Corrupted: of(0, 2, -4),
						Completed: of(0.5, 1, 2)},
					{Score: inf, Weight: []float64{1, math.NaN(), 0}, Corrupted: of(-1, 0, 0),
						Completed: of(-0.5, -1, -2)}}},
			{ID: "b", Complete: of(1, 2, 4), Views: []explore.View{{Score: -1,
				Corrupted: of(1, 2, 4), Completed: of(1, 2, 4)}, {Score: -2,
				Corrupted: of(1, 2, 4), Completed: of(1, 2, 4)}}}}}
	text, err := explorerJSON(e)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	var want map[string]any
	// 0 → 127.5, ±0.5 of 1 → 191.25 and 63.75
	features := []byte{255, 128, 191, 0, 64, 0, 255, 191, 128, 64, 255, 0, 191, 128, 64}
	features = append(features, bytes.Repeat([]byte{255}, 15)...)
	encoded, err := json.Marshal(features) // base 64
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(`{"seed":5,"of":40,"rates":[0,0.5],"range":[-3,3],"classes":0,`+
		`"l":1,"d":1,"scale":[1,2,4],"features":`+string(encoded)+`,"samples":[`+
		`{"id":"<a>","text":"x","label":1.2346,"tokens":["x"],"missingFrom":[[1],[2,0],[]],`+
		`"score":[0.5,null],"weight":[[0.5,0.25,0.25],[1,null,0]]},`+
		`{"id":"b","text":"","label":0,"tokens":null,"missingFrom":[null,null,null],`+
		`"score":[-1,-2]}]}`), &want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" || strings.Contains(string(text), "<a>") {
		t.Error(diff)
	}
}

// TestPolicy allows the hashes of scripts, none, and the given sources.
func TestPolicy(t *testing.T) {
	const none = "default-src 'none'; script-src 'none'; style-src 'unsafe-inline'; connect-src " +
		"'none'; base-uri 'none'; form-action 'self'"
	if got := policy("'none'", "'self'"); got != none {
		t.Errorf("%s, want %s", got, none)
	}
	// the SHA-256 of "" and of "a" in base 64
	const two = "default-src 'none'; script-src " +
		"'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=' " +
		"'sha256-ypeBEsobvcr6wjGzmiPcTaeG7/gUfE5yuYB3ha/uSLs='; style-src 'unsafe-inline'; " +
		"connect-src 'self'; base-uri 'none'; form-action 'none'"
	if got := policy("'self'", "'none'", "", "a"); got != two {
		t.Errorf("%s, want %s", got, two)
	}
}

// TestPagesCannotBeWritten expects the errors of the writer and of the data.
func TestPagesCannotBeWritten(t *testing.T) {
	full, w := io.Pipe()
	full.CloseWithError(errors.New("full"))
	for what, write := range map[string]func(io.Writer) error{"page": (&Page{}).Write,
		"list": (&Index{}).Write, "comparison": (&Comparison{Pair: &tables.Pair{}}).Write} {
		if err := write(w); err == nil || err.Error() != "report: full" {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := scriptData(math.NaN()); err == nil || !strings.HasPrefix(err.Error(), "report: ") {
		t.Errorf("a number that JSON has not: %v", err)
	}
	bad := &Index{Runs: []RunStatus{{Scores: []Score{{Value: number(math.Inf(1))}}}}}
	if err := bad.Write(io.Discard); err == nil {
		t.Error("a list with a number that JSON has not")
	}
}

// TestDamagedRun damages the files of a run one after the other: the error names the file.
func TestDamagedRun(t *testing.T) {
	dir := trained(t)
	d := rundir.Dir(filepath.Join(dir, "seed8"))
	for _, name := range []string{rundir.ConfigFile, rundir.JournalFile, rundir.PredictionsFile} {
		text, err := os.ReadFile(d.File(name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(d.File(name), []byte("{x: [\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if p, err := Build(t.Context(), dir, Options{}, quiet); err == nil || p != nil ||
			!strings.Contains(err.Error(), d.File(name)) {
			t.Errorf("a damaged %s: %v", name, err)
		}
		if err := os.WriteFile(d.File(name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, err := Build(t.Context(), dir, Options{Samples: 1, Device: "abacus"}, quiet)
	if err == nil || !strings.HasSuffix(err.Error(), "; --samples 0 omits the explorer") {
		t.Errorf("an explorer on another device: %v", err)
	}
	nowhere := filepath.Join(dir, "nowhere")
	if _, err := Build(t.Context(), nowhere, Options{}, quiet); err == nil ||
		!strings.Contains(err.Error(), nowhere) {
		t.Errorf("no run: %v", err)
	}
}

// TestFiguresOfAPage has the confusion matrix at rate 0.5, or at the middle rate if the run was not
// tested at it, and a note in place of a figure that cannot be drawn.
func TestFiguresOfAPage(t *testing.T) {
	dir := trained(t)
	for _, c := range []struct {
		rates []float64
		want  string
	}{{[]float64{0, 0.5, 0.9}, "0.5"}, {[]float64{0, 0.9}, "0.9"}, {[]float64{0}, "0"}} {
		var p Page
		if err := p.addFigures(t.Context(), dir, c.rates, Options{}, quiet); err != nil {
			t.Fatal(err)
		}
		want := "Confusion matrices at a missing rate of " + c.want + ", sums over all seeds"
		if len(p.Figures) != 4 || !strings.HasPrefix(p.Figures[2].Caption, want) ||
			!strings.HasPrefix(p.Figures[3].Caption, "Weights α") || p.Notes != nil {
			t.Errorf("rates %g: figures %d, want %s; notes %q", c.rates, len(p.Figures), want,
				p.Notes)
		}
		for _, f := range p.Figures {
			if !strings.HasPrefix(string(f.SVG), "<svg ") {
				t.Errorf("%s is %.20s", f.Caption, f.SVG)
			}
		}
	}
	var live Page
	if err := live.addFigures(t.Context(), dir, []float64{0.5}, Options{Samples: 1, Live: true},
		quiet); err != nil || len(live.Figures) != 4 || !slices.Equal(live.Notes, []string{
		"The figure of the feature spaces after stage 1 takes long to compute; recap report " +
			"draws it."}) {
		t.Errorf("live: %d figures, %q, %v", len(live.Figures), live.Notes, err)
	}
	path := rundir.Dir(filepath.Join(dir, "seed7")).File(rundir.PredictionsFile)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(text), "\n")
	for i, line := range lines[1:] { // without weights
		if cells := strings.Split(line, ","); len(cells) == 7 {
			lines[i+1] = strings.Join(cells[:4], ",") + ",,,\n"
		}
	}
	if err := os.WriteFile(path, []byte(strings.Join(lines, "")), 0o600); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	var p Page
	if err := p.addFigures(t.Context(), dir, []float64{0.5}, Options{},
		slog.New(slog.NewTextHandler(&log, nil))); err != nil {
		t.Fatal(err)
	}
	const note = "The figure of the modality weights is missing: plots: full: expected a model " +
		"with modality weights, found no weights in predictions.csv"
	if len(p.Figures) != 3 || !slices.Equal(p.Notes, []string{note}) ||
		!strings.Contains(log.String(), `level=WARN msg="figure omitted" figure="the modality `+
			`weights" reason="plots: `+dir) {
		t.Errorf("%d figures, notes %q, log %s", len(p.Figures), p.Notes, &log)
	}
}

// TestUnfinishedPage is of a run of which one seed is not finished, and of one without a finished
// seed: a page that is not live says it, and so does the log.
func TestUnfinishedPage(t *testing.T) {
	dir := trained(t)
	const note = "The run is not finished; recap train --resume continues it."
	for i, seed := range []string{"seed7", "seed8"} {
		path := rundir.Dir(filepath.Join(dir, seed)).File(rundir.PredictionsFile)
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		for _, live := range []bool{false, true} {
			var log bytes.Buffer
			p, err := Build(t.Context(), dir, Options{Live: live},
				slog.New(slog.NewTextHandler(&log, nil)))
			if err != nil {
				t.Fatal(err)
			}
			warned := strings.Contains(log.String(), `level=WARN msg="the run is not finished" `+
				`run=`+dir+` continue="recap train --resume `+dir+`"`)
			if slices.Contains(p.Notes, note) == live || warned == live || p.Live != live {
				t.Errorf("live %v: notes %q, log %s", live, p.Notes, &log)
			}
			if (p.Headline == nil) != (i == 1) || (p.Results == nil) != (i == 1) ||
				(len(p.Figures) == 0) != (i == 1) {
				t.Errorf("%d seeds are not finished: %v, %d figures", i+1, p.Headline,
					len(p.Figures))
			}
		}
	}
}
