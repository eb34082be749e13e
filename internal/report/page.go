package report

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
)

var (
	//go:embed page.html
	pageHTML string
	//go:embed page.css
	pageStyle string
	//go:embed training.js
	trainingScript string
	//go:embed explorer.js
	explorerScript string
	//go:embed uplot/uPlot.iife.min.js
	uplotScript string
	//go:embed uplot/uPlot.min.css
	uplotStyle string
	//go:embed uplot/LICENSE
	uplotLicence string
)

var pageTemplate = template.Must(template.New("page").Parse(pageHTML))

// A Page is the data of the template page.html.
type Page struct {
	Title      string
	Headline   *Headline // nil while no seed is finished
	Properties []Property
	Results    *Results // nil while no seed is finished
	Figures    []Figure
	Config     string
	Run        template.JS // the training journals, for training.js
	Samples    template.JS // the utterances, for explorer.js; "" for no explorer
	Notes      []string    // above all: what is missing, how the model was adapted
	Live       bool        // see Options

	Policy  string
	Style   template.CSS
	Scripts []template.JS
}

// A Headline has the scores at the top of the page.
type Headline struct {
	Scores   []Score
	Of       string // what the scores are means of
	Baseline string // the scores of the constant predictor; "" if the data were not read
}

// A Property is an entry of the list of properties of the run.
type Property struct{ Name, Value string }

// Results are the tables of test scores.
type Results struct {
	Caption string
	Metrics []string
	Rates   []Row // one per missing rate, then the mean and the AUILC
	Seeds   []Row // the mean over the rates of each seed; nil for one seed
	// what each metric measures
	Meanings []Property
}

// A Row is a row of a table, with one cell per metric.
type Row struct {
	Name  string
	Cells []Cell
}

// A Cell is a formatted score and its standard deviation over the seeds; Std is "" for one seed.
type Cell struct{ Mean, Std string }

// A Figure is an inline SVG image with a caption.
type Figure struct {
	Caption string
	SVG     template.HTML
}

// Note adds a note to the top of the page; see Notes.
func (p *Page) Note(text string) { p.Notes = append(p.Notes, text) }

// addAssets adds the styles and scripts, and the content security policy that allows only them.
func (p *Page) addAssets() {
	p.Style = template.CSS(uplotStyle + "\n" + pageStyle)
	scripts := []string{"/*\n" + uplotLicence + "*/\n" + uplotScript, trainingScript}
	if p.Samples != "" {
		scripts = append(scripts, explorerScript)
	}
	for _, s := range scripts {
		p.Scripts = append(p.Scripts, template.JS(s))
	}
	connect := "'none'"
	if p.Live {
		connect = "'self'"
	}
	p.Policy = policy(connect, "'none'", scripts...)
}

// policy returns a content security policy. It allows the given inline scripts, by their hashes,
// connections to the source connect and forms that are sent to the source form. It forbids
// everything else.
func policy(connect, form string, scripts ...string) string {
	allowed := ""
	if len(scripts) == 0 {
		allowed = " 'none'"
	}
	for _, s := range scripts {
		sum := sha256.Sum256([]byte(s))
		allowed += " 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	return "default-src 'none'; script-src" + allowed +
		"; style-src 'unsafe-inline'; connect-src " +
		connect + "; base-uri 'none'; form-action " + form
}

// Write writes the page as HTML.
func (p *Page) Write(w io.Writer) error { return execute(w, pageTemplate, p) }

// execute writes a page, or nothing if the template cannot be executed.
func execute(w io.Writer, t *template.Template, data any) error {
	var b bytes.Buffer
	if err := t.Execute(&b, data); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	if _, err := b.WriteTo(w); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

// scriptData returns data as JSON for a script element. json.Marshal escapes <, > and &, so the
// data cannot contain the end tag.
func scriptData(data any) (template.JS, error) {
	text, err := json.Marshal(data)
	if err != nil {
		return "", fmt.Errorf("report: %w", err)
	}
	return template.JS(text), nil
}
