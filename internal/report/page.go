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
	pageText string
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

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// A Page is what the template shows.
type Page struct {
	Title   string
	Facts   []Fact
	Results *Results // nil while no seed is finished
	Figures []Figure
	Config  string
	Run     template.JS // the journals, for training.js
	Samples template.JS // for explorer.js; empty for none
	Notes   []string    // what is missing, and why
	Live    bool

	Policy  string
	Style   template.CSS
	Scripts []template.JS
}

// A Fact is a line of the page's head.
type Fact struct{ Name, Value string }

// Results are the tables.
type Results struct {
	Caption string
	Metrics []string
	Rates   []Row // and of their mean, and AUILC
	Seeds   []Row // means over rates; nil for one seed
}

// A Row is a line of a table.
type Row struct {
	Name  string
	Cells []Cell
}

// A Cell is a score, and its standard deviation over seeds, if there are several.
type Cell struct{ Mean, Std string }

// A Figure is a picture.
type Figure struct {
	Caption string
	SVG     template.HTML
}

// Note adds a line on what is missing.
func (p *Page) Note(text string) { p.Notes = append(p.Notes, text) }

// dress adds styles and scripts, and the policy that allows these scripts alone.
func (p *Page) dress() {
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
	p.Policy = policy(connect, scripts...)
}

// policy returns a content security policy that allows some scripts, known by their hashes, to
// connect to some sources, and nothing else.
func policy(connect string, scripts ...string) string {
	allowed := ""
	for _, s := range scripts {
		sum := sha256.Sum256([]byte(s))
		allowed += " 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	return "default-src 'none'; script-src" + allowed + "; style-src 'unsafe-inline'; connect-src " + connect + "; base-uri 'none'; form-action 'none'"
}

// Write renders the page.
func (p *Page) Write(w io.Writer) error {
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, p); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	if _, err := b.WriteTo(w); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

// script returns data as JSON, in which <, > and & are escaped, so that it cannot end the element
// that it stands in.
func script(data any) (template.JS, error) {
	text, err := json.Marshal(data)
	if err != nil {
		return "", fmt.Errorf("report: %w", err)
	}
	return template.JS(text), nil
}
