package plots

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-6655bf3b/recap/internal/settings/settingstest"
)

// TestTerms are in the order of their titles, then of their curves, then of their names.
func TestTerms(t *testing.T) {
	c := settingstest.Resolved(t, map[string]string{"model": "recap"})
	spec := c.Spec().Terms
	first, second := spec[0], spec[1]
	order := []string{"loss", "loss_chance", first.Name, first.Name + "_l", first.Name + "_av",
		first.Name + "_chance", second.Name, second.Name + "_l", "another", "other"}
	for i, a := range order {
		for j, b := range order {
			got := compareTerms(&c, a, b)
			if (got < 0) != (i < j) || (got > 0) != (i > j) {
				t.Errorf("%s and %s are ordered %d", a, b, got)
			}
		}
	}
	for key, want := range map[string][3]string{"loss": {"loss of the phase", "", ""},
		first.Name + "_la": {first.Title, first.Unit, "language–audio"},
		"other":            {"other", "", ""}} {
		title, unit, curve := titlesOf(&c, key)
		if got := [3]string{title, unit, curve}; got != want {
			t.Errorf("%s: %q, want %q", key, got, want)
		}
	}
	prefixes, suffixes := TermTitles(&c)
	want := [][2]string{{"loss", "loss of the phase"}}
	for _, term := range spec {
		title := term.Title
		if term.Unit != "" {
			title += ", " + term.Unit
		}
		want = append(want, [2]string{term.Name, title})
	}
	if diff := cmp.Diff(want, prefixes); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([][2]string{{"", ""}, {"_l", "language"}, {"_a", "audio"}, {"_v", "vision"},
		{"_la", "language–audio"}, {"_lv", "language–vision"}, {"_av", "audio–vision"},
		{"_chance", "by chance"}}, suffixes); diff != "" {
		t.Error(diff)
	}
}
