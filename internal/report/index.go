package report

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"io"
)

var (
	//go:embed index.html
	indexText string
	//go:embed index.js
	indexScript string
)

var indexTemplate = template.Must(template.New("index").Parse(indexText))

// An Index is a page that lists runs, and follows them: beside its address, "events" tell of lines
// that have changed.
type Index struct {
	Title string
	Lines []Line
}

// A Line is a run.
type Line struct {
	Name  string `json:"name"` // also its address
	Seeds string `json:"seeds"`
	State string `json:"state"`
}

// Write renders the page.
func (x *Index) Write(w io.Writer) error {
	data, err := script(x.Lines)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	err = indexTemplate.Execute(&b, struct {
		*Index
		Data   template.JS
		Policy string
		Style  template.CSS
		Script template.JS
	}{x, data, policy("'self'", indexScript), template.CSS(pageStyle), template.JS(indexScript)})
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	if _, err := b.WriteTo(w); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}
