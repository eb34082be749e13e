package report

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seed-6655bf3b/recap/internal/explore"
	_ "github.com/seed-6655bf3b/recap/internal/gctest"
	"github.com/seed-6655bf3b/recap/internal/metric"
	"github.com/seed-6655bf3b/recap/internal/results"
	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/runs"
	"github.com/seed-6655bf3b/recap/internal/settings"
	"github.com/seed-6655bf3b/recap/internal/settings/settingstest"
	"github.com/seed-6655bf3b/recap/internal/tables"
)

var quiet = slog.New(slog.DiscardHandler)

// TestMain removes what the tests share.
func TestMain(m *testing.M) {
	code := m.Run()
	for _, f := range atEnd {
		f()
	}
	os.Exit(code)
}

var atEnd []func()

// trainOnce trains a small run with two seeds and returns its directory.
var trainOnce = sync.OnceValues(func() (string, error) {
	c, err := settings.Resolve(settings.Sources{Set: map[string]string{
		"data.limit": "20", "train.batch": "8", "train.epochs.stage1": "2",
		"train.epochs.stage2": "3", "eval.rates": "0,0.5,0.9",
		"train.lr": "0.01", // predictions that depend on the input
		"width":    "8", "heads": "2", "head_width": "4", "feed_forward": "8", "depth": "1",
		"text.width": "8", "text.heads": "2", "text.feed_forward": "8", "critic.width": "8"}})
	if err != nil {
		return "", err
	}
	out, err := os.MkdirTemp("", "report")
	if err != nil {
		return "", err
	}
	atEnd = append(atEnd, func() { os.RemoveAll(out) })
	r := &runs.Runner{Out: out, Log: quiet, Progress: func(runs.Progress) {}}
	dir, _, err := r.Train(context.Background(), c, []uint64{7, 8})
	return dir, err
})

