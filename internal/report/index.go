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

// An Index is a page that lists runs. It updates itself with the server-sent events at the
// relative URL "events".
type Index struct {
	Title string
	Runs  []RunStatus
}

// A RunStatus is a row of the list of runs.
type RunStatus struct {
	Name  string `json:"name"`  // also its path below /runs/
	Seeds string `json:"seeds"` // how many are finished, such as "2 of 3"
	State string `json:"state"` // such as "seed 1111: stage1, epoch 3 of 30", or an error
}

// Write writes the page as HTML.
func (x *Index) Write(w io.Writer) error {
	data, err := scriptData(x.Runs)
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
