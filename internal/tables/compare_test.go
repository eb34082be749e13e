package tables

import (
	"bytes"
	"cmp"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/seed-6655bf3b/recap/internal/files/filestest"
	_ "github.com/seed-6655bf3b/recap/internal/gctest"
	"github.com/seed-6655bf3b/recap/internal/literature"
	"github.com/seed-6655bf3b/recap/internal/metric"
	"github.com/seed-6655bf3b/recap/internal/results"
	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/settings"
	"github.com/seed-6655bf3b/recap/internal/settings/settingstest"
	"github.com/seed-6655bf3b/recap/internal/typeset"
	"github.com/seed-6655bf3b/recap/recap"
)

// A runWriter writes finished runs into a folder. Their predictions differ from the labels by given
// offsets. With data.resplit=seed, the test split of seed s has the utterances u<s>, u<s+1>, …; the
// prediction for u<i> differs by i times the offset.
type runWriter struct {
	t      *testing.T
	out    string
	labels []float32
}

// write writes a seed whose predictions at rate r are labels + offsets[r].
func (w *runWriter) write(
	name string, c settings.Config, seed uint64, offsets map[float64]float32,
) {
	w.t.Helper()
	filestest.Use(w.t, filestest.Fast{})
	c.Seed, c.Name = seed, name
	d := rundir.Dir(filepath.Join(w.out, c.Dataset, c.Model, name, fmt.Sprintf("seed%d", seed)))
	var all []*results.Predictions
	rates, err := settings.ParseRates(c.Eval.Rates)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, r := range rates {
		p := &results.Predictions{Rate: r}
		for i, y := range w.labels {
			offset := offsets[r]
			if c.Data.Resplit == settings.ResplitBySeed {
				i += int(seed)
				y, offset = w.labels[i%len(w.labels)], float32(i)*offset
			}
			p.ID = append(p.ID, fmt.Sprint("u", i))
			p.Label, p.Score = append(p.Label, y), append(p.Score, y+offset)
		}
		all = append(all, p)
	}
	var b bytes.Buffer
	if err := results.WriteCSV(&b, all); err != nil {
		w.t.Fatal(err)
	}
	if _, err := rundir.CreateSeeds(filepath.Dir(string(d)), c, []uint64{seed}); err != nil {
		w.t.Fatal(err)
	}
	dims := map[string]string{"dims": `{"Vocab":9,"TextT":4,"AudioT":4,"AudioD":2,"VisionT":4,` +
		`"VisionD":2,"Range":[-3,3]}`}
	if err := rundir.SaveTensors(d.File(rundir.BestFile), nil, dims); err != nil {
		w.t.Fatal(err)
	}
	if err := rundir.WriteFile(d.File(rundir.PredictionsFile), b.Bytes()); err != nil {
		w.t.Fatal(err)
	}
}

// collect returns the comparisons of the runs, and what the log says.
func (w *runWriter) collect(dataset string) ([]*Comparison, string) {
	w.t.Helper()
	var log bytes.Buffer
	all, err := Collect(w.out, dataset, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		w.t.Fatal(err)
	}
	return Compare(all), log.String()
}

// recapConfig returns a configuration of RECAP with settings changed.
func recapConfig(t *testing.T, set map[string]string) settings.Config {
	t.Helper()
	all := map[string]string{"model": "recap", "dataset": "mosi", "eval.rates": "0,0.5,0.9"}
	for k, v := range set {
		all[k] = v
	}
	return settingstest.Resolved(t, all)
}

var (
	fourLabels   = []float32{-2, -1, 1, 2}
	smallOffsets = map[float64]float32{0: 0.1, 0.5: 0.2, 0.9: 0.4}
	largeOffsets = map[float64]float32{0: 0.3, 0.5: 0.4, 0.9: 0.6}
)

