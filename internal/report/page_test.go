package report

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"errors"
	"html"
	"io"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/seed-6655bf3b/recap/internal/explore"
	"github.com/seed-6655bf3b/recap/internal/tables"
)

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
