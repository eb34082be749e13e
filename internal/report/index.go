package report

import (
	_ "embed"
	"html/template"
	"io"

	"github.com/seed-6655bf3b/recap/internal/metric"
	"github.com/seed-6655bf3b/recap/internal/tables"
	"github.com/seed-6655bf3b/recap/internal/typeset"
)

var (
	//go:embed index.html
	indexHTML string
	//go:embed index.js
	indexScript string
)

var indexTemplate = template.Must(template.New("index").Parse(indexHTML))

// An Index is a page that lists runs. It updates itself with the server-sent events at the
// relative URL "events".
type Index struct {
	Title string
	Dir   string // in which the runs are, for the command that trains one
	Runs  []RunStatus
}

// Phases of a run. Stopped: no process trains it; Unknown: its lock is of a process of another
// host, which cannot be checked; Broken: a file cannot be read.
const (
	Finished = "finished"
	Running  = "running"
	Stopped  = "stopped"
	Unknown  = "locked"
	Broken   = "error"
)

// A RunStatus is a row of the list of runs.
type RunStatus struct {
	Name  string `json:"name"`  // also its path below /runs/
	Seeds string `json:"seeds"` // how many are finished, such as "2 of 3"
	Phase string `json:"phase"`
	State string `json:"state"` // such as "seed 1111: stage1, epoch 3 of 30", or an error
	// headline metrics of the finished seeds, means over the missing rates
	Scores []Score `json:"scores,omitempty"`
}

// A Score is a score in the list of runs.
type Score struct {
	Metric string   `json:"metric"` // with an arrow in the direction of better values
	Value  *float64 `json:"value"`  // nil if it is undefined
	Text   string   `json:"text"`
}

// Scores returns the headline scores of a run for the list of runs.
func Scores(s *tables.Summary) []Score {
	var list []Score
	for _, h := range s.HeadlineScores() {
		list = append(list, Score{withArrow(h.Metric), finite(h.Mean), h.Text})
	}
	return list
}

// withArrow returns the name of a metric with an arrow in the direction of better values.
func withArrow(key string) string {
	if metric.LargerIsBetter(key) {
		return key + " ↑"
	}
	return key + " ↓"
}

// Write writes the page as HTML.
func (x *Index) Write(w io.Writer) error {
	data, err := scriptData(x.Runs)
	if err != nil {
		return err
	}
	return execute(w, indexTemplate, struct {
		*Index
		Command string
		Data    template.JS
		Policy  string
		Style   template.CSS
		Script  template.JS
	}{x, "recap train --out " + typeset.ShellWord(x.Dir), data,
		policy("'self'", "'self'", indexScript), template.CSS(pageStyle),
		template.JS(indexScript)})
}