// TestTables checks tables against numbers worked out by hand: a prediction that is off by x
// everywhere has a MAE of x.
func TestTables(t *testing.T) {
	w := &runWriter{t, t.TempDir(), fourLabels}
	w.write("full", recapConfig(t, nil), 10, smallOffsets)
	w.write("more", recapConfig(t, nil), 9, largeOffsets)
	w.write("no-fid", recapConfig(t, map[string]string{"variant": "no-fid"}), 10, largeOffsets)
	list, log := w.collect("")
	if len(list) != 1 || len(list[0].rows) != 2 || log != "" {
		t.Fatalf("%d comparisons, log %q", len(list), log)
	}
	p := list[0]
	if !slices.Equal(p.rows[0].Seeds, []uint64{9, 10}) {
		t.Errorf("seeds %v of two directories with one configuration", p.rows[0].Seeds)
	}
	check := func(what string, got *typeset.Table, header []string, rows [][]string) {
		t.Helper()
		if diff := gocmp.Diff(header, got.Header); diff != "" {
			t.Error(what, diff)
		}
		if diff := gocmp.Diff(rows, got.Rows); diff != "" {
			t.Error(what, diff)
		}
	}
	// Means 0.7/3 and 1.3/3. Areas (0.1+0.2)/2·0.5 + (0.2+0.4)/2·0.4 = 0.195 and (0.3+0.4)/2·0.5 +
	// (0.4+0.6)/2·0.4 = 0.375.
	check("rates", p.Rates("MAE"),
		[]string{"model", "settings", "0", "0.5", "0.9", "mean", "AUILC"}, [][]string{
			{"RECAP", "seeds 9 10", "0.2000 ± 0.1000", "0.3000 ± 0.1000", "0.5000 ± 0.1000",
				"0.3333 ± 0.1000", "0.2850 ± 0.0900"},
			{"w/o FID", "seed 10", "0.3000", "0.4000", "0.6000", "0.4333", "0.3750"}})
	check("means", p.Means([]string{"MAE", "Corr"}), []string{"model", "settings", "MAE", "Corr"},
		[][]string{
			{"RECAP", "seeds 9 10", "0.3333 ± 0.1000", "1.0000 ± 0.0000"},
			{"w/o FID", "seed 10", "0.4333", "1.0000"}})
	check("areas", p.Areas([]string{"MAE", "Corr"}), []string{"model", "settings", "MAE", "Corr"},
		[][]string{
			{"RECAP", "seeds 9 10", "0.2850 ± 0.0900", "0.9000 ± 0.0000"},
			{"w/o FID", "seed 10", "0.3750", "0.9000"}})
	if note := p.Areas([]string{"MAE"}).Notes[0]; !strings.Contains(note, "from rate 0 to 0.9") ||
		!strings.Contains(note, "has 0.9 x") {
		t.Error(note)
	}

	for what, table := range map[string]*typeset.Table{"rates": p.Rates("MAE"),
		"areas": p.Areas([]string{"MAE"})} {
		if note := strings.Join(table.Notes, ""); strings.Count(note, "has 0.9 x") != 1 {
			t.Errorf("%s: the notes %q do not say once what the area is", what, note)
		}
		if table.LabelColumns != 2 || !slices.Equal(table.Important, important) {
			t.Errorf("%s: %d columns of names; columns that a narrow terminal keeps: %q", what,
				table.LabelColumns, table.Important)
		}
	}

	// Off by 0.4 or less every class is right, by 0.6 none: shares 1, 1, 0 have the mean 2/3 and
	// the area 1·0.5 + 0.5·0.4 = 0.7.
	lines := CSV(list, []string{"MAE", "Mult_acc_7", "F1_score"}, false)
	const data, selection = "generated by the program", "selected by validation MAE at rate 0.5"
	const same, last = settingsText + epochsText, "all, also MAE and Corr"
	want := [][]string{
		{"Model", "MAE", "Mult_acc_7", "F1_score", "AUILC_MAE", "AUILC_Mult_acc_7",
			"AUILC_F1_score", "Dataset", "Rate", "Rates", "Data", "Utterances", "Selection",
			"Seeds", "Settings", "Metrics_x100"},
		{"recap", "(33.33, 10.00)", "(83.33, 16.67)", "", "(28.50, 9.00)", "(80.00, 10.00)",
			"", "mosi", "mean", "0,0.5,0.9", data, "4", selection, "9 10", same[2:], last},
		{"recap no-fid", "(43.33, 0.00)", "(66.67, 0.00)", "", "(37.50, 0.00)", "(70.00, 0.00)",
			"", "mosi", "mean", "0,0.5,0.9", data, "4", selection, "10", same[2:], last},
	}
	if diff := gocmp.Diff(want, lines); diff != "" {
		t.Error(diff)
	}
	if byRate := CSV(list, []string{"MAE"}, true); len(byRate) != 1+2*4 ||
		!slices.Equal(byRate[0][:4], []string{"Model", "MAE", "Dataset", "Rate"}) ||
		byRate[2][1] != "(30.00, 10.00)" || byRate[2][3] != "0.5" {
		t.Error(byRate)
	}
}

