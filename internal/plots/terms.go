package plots

import (
	"cmp"
	"strings"

	"github.com/seed-6655bf3b/recap/internal/settings"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// termTitles returns the titles of a model's terms, in the order in which they are shown.
func termTitles(c *settings.Config) []zoo.TermTitle {
	return append([]zoo.TermTitle{{Name: "loss", Title: "loss of the phase"}}, c.Spec().Terms...)
}

// termCurves has the suffixes of term names and the name of their curve within the panel, in the
// order in which they are shown.
var termCurves = []struct{ suffix, name string }{
	{"", ""}, {"_l", "language"}, {"_a", "audio"}, {"_v", "vision"},
	{"_la", "language–audio"}, {"_lv", "language–vision"}, {"_av", "audio–vision"},
	{"_chance", "by chance"},
}

// findTerm returns the indices of a term in termTitles and termCurves. If it is not there, ok is
// false and title is the number of titles.
func findTerm(c *settings.Config, key string) (title, curve int, ok bool) {
	titles := termTitles(c)
	for i, t := range titles {
		for j, curve := range termCurves {
			if key == t.Name+curve.suffix {
				return i, j, true
			}
		}
	}
	return len(titles), 0, false
}

// titlesOf returns the title and the unit of a term's panel, and the name of its curve in the
// panel. A term without a title has a panel of its own.
func titlesOf(c *settings.Config, key string) (title, unit, curve string) {
	if i, j, ok := findTerm(c, key); ok {
		t := termTitles(c)[i]
		return t.Title, t.Unit, termCurves[j].name
	}
	return key, "", ""
}

// compareTerms orders terms by title, then by curve, then by name.
func compareTerms(c *settings.Config, a, b string) int {
	i, j, _ := findTerm(c, a)
	k, l, _ := findTerm(c, b)
	return cmp.Or(i-k, j-l, strings.Compare(a, b))
}

// TermTitles returns the prefixes and the suffixes of term names, each with its title, in the
// order in which they are shown. The name of a term is a prefix followed by a suffix, which may be
// empty; a name that is not has no title.
func TermTitles(c *settings.Config) (prefixes, suffixes [][2]string) {
	for _, t := range termTitles(c) {
		title := t.Title
		if t.Unit != "" {
			title += ", " + t.Unit
		}
		prefixes = append(prefixes, [2]string{t.Name, title})
	}
	for _, curve := range termCurves {
		suffixes = append(suffixes, [2]string{curve.suffix, curve.name})
	}
	return prefixes, suffixes
}