// trained returns a copy of the directory of trainOnce.
func trained(t *testing.T) string {
	t.Helper()
	dir, err := trainOnce()
	if err != nil {
		t.Fatal(err)
	}
	again := filepath.Join(t.TempDir(), "full")
	if err := os.CopyFS(again, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return again
}

func render(t *testing.T, dir string, o Options) (*Page, string) {
	t.Helper()
	p, err := Build(t.Context(), dir, o, quiet)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := p.Write(&b); err != nil {
		t.Fatal(err)
	}
	return p, b.String()
}

// summaryOf returns the summary of labels −1 and 1, and of predictions that are off by a tenth of
// the seed and by the rate.
func summaryOf(t *testing.T, rates []float64, seeds ...uint64) *tables.Summary {
	t.Helper()
	c, s := settingstest.Resolved(t, nil), &tables.Summary{}
	for _, seed := range seeds {
		c.Seed = seed
		var list []*results.Predictions
		for _, rate := range rates {
			off := float32(seed)/10 + float32(rate)
			list = append(list, &results.Predictions{Rate: rate, ID: []string{"a", "b"},
				Label: []float32{-1, 1}, Score: []float32{-1 + off, 1 + off}})
		}
		s.AddTested(&c, metric.MOSI, [][]*results.Predictions{list})
	}
	return s
}

func number(v float64) *float64 { return &v }

// TestReport builds the page of a run with everything on it.
func TestReport(t *testing.T) {
	dir := trained(t)
	last := map[string][2]int{} // of each computation
	progress := func(doing string, done, total int) { last[doing] = [2]int{done, total} }
	p, page := render(t, dir, Options{Samples: 6, Progress: progress})
	if got, tsne := last["explorer, missing rate"], last["t-SNE"]; got != [2]int{2, 3} ||
		tsne[1] == 0 || tsne[0] != tsne[1]-1 {
		t.Errorf("the last reports of the progress are %v", last)
	}
	if _, again := render(t, dir, Options{Samples: 6}); again != page {
		t.Error("the same run gives another page")
	}
	wellFormed(t, page)
	selfContained(t, page)
	if len(p.Figures) != 5 || len(p.Notes) != 0 || strings.Count(page, "<svg") < 5 {
		t.Errorf("%d figures, notes %q; want the five of recap plot and none", len(p.Figures),
			p.Notes)
	}
	for _, text := range []string{"<h1>RECAP on synthetic</h1>",
		"mean ± standard deviation over 2 seeds", "Each seed, mean over the missing rates",
		"AUILC", "batch: 8", "data.limit=20",
		"Test split, mean over 3 missing rates from 0 to 0.9 and 2 seeds, ± the standard",
		"Baseline: always predicting the mean of the training labels, ",
		`<tr><th scope="row">baseline</th>`, "<td>undefined</td></tr>",
		"<dt>MAE ↓</dt><dd>Mean absolute error"} {
		if !strings.Contains(page, text) {
			t.Errorf("the page does not contain %q", text)
		}
	}
	if i, j := strings.Index(page, `class="headline"`), strings.Index(page, "<dl"); i < 0 || i > j {
		t.Error("the headline is not the first thing on the page")
	}
	checkJournals(t, dir, page)
	checkSamples(t, page)
}

// TestPageWithoutSnapshot removes the parameters after stage 1: without the explorer the page needs
// neither the data nor the model.
func TestPageWithoutSnapshot(t *testing.T) {
	dir := trained(t)
	if err := os.Remove(filepath.Join(dir, "seed7", rundir.SnapshotFile("stage1"))); err != nil {
		t.Fatal(err)
	}
	if p, page := render(t, dir, Options{}); len(p.Figures) != 4 ||
		strings.Contains(page, `id="explorer"`) || strings.Contains(page, "Baseline: ") {
		t.Errorf("without explorer: %d figures, want 4", len(p.Figures))
	}
	if p, page := render(t, dir, Options{Samples: 2}); len(p.Notes) != 1 ||
		!strings.Contains(page,
			"The figure of the feature spaces after stage 1 is missing: plots: ") {
		t.Errorf("without the checkpoint of stage 1: notes %q", p.Notes)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Build(ctx, dir, Options{Samples: 2}, quiet); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}

func TestLivePage(t *testing.T) {
	if _, page := render(t, trained(t), Options{Live: true}); !strings.Contains(page,
		"<body data-live>") || !strings.Contains(page, "connect-src &#39;self&#39;") {
		t.Error("a live page may not connect to the server")
	}
}

// TestBaselineOfOwnSplits is of a run whose seeds have splits of their own.
func TestBaselineOfOwnSplits(t *testing.T) {
	dir := trained(t)
	for _, seed := range []string{"seed7", "seed8"} {
		d := rundir.Dir(filepath.Join(dir, seed))
		c, err := d.Config()
		if err != nil {
			t.Fatal(err)
		}
		c.Data.Resplit = settings.ResplitBySeed
		if err := d.WriteConfig(&c); err != nil {
			t.Fatal(err)
		}
	}
	if _, page := render(t, dir, Options{Samples: 2}); !strings.Contains(page,
		", in the splits of seed 7, has MAE") {
		t.Error("the page does not say in whose splits the baseline is")
	}
}

// checkJournals compares the data of the curves with the journal files.
func checkJournals(t *testing.T, dir, page string) {
	t.Helper()
	var run struct {
		Epochs map[string]int
		Seeds  []struct {
			Seed     int
			Finished bool
			Records  []json.RawMessage
		}
	}
	decode(t, page, "run-data", &run)
	if len(run.Seeds) != 2 || run.Seeds[1].Seed != 8 || !run.Seeds[1].Finished ||
		run.Epochs["stage2"] != 3 {
		t.Fatalf("seeds: %+v", run)
	}
	text, err := os.ReadFile(filepath.Join(dir, "seed8", rundir.JournalFile))
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, r := range run.Seeds[1].Records {
		lines = append(lines, string(r)+"\n")
	}
	if strings.Join(lines, "") != string(text) {
		t.Error("the journal in the page is not the run's")
	}
}

// TestAdaptation checks that the page of a model that is not its paper's says so.
func TestAdaptation(t *testing.T) {
	dir := trained(t)
	run, err := rundir.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	spec := run.Config.Spec()
	spec.Adaptation = "The paper classifies images."
	t.Cleanup(func() { spec.Adaptation = "" })
	if _, page := render(t, dir, Options{}); !strings.Contains(page,
		`<p class="note">RECAP: The paper classifies images.</p>`) {
		t.Error("the page does not have the note about the model")
	}
}

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
		got := newHeadline(summaryOf(t, c.rates, c.seeds...))
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
	if diff := cmp.Diff(want, newResults(run, summaryOf(t, []float64{0.5}, 1))); diff != "" {
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
	if diff := cmp.Diff(want, newResults(run, summaryOf(t, []float64{0, 0.5}, 1, 3))); diff != "" {
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
		constant := results.Baseline{Constant: 1,
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
