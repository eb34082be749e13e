package report

import (
	_ "embed"
	"html/template"
	"io"

	"github.com/seed-6655bf3b/recap/internal/tables"
)

//go:embed compare.html
var compareHTML string

var compareTemplate = template.Must(
	template.New("compare").Funcs(template.FuncMap{"arrow": withArrow}).Parse(compareHTML))

// A Comparison is a page with two runs side by side. It has no scripts.
type Comparison struct {
	Names [2]string
	*tables.Pair
}

// Write writes the page as HTML.
func (c *Comparison) Write(w io.Writer) error {
	return execute(w, compareTemplate, struct {
		*Comparison
		Policy string
		Style  template.CSS
	}{c, policy("'none'", "'none'"), template.CSS(pageStyle)})
}
