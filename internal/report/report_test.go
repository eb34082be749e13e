package report

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"errors"
	"html"
	"io"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/seed-6655bf3b/recap/internal/explore"
	_ "github.com/seed-6655bf3b/recap/internal/gctest"
	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/runs"
	"github.com/seed-6655bf3b/recap/internal/settings"
	"github.com/seed-6655bf3b/recap/internal/tables"
	"github.com/seed-6655bf3b/recap/nn/zoo"
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

	// Without the explorer, the page needs neither the data nor the model.
	if err := os.Remove(filepath.Join(dir, "seed7", "stage1.safetensors")); err != nil {
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
	if _, page := render(t, dir, Options{Samples: 2, Live: true}); !strings.Contains(page,
		"<body data-live>") || !strings.Contains(page, "connect-src &#39;self&#39;") {
		t.Error("a live page may not connect to the server")
	}
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
	if err := os.Remove(filepath.Join(dir, "seed8", rundir.PredictionsFile)); err != nil {
		t.Fatal(err)
	}
	if _, page := render(t, dir, Options{}); !strings.Contains(page, "The run is not finished;") {
		t.Error("the page does not say that a seed is not finished")
	}
	if _, page := render(t, dir, Options{Live: true}); strings.Contains(page, "not finished;") {
		t.Error("a live page, which shows the progress, says that the run is not finished")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Build(ctx, dir, Options{Samples: 2}, quiet); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
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
	text, err := os.ReadFile(filepath.Join(dir, "seed8", "metrics.jsonl"))
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

// checkSamples checks the data of the explorer.
func checkSamples(t *testing.T, page string) {
	t.Helper()
	var p explorerData
	decode(t, page, "sample-data", &p)
	features, err := base64.StdEncoding.DecodeString(p.Features)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Samples) != 6 || p.Of != 20 || p.Seed != 7 || p.L*p.D != 64 ||
		len(features) != 6*3*(1+2*3)*64 {
		t.Errorf("%d samples of %d, seed %d, %d bytes of [%d %d]", len(p.Samples), p.Of,
			p.Seed, len(features), p.L, p.D)
	}
	for i, s := range p.Samples {
		if len(s.Score) != 3 || len(s.Weight) != 3 || len(s.Weight[0]) != 3 ||
			s.Text != strings.Join(s.Tokens, " ") || len(s.MissingFrom[zoo.Audio]) == 0 {
			t.Errorf("sample %+v", s)
		}
		for m := range zoo.Modalities { // at missing rate 0, X̃ equals X
			at := (i*3 + m) * 7 * 64
			if !slices.Equal(features[at:at+64], features[at+64:at+128]) ||
				slices.Equal(features[at:at+64], features[at+5*64:][:64]) {
				t.Errorf("sample %d, modality %d: the features are in another order", i, m)
			}
		}
	}
}

// decode reads the JSON of a script element.
func decode(t *testing.T, page, id string, to any) {
	t.Helper()
	found := regexp.MustCompile(`(?s)<script type="application/json" id="` +
		id + `">(.*?)</script>`).FindStringSubmatch(page)
	if found == nil {
		t.Fatalf("no data %s", id)
	}
	if err := json.Unmarshal([]byte(found[1]), to); err != nil {
		t.Fatal(err)
	}
}

var scripts = regexp.MustCompile(`(?s)<script>(.*?)</script>`)

// selfContained checks that the page loads nothing, and that its policy forbids the browser to.
func selfContained(t *testing.T, page string) {
	t.Helper()
	policy := html.UnescapeString(
		regexp.MustCompile(
			`<meta http-equiv="Content-Security-Policy" content="(.*?)">`,
		).FindStringSubmatch(page)[1],
	)
	if !strings.HasPrefix(policy, "default-src 'none'; ") ||
		!strings.Contains(policy, "connect-src 'none'") {
		t.Errorf("policy %q", policy)
	}
	for _, script := range scripts.FindAllStringSubmatch(page, -1) {
		sum := sha256.Sum256([]byte(script[1]))
		if !strings.Contains(policy, "'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'") {
			t.Errorf("the policy forbids the page's own script, %.60q", script[1])
		}
		for _, word := range []string{"fetch(", "XMLHttpRequest", "import(", "WebSocket",
			"sendBeacon"} {
			if strings.Contains(script[1], word) {
				t.Errorf("a script uses %s", word)
			}
		}
	}
	for _, found := range regexp.MustCompile(
		`(?i)\b(?:src|href|action|srcset|poster|data)\s*=\s*["']?([^"'\s>]+)`,
	).FindAllStringSubmatch(scripts.ReplaceAllString(page, ""), -1) {
		if !strings.HasPrefix(found[1], "#") {
			t.Errorf("the page refers to %s", found[1])
		}
	}
	if found := regexp.MustCompile(
		`(?i)url\(|@import|<link|<iframe|<object|<embed|<base`,
	).FindString(scripts.ReplaceAllString(page, "")); found != "" {
		t.Errorf("the page has a %s", found)
	}
}

// wellFormed checks that all elements are closed in order. It uses an XML parser and a list of the
// void elements of HTML.
func wellFormed(t *testing.T, page string) {
	t.Helper()
	page = regexp.MustCompile(
		`(?s)(<(?:script|style)[^>]*>).*?(</(?:script|style)>)`,
	).ReplaceAllString(page, "$1$2")
	d := xml.NewDecoder(strings.NewReader(page))
	d.Strict, d.Entity = false, xml.HTMLEntity
	var stack []string
	for {
		token, err := d.RawToken()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		switch x := token.(type) {
		case xml.StartElement:
			if !slices.Contains([]string{"meta", "input", "br", "img"}, x.Name.Local) {
				stack = append(stack, x.Name.Local)
			}
		case xml.EndElement:
			if len(stack) == 0 || stack[len(stack)-1] != x.Name.Local {
				t.Fatalf("</%s> ends %v", x.Name.Local, stack)
			}
			stack = stack[:len(stack)-1]
		}
	}
	if len(stack) > 0 {
		t.Errorf("never closed: %v", stack)
	}
	ids := map[string]bool{}
	for _, found := range regexp.MustCompile(`\bid="(.*?)"`).FindAllStringSubmatch(page, -1) {
		if ids[found[1]] {
			t.Errorf("id %q is used twice", found[1])
		}
		ids[found[1]] = true
	}
	for _, found := range regexp.MustCompile(
		`(?:href="#|aria-labelledby=")(.*?)"`,
	).FindAllStringSubmatch(page, -1) {
		if !ids[found[1]] {
			t.Errorf("a reference to %q, which does not exist", found[1])
		}
	}
}

// TestHostileData puts markup into every text of a page and checks that it is escaped.
func TestHostileData(t *testing.T) {
	const evil = `</script><script>alert("1")</script><!--<img src=x onerror=alert(1)>`
	nan := float32(math.NaN())
	data, err := explorerJSON(&explore.Exploration{Rates: []float64{0}, Samples: []explore.Sample{
		{ID: evil, Text: evil, Tokens: []string{evil},
			Views: []explore.View{{Score: nan, Weight: []float64{math.NaN(), 0, 1}}}}}})
	if err != nil {
		t.Fatal(err)
	}
	p := &Page{Title: evil, Properties: []Property{{evil, evil}}, Config: evil,
		Notes: []string{evil}, Run: "{}", Samples: data,
		Results: &Results{evil, []string{evil}, []Row{{evil, []Cell{{evil, evil}}}}, nil,
			[]Property{{evil, evil}}},
		Headline: &Headline{[]Score{{evil, nil, evil}}, evil, evil},
		Figures:  []Figure{{Caption: evil}}}
	p.addAssets()
	var b bytes.Buffer
	if err := p.Write(&b); err != nil {
		t.Fatal(err)
	}
	page := b.String()
	if strings.Contains(page, evil) || strings.Contains(page, "<script>alert") ||
		strings.Contains(page, "<img") {
		t.Error("text became markup")
	}
	wellFormed(t, page)
	var got explorerData
	decode(t, page, "sample-data", &got)
	if s := got.Samples[0]; s.ID != evil || s.Score[0] != nil || s.Weight[0][0] != nil ||
		*s.Weight[0][2] != 1 {
		t.Errorf("sample %+v", s)
	}
	var index bytes.Buffer
	if err := (&Index{evil, evil, []RunStatus{{evil, evil, evil, evil,
		[]Score{{evil, nil, evil}}}}}).Write(&index); err != nil ||
		strings.Contains(index.String(), "<script>alert") {
		t.Errorf("the list of runs: %v", err)
	}
	wellFormed(t, index.String())
	var comparison bytes.Buffer
	row := tables.PairRow{Rate: evil, Scores: [2]string{evil, evil}, Difference: evil, Better: evil}
	err = (&Comparison{[2]string{evil, evil}, &tables.Pair{Settings: [2]string{evil, evil},
		Warnings: []string{evil, evil},
		Metrics:  []tables.PairMetric{{Metric: evil, Rows: []tables.PairRow{row}}}}}).
		Write(&comparison)
	if err != nil || strings.Contains(comparison.String(), "<script") ||
		strings.Contains(comparison.String(), "<img") {
		t.Errorf("the comparison: %v", err)
	}
	wellFormed(t, comparison.String())
}

func TestQuantize(t *testing.T) {
	// 255·(v/2 + 1)/2: −2 → 0, −1 → 63.75, 0 → 127.5, 2 → 255; values outside −2 … 2 are clipped.
	if got, want := quantize(nil, []float32{-9, -2, -1, 0, 1.99, 2, 9, float32(math.NaN())},
		2), []byte{0, 0, 64, 128, 254, 255, 255, 128}; !slices.Equal(got, want) {
		t.Errorf("bytes %v, want %v", got, want)
	}
	var x []float32
	for i := range 1000 {
		x = append(x, -float32(i)/100)
	}
	x[3] = 1e6
	s := explore.Sample{Complete: [3][]float32{x}}
	// the 996th of 1000 in order, with one outlier: 0, 0.01, 0.02, 0.04, …
	if got := scale([]explore.Sample{s}, 0); got != 9.96 {
		t.Errorf("scale %g, want 9.96", got)
	}
	if got := scale([]explore.Sample{{}}, 1); got != 0 {
		t.Errorf("scale of no features %g, want 0", got)
	}
	if got := quantize(nil, []float32{0, 0}, 0); !slices.Equal(got, []byte{128, 128}) {
		t.Errorf("features that are all zero: %v", got)
	}
}