// TestFewRates has one missing rate, of which there is no area, and two.
func TestFewRates(t *testing.T) {
	for rates, area := range map[string]string{"0.5": "", "0,0.5": "0.0750"} {
		w := &runWriter{t, t.TempDir(), fourLabels}
		w.write("full", recapConfig(t, map[string]string{"eval.rates": rates}), 5, smallOffsets)
		w.write("no-fid", recapConfig(t, map[string]string{"eval.rates": rates,
			"variant": "no-fid"}), 5, largeOffsets)
		list, _ := w.collect("")
		areas, columns := list[0].Areas([]string{"MAE"}), list[0].Rates("MAE").Header
		if table := list[0].Rates("MAE"); len(table.Rows[0]) != len(columns) ||
			(table.Notes == nil) != (area == "") {
			t.Errorf("rates %s: %q of %q, notes %q", rates, table.Rows[0], columns, table.Notes)
		}
		d, err := CompareRows(list, []string{"recap", "no-fid"}, []string{"MAE"})
		if err != nil || d[0].Table(false).Rows[0][4] != "+0.2000" {
			t.Errorf("rates %s: differences %v, %v", rates, d, err)
		}
		_, rows := list[0].rows[0].Cells()
		last := rows[len(rows)-1]
		if area == "" {
			if areas != nil || slices.Contains(columns, "AUILC") || last[0] == "AUILC" {
				t.Errorf("an area under one rate: %v, %q, %q", areas, columns, last)
			}
			continue
		}
		if got := areas.Rows[0]; got[len(got)-1] != area || !slices.Contains(columns, "AUILC") ||
			last[0] != "AUILC" || !slices.Contains(last, area) {
			t.Errorf("areas %q, columns %q, last row %q, want %s", got, columns, last, area)
		}
	}
}

// TestCollect checks which seeds each row has, and that the log names seeds that are left out.
func TestCollect(t *testing.T) {
	w := &runWriter{t, t.TempDir(), fourLabels}
	w.write("full", recapConfig(t, nil), 5, smallOffsets)
	w.write("full", recapConfig(t, nil), 6, smallOffsets)
	w.write("twin", recapConfig(t, nil), 6, largeOffsets)
	w.write("few", recapConfig(t, map[string]string{"data.labels": "0.1"}), 5, smallOffsets)
	w.write("tested", recapConfig(t, map[string]string{"eval.rates": "0,0.5"}), 5, smallOffsets)
	w.write("later", recapConfig(t, map[string]string{"eval.valid_rate": "0.3"}), 5, smallOffsets)
	w.write("full", recapConfig(t, map[string]string{"dataset": "other"}), math.MaxUint64,
		smallOffsets)
	otherLabels := &runWriter{t, w.out, []float32{-2, 1, 1, 2}}
	otherLabels.write("elsewhere", recapConfig(t, nil), 5, smallOffsets)
	unfinished := filepath.Join(w.out, "mosi", "recap", "full", "seed7")
	for _, dir := range []string{unfinished,
		filepath.Join(w.out, "mosi", "recap", "full", "seeds")} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	list, log := w.collect("")
	var got []string
	for _, p := range list {
		for i, s := range p.rows {
			got = append(got,
				fmt.Sprint(p.dataset(), " ", s.Rates, " ", s.Seeds, " ", p.differences[i]))
		}
		got = append(got, "")
	}
	want := []string{ // in the order of directories
		"mosi [0 0.5 0.9] [5] ", "", // elsewhere
		// few, full
		"mosi [0 0.5 0.9] [5] data.labels=0.1, seeds 5", "mosi [0 0.5 0.9] [5 6] seeds 5 6", "",
		"mosi [0 0.5 0.9] [5] ", "", // later
		"mosi [0 0.5] [5] ", "",
		"other [0 0.5 0.9] [18446744073709551615] ", "",
	}
	want[2] = strings.ReplaceAll(want[2], "seeds 5", "seed 5")
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	run := filepath.Join(w.out, "mosi", "recap")
	wantLog := []string{`msg="an unfinished seed is not in the tables" seed=` + unfinished +
		` continue="recap train --resume ` + unfinished + `"`,
		`msg="two directories have the same seed of the same configuration; only one is in the ` +
			`tables" in=` + filepath.Join(run, "full", "seed6") + " not=" +
			filepath.Join(run, "twin", "seed6"), ""}
	lines := strings.Split(log, "\n")
	for i, line := range lines {
		_, lines[i], _ = strings.Cut(line, "level=WARN ")
	}
	if diff := gocmp.Diff(wantLog, lines); diff != "" {
		t.Error(diff)
	}
	if list, _ = w.collect("other"); len(list) != 1 || list[0].dataset() != "other" {
		t.Error("the data set is not chosen")
	}
	discard := slog.New(slog.DiscardHandler)
	nowhere := filepath.Join(w.out, "nowhere")
	for _, c := range []struct{ dir, dataset, want string }{
		{w.out, "sims", "tables: " + w.out + ": expected finished runs of data set sims, found " +
			"only those of mosi, other"},
		{nowhere, "", "tables: " + nowhere + ": expected finished runs, <dataset>/<model>/<name>/" +
			"seed<S>, found none; give the folder given to recap train as --out"},
		{nowhere, "sims", "tables: " + nowhere + ": expected finished runs, <dataset>/<model>/" +
			"<name>/seed<S>, found none; give the folder given to recap train as --out"},
	} {
		if _, err := Collect(c.dir, c.dataset, discard); err == nil || err.Error() != c.want {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
	configFile := filepath.Join(w.out, "mosi", "recap", "full", "seed5", rundir.ConfigFile)
	if err := os.WriteFile(configFile, []byte("bach: 3"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Collect(w.out, "", discard); err == nil ||
		!strings.Contains(err.Error(), configFile) {
		t.Error(err)
	}
}

// TestCollectErrors damages files of finished seeds: every error names the file.
func TestCollectErrors(t *testing.T) {
	w := &runWriter{t, t.TempDir(), fourLabels}
	w.write("full", recapConfig(t, nil), 5, smallOffsets)
	w.write("full", recapConfig(t, nil), 6, smallOffsets)
	collect := func() error {
		_, err := Collect(w.out, "", slog.New(slog.DiscardHandler))
		return err
	}
	for _, c := range []struct {
		seed, name string
	}{{"seed6", rundir.PredictionsFile}, {"seed6", rundir.ConfigFile}, {"seed5", rundir.BestFile}} {
		path := rundir.Dir(filepath.Join(w.out, "mosi", "recap", "full", c.seed)).File(c.name)
		if err := os.WriteFile(path, []byte("x: ["), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := collect(); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s of %s is damaged: %v", c.name, c.seed, err)
		}
	}
}

// TestCollectKinds has two data sets whose labels are of different kinds, and one data set in two
// files: that of a seed decides its metrics.
func TestCollectKinds(t *testing.T) {
	w := &runWriter{t, t.TempDir(), fourLabels}
	for name, data := range map[string]string{"a": "a.pkl", "b": "b.pkl"} {
		c := recapConfig(t, map[string]string{"dataset": "own"})
		c.Data.File = filepath.Join(string(filepath.Separator), data)
		w.write(name, c, 5, smallOffsets)
	}
	w.write("full", recapConfig(t, map[string]string{"dataset": "sims"}), 5, smallOffsets)
	to1 := map[string]string{"dims": `{"Vocab":9,"TextT":4,"AudioT":4,"AudioD":2,"VisionT":4,` +
		`"VisionD":2,"Range":[-1,1]}`}
	d := rundir.Dir(filepath.Join(w.out, "own", "recap", "b", "seed5"))
	if err := rundir.SaveTensors(d.File(rundir.BestFile), nil, to1); err != nil {
		t.Fatal(err)
	}
	all, err := Collect(w.out, "", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range all {
		got = append(got, fmt.Sprint(s.Config.Dataset, " ", s.Config.Name, " ", s.Keys()[0]))
	}
	if diff := gocmp.Diff([]string{"own a Has0_acc_2", "own b Mult_acc_2",
		"sims full Mult_acc_2"}, got); diff != "" {
		t.Error(diff)
	}
}

// TestSeedsAreSorted has the seeds of a configuration in two folders, each with a test split of its
// own, in descending order.
func TestSeedsAreSorted(t *testing.T) {
	w := &runWriter{t, t.TempDir(), fourLabels}
	w.write("a", divided(t, nil), 3, smallOffsets)
	w.write("b", divided(t, nil), 2, smallOffsets)
	w.write("c", divided(t, nil), 1, smallOffsets)
	list, _ := w.collect("")
	s := list[0].rows[0]
	if !slices.Equal(s.Seeds, []uint64{1, 2, 3}) {
		t.Fatalf("seeds %d", s.Seeds)
	}
	for i, seed := range s.Seeds {
		one := w.summaryOf("mosi/recap/" + []string{"c", "b", "a"}[i])
		if s.tests[i] != one.tests[0] || !slices.Equal(s.labels[i], one.labels[0]) ||
			s.dirs[i] != one.dirs[0] || gocmp.Diff(s.perSeed[i], one.perSeed[0]) != "" {
			t.Errorf("seed %d has the test split, the labels, the folder or the scores of another",
				seed)
		}
	}
}

// TestCaption checks captions, and the names of files in them.
func TestCaption(t *testing.T) {
	w := &runWriter{t, t.TempDir(), fourLabels}
	base := string(filepath.Separator)
	mini := filepath.Join(base, "hub", "models--org--mini-lm", "snapshots",
		strings.Repeat("0a", 20))
	with := func(change func(c *settings.Config)) settings.Config {
		c := recapConfig(t, nil)
		c.Data.File, c.Data.Labels = filepath.Join(base, "data", "unaligned_50.pkl"), 0.1
		c.Method.TextEncoder().BERT = mini
		if change != nil {
			change(&c)
		}
		return c
	}
	w.write("a", with(nil), 5, smallOffsets)
	frozen := with(func(c *settings.Config) { c.Method.TextEncoder().Finetune = false })
	w.write("b", frozen, 5, smallOffsets)
	fromScratch := with(func(c *settings.Config) { c.Method.TextEncoder().BERT = "" })
	w.write("c", fromScratch, 5, smallOffsets)
	list, _ := w.collect("")
	m := list[0].Means([]string{"MAE"})
	for _, part := range []string{"mosi (unaligned_50.pkl, test split of 4 utterances)",
		"selected by validation MAE at rate 0.5", "missing rates 0,0.5,0.9",
		"quick preset, data.labels=0.1", "seed 5."} {
		if !strings.Contains(m.Caption, part) {
			t.Errorf("the caption does not say %q: %s", part, m.Caption)
		}
	}
	if strings.Count(m.Caption, "unaligned_50.pkl") != 1 {
		t.Errorf("the caption names the file more than once: %s", m.Caption)
	}
	if strings.Contains(m.Caption, "±") {
		t.Errorf("deviations of one seed: %s", m.Caption)
	}
	want := []string{"text encoder org/mini-lm, trained further",
		"text encoder org/mini-lm, frozen", "text encoder from scratch"}
	if got := []string{m.Rows[0][1], m.Rows[1][1], m.Rows[2][1]}; !slices.Equal(got, want) {
		t.Errorf("rows are distinguished by %q, want %q", got, want)
	}
	p := &Comparison{rows: list[0].rows[:1]}
	const few = "a: mosi (test split of 4 utterances); checkpoints selected by validation MAE at " +
		"rate 0.5; missing rates 0,0.5,0.9"
	for want, common := range map[string][]settings.Setting{few: nil,
		few + "; seed 5": {{Key: settings.SeedSetting, Value: "5"}}} {
		p.common = common
		if got := p.describeRuns("a"); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	elsewhere := filepath.Join(base, "elsewhere", "unaligned_50.pkl")
	otherFile := with(func(c *settings.Config) { c.Data.File = elsewhere })
	w.write("d", otherFile, 6, smallOffsets)
	list, _ = w.collect("")
	m = list[0].Means([]string{"MAE"})
	if strings.Contains(m.Caption, "unaligned") || !strings.Contains(m.Rows[3][1], elsewhere) ||
		!strings.Contains(m.Rows[0][1], with(nil).Data.File) {
		t.Errorf("two files of one name are not distinguished: %s, %s, %s", m.Caption, m.Rows[0][1],
			m.Rows[3][1])
	}
}

// TestPublished checks the tables with the paper's rows.
func TestPublished(t *testing.T) {
	w := &runWriter{t, t.TempDir(), fourLabels}
	for _, name := range []string{"full", "no-fid", "no-stage1"} {
		w.write(name, recapConfig(t, map[string]string{"variant": name}), 5, largeOffsets)
	}
	w.write("few", recapConfig(t, map[string]string{"data.labels": "0.1"}), 5, largeOffsets)
	w.write("literal", recapConfig(t, map[string]string{"data.labels": "0.1",
		"variant": "literal"}), 5, largeOffsets)
	w.write("full", recapConfig(t, map[string]string{"dataset": "sims"}), 5, smallOffsets)
	w.write("full", recapConfig(t, map[string]string{"dataset": "own"}), 5, smallOffsets)
	list, _ := w.collect("")
	mosi, own, sims := list[0], list[1], list[2]
	p := mosi.Published()
	if diff := gocmp.Diff([]string{"model", "Acc-7", "Acc-5", "Acc-2", "F1", "MAE", "Corr"},
		p.Header); diff != "" {
		t.Error(diff)
	}
	for _, row := range [][]string{
		{"CENET", "30.38", "37.25†", "71.46/67.73", "68.41/64.85", "1.080", "0.504"},
		{"LNLN (re-run)", "34.31", "38.06", "73.34/72.05", "73.75/72.19", "1.059", "0.525"},
		{"ours: RECAP (data.labels=0.1)", "66.67", "75.00", "100.00 / 100.00", "100.00 / 100.00",
			"0.433", "1.000"},
	} {
		if !slices.ContainsFunc(p.Rows, func(r []string) bool { return slices.Equal(r, row) }) {
			t.Errorf("no row %q in\n%s", row, p.Text(0))
		}
	}
	if len(p.Rows) != 14 || p.Rules[0] != 12 { // 12 of the paper; full and few
		t.Errorf("%d rows, line above %v", len(p.Rows), p.Rules)
	}
	for _, part := range []string{"† CENET, Acc-5: 33.62 is right",
		"Not comparable: our test split has 4 utterances, that of the literature 686",
		"the mean over rates 0,0.5,0.9", "selects each metric's epoch on the test split",
		"ours times 100"} {
		if !strings.Contains(strings.Join(p.Notes, "\n"), part) {
			t.Errorf("no note says %q", part)
		}
	}
	ablations := mosi.Ablations()
	if len(ablations) != 1 {
		t.Fatalf("%d tables beside Table 3, want one: of few there is no variant of the paper",
			len(ablations))
	}
	a := ablations[0]
	if diff := gocmp.Diff([]string{"w/o FID", "33.67", "66.67", "71.85", "100.00 / 100.00",
		"0.540", "1.000"}, a.Rows[2]); diff != "" || len(a.Rows) != 10 || a.Rows[1][2] != "" {
		t.Error(diff, a.Text(0))
	}
	whole := *mosi.rows[0]
	whole.tests = []testSplit{{utterances: 686}}
	if notes := newComparison([]*Summary{&whole}).Published().Notes; slices.ContainsFunc(notes,
		func(n string) bool { return strings.Contains(n, "our test split has") }) {
		t.Errorf("a note that test splits of 686 utterances differ: %q", notes)
	}
	few := *mosi.rows[slices.IndexFunc(mosi.rows, func(s *Summary) bool {
		return s.Config.Variant == "no-fid"
	})]
	few.Config.Data.Labels = 0.2
	mixed := newComparison([]*Summary{mosi.rows[0], &few}).ablation(literature.Ablation("mosi"))
	if name := mixed.Rows[2][0]; !strings.HasPrefix(name, "w/o FID (data.labels=0.2") {
		t.Errorf("our row of other settings is called %q", name)
	}
	if own.Published() != nil || own.Ablations() != nil {
		t.Error("a table of the paper for another data set")
	}
	if s := sims.Published(); s.Rows[8][4] != "79.43†" || len(sims.Ablations()) != 0 {
		t.Error(s.Text(0))
	}
	mosi.rows[0].Config.Data.Classes = 2
	if mosi.Published() != nil || mosi.Ablations() != nil {
		t.Error("a table of the paper, which has none of classes")
	}
}

// TestAblationsOfEachSetting has a table for the variants with the same settings: three of all
// labels, one of a tenth of them; and none for the full model alone. A variant that the paper has
// not is in none of them, and another model neither.
func TestAblationsOfEachSetting(t *testing.T) {
	w := &runWriter{t, t.TempDir(), fourLabels}
	for _, set := range []map[string]string{{}, {"variant": "no-fid"}, {"variant": "no-mir"},
		{"variant": "literal"}, {"variant": "no-fid", "data.labels": "0.1"},
		{"data.labels": "0.2"}, {"model": "misa"}} {
		w.write(cmp.Or(set["variant"], "full")+set["data.labels"], recapConfig(t, set), 5,
			smallOffsets)
	}
	list, _ := w.collect("")
	var got [][]string
	rows := slices.Clone(list[0].rows)
	slices.Reverse(rows) // MISA is the first
	for _, p := range []*Comparison{list[0], newComparison(rows)} {
		for _, table := range p.Ablations() {
			var names []string
			for _, row := range table.Rows {
				if row[2] != "" {
					names = append(names, row[0])
				}
			}
			got = append(got, names)
		}
	}
	three, one := []string{"RECAP", "w/o FID", "w/o MIR"}, []string{"w/o FID"}
	if diff := gocmp.Diff([][]string{three, one, three, one}, got); diff != "" {
		t.Error(diff)
	}
}

// TestPaperNames checks that the paper's names are ours.
func TestPaperNames(t *testing.T) {
	for dataset, kind := range map[string]metric.Kind{"mosi": metric.MOSI, "mosei": metric.MOSI,
		"sims": metric.SIMS} {
		for _, table := range []*literature.Table{literature.Results(dataset),
			literature.Ablation(dataset)} {
			if table == nil {
				continue // Table 3 has no MOSEI
			}
			for _, c := range table.Columns {
				for _, key := range c.Keys {
					if !slices.Contains(metric.Keys(kind), key) {
						t.Errorf("%s of %s is no metric", key, dataset)
					}
				}
			}
			if table.Number == 3 {
				variants := recap.Spec.AllVariants()
				for i, r := range table.Rows {
					if r.Method != variants[i].Label {
						t.Errorf("row %d of Table 3 is %q, variant %s has %q", i, r.Method,
							variants[i].Name, variants[i].Label)
					}
				}
			}
		}
	}
}

// TestLabelTellsWhatIsEqual has runs of an ablation that were as long as those of the full model.
func TestLabelTellsWhatIsEqual(t *testing.T) {
	for name, want := range map[string]string{"no-fid": "w/o FID",
		"no-fid-equal-steps":  "w/o FID (equal steps)",
		"no-fid-equal-time-2": "w/o FID (equal time)"} {
		s := &Summary{Config: recapConfig(t, map[string]string{"variant": "no-fid", "name": name})}
		if got := s.Label(); got != want {
			t.Errorf("the label of run %s is %q, want %q", name, got, want)
		}
	}
}

// TestOrderOfRows sorts by data set, then in the order of models, then in that of variants.
func TestOrderOfRows(t *testing.T) {
	var all []*Summary
	for _, set := range []map[string]string{{}, {"variant": "no-hcag"}, {"variant": "no-fid"},
		{"model": "misa"}, {"dataset": "sims"}} {
		all = append(all, &Summary{Config: recapConfig(t, set)})
	}
	for i, a := range all {
		for j, b := range all {
			if got := tableOrder(a, b); got != cmp.Compare(i, j) {
				t.Errorf("rows %d and %d are ordered %d", i, j, got)
			}
		}
	}
}

// TestAdaptations checks that a model that is not its paper's is told from it in every table: by
// its label, and by a note, which is there once.
func TestAdaptations(t *testing.T) {
	misa := recapConfig(t, map[string]string{"model": "misa"})
	spec := misa.Spec()
	old := *spec
	t.Cleanup(func() { *spec = old })
	spec.Label, spec.Adaptation = "MISA, adapted", "views of two kinds."
	w := &runWriter{t, t.TempDir(), fourLabels}
	w.write("full", recapConfig(t, nil), 5, smallOffsets)
	w.write("full", misa, 5, smallOffsets)
	w.write("few", recapConfig(t, map[string]string{"model": "misa", "data.labels": "0.1"}), 5,
		smallOffsets)
	list, _ := w.collect("")
	p := list[0]
	differences, err := CompareRows(list, []string{"recap", "misa/full"}, []string{"MAE"})
	if err != nil {
		t.Fatal(err)
	}
	const note = "MISA, adapted: views of two kinds."
	for what, table := range map[string]*typeset.Table{"means": p.Means([]string{"MAE"}),
		"areas": p.Areas([]string{"MAE"}), "rates": p.Rates("MAE"), "published": p.Published(),
		"differences": differences[0].Table(false)} {
		if table.Notes[0] != note {
			t.Errorf("%s: the first note is %q", what, table.Notes[0])
		}
		label := slices.IndexFunc(table.Rows, func(r []string) bool {
			return strings.HasSuffix(strings.Split(r[0], " (")[0], "MISA, adapted")
		})
		if got := strings.Count(strings.Join(table.Notes, "\n"), note); label < 0 || got != 1 {
			t.Errorf("%s: the note is there %d times, the label in row %d\n%s", what, got, label,
				table.Text(0))
		}
	}
	if line := CSV(list, []string{"MAE"}, false)[2]; line[0] != "MISA, adapted" {
		t.Errorf("the line of CSV is that of %q", line[0])
	}
	for name, want := range map[string]string{"misa": "misa/full (", "mis": "RECAP, misa, or"} {
		_, err := CompareRows(list, []string{"recap", name}, []string{"MAE"})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s on the command line: %v, want %s", name, err, want)
		}
	}
	adapted := p.rows[1]
	for what, text := range map[string]string{"all columns": adapted.Text(0),
		"some columns": adapted.Text(100), "a row for each metric": adapted.Text(24),
		"summary.md": adapted.Table().Markdown()} {
		text = strings.Join(strings.Fields(text), " ")
		if strings.Count(text, note) != 1 || strings.Contains(p.rows[0].Text(0), note) {
			t.Errorf("%s: the note is not there once:\n%s", what, text)
		}
	}
	before := len(p.Published().Rows)
	spec.FromTitle = true
	beside := p.Published()
	if text := beside.Text(0); len(beside.Rows) != before-2 || strings.Contains(text, "adapted") {
		t.Errorf("a model that is designed from a title is beside the paper's rows:\n%s", text)
	}
	adapted.Config.Variant = "other"
	if got := adapted.csvName(); got != "MISA, adapted other" {
		t.Errorf("a variant is called %q in CSV", got)
	}
	const known = "expected one of RECAP, misa other, misa, or the name of a run, found nobody"
	if _, err := CompareRows(list, []string{"nobody"}, nil); err == nil ||
		!strings.Contains(err.Error(), known) {
		t.Errorf("%v, want %s", err, known)
	}
	spec.Adaptation = ""
	if notes := p.Means([]string{"MAE"}).Notes; len(notes) != 0 {
		t.Errorf("the paper's model has the notes %q", notes)
	}
}

// TestVersionsOfTheProgram checks that each table of runs that several versions of the program
// trained has one note that names them, and that of one version has none.
func TestVersionsOfTheProgram(t *testing.T) {
	w := differencesRuns(t)
	journal := func(run string, programs ...string) {
		t.Helper()
		var lines string
		for i, program := range programs {
			lines += fmt.Sprintf("{\"epoch\":%d,\"seconds\":1,\"program\":%q}\n", i+1, program)
		}
		path := filepath.Join(w.out, "mosi", run, rundir.JournalFile)
		if err := rundir.WriteFile(path, []byte(lines)); err != nil {
			t.Fatal(err)
		}
	}
	notes := func() (all []string) {
		t.Helper()
		list, _ := w.collect("")
		p := list[0]
		differences, err := CompareRows(list, []string{"no-fid", "misa"}, []string{"MAE"})
		if err != nil {
			t.Fatal(err)
		}
		row := p.rows[0]
		for _, table := range []*typeset.Table{p.Means([]string{"MAE"}), p.Rates("MAE"),
			p.Areas([]string{"MAE"}), p.Published(), p.Ablations()[0],
			differences[0].Table(false), row.Table()} {
			note := ""
			for _, n := range table.Notes {
				if versions, ok := strings.CutPrefix(n, "Trained by several versions of recap, "+
					"which may round differently: "); ok {
					note += versions
				}
			}
			all = append(all, note)
		}
		return all
	}
	for _, run := range []string{"recap/full/seed5", "recap/full/seed6", "recap/no-fid/seed5",
		"misa/full/seed5"} {
		journal(run, "v1", "v1")
	}
	journal("recap/no-fid/seed6", "v1")
	journal("misa/full/seed6", "v1")
	if got := notes(); !slices.Equal(got, make([]string, 7)) {
		t.Errorf("one version: %q", got)
	}
	journal("misa/full/seed6", "v1", "v2 (abc)")
	const two = "v1, v2 (abc)."
	if got := notes(); !slices.Equal(got, []string{two, two, two, two, "", two, ""}) {
		t.Errorf("two versions: %q", got)
	}
	journal("recap/full/seed6", "")
	const three, own = "v1, one that is not recorded, v2 (abc).", "v1, one that is not recorded."
	if got := notes(); !slices.Equal(got, []string{three, three, three, three, own, two, own}) {
		t.Errorf("an unknown version: %q", got)
	}
}
