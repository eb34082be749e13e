package tables

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/seed-6655bf3b/recap/internal/settings"
	"github.com/seed-6655bf3b/recap/internal/typeset"
)

// TestBaselineInTables compares the rows of the constant predictor with scores worked out by hand.
func TestBaselineInTables(t *testing.T) {
	w := &runWriter{t, t.TempDir(), fourLabels}
	for _, seed := range []uint64{5, 6} {
		w.write("few", recapConfig(t, map[string]string{"data.labels": "0.1"}), seed, smallOffsets)
		w.write("full", recapConfig(t, nil), seed, smallOffsets)
		w.write("no-fid", recapConfig(t, map[string]string{"variant": "no-fid"}), seed,
			smallOffsets)
	}
	list, _ := w.collect("")
	p := list[0]
	if err := p.AddBaseline(func(s *Summary, c *settings.Config) ([]float32, error) {
		on := func(id ...string) bool { return s.TestedOn(c.Seed, id, fourLabels) }
		if c.Data.Labels != 1 || !on("u0", "u1", "u2", "u3") || on("u0", "u1", "u2", "u4") {
			t.Errorf("labels of %g, %v", c.Data.Labels, s.tests)
		}
		return []float32{float32(c.Seed) - 5, 1}, nil // means 0.5 and 1
	}); err != nil {
		t.Fatal(err)
	}
	// of labels -2, -1, 1, 2: (2.5 + 1.5 + 0.5 + 1.5)/4 = 1.5 and (3 + 2 + 0 + 1)/4 = 1.5
	const name, answer = "constant predictor", "the mean of the training labels, 0.5;"
	for what, c := range map[string]struct {
		table *typeset.Table
		want  []string
	}{
		"means": {p.Means([]string{"MAE", "Corr"}), []string{name, "", "1.5000", "–"}},
		"areas": {p.Areas([]string{"MAE", "Corr"}), []string{name, "", "1.3500", "–"}},
		"rates": {p.Rates("MAE"),
			[]string{name, "", "1.5000", "1.5000", "1.5000", "1.5000", "1.3500"}},
		"published": {p.Published(), []string{"ours: " + name, "12.50", "12.50"}},
		"ablation":  {p.Ablations()[0], []string{name, "", "12.50", "", "50.00 / 50.00"}},
	} {
		last := c.table.Rows[len(c.table.Rows)-1]
		if !slices.Equal(last[:len(c.want)], c.want) ||
			!slices.Contains(c.table.Rules, len(c.table.Rows)-1) ||
			!strings.Contains(strings.Join(c.table.Notes, " "), answer) {
			t.Errorf("%s: %q, want %q; %q", what, last, c.want, c.table.Notes)
		}
	}
	for _, byRate := range []bool{false, true} {
		lines := CSV(list, []string{"MAE"}, byRate)
		last := lines[len(lines)-1]
		if last[0] != name || last[1] != "(150.00, 0.00)" || last[len(last)-3] != "" ||
			!byRate && last[2] != "(135.00, 0.00)" || len(last) != len(lines[0]) {
			t.Error(last)
		}
	}
	all, err := CompareRows(list, []string{"full", "no-fid"}, []string{"MAE", "Corr"})
	if err != nil {
		t.Fatal(err)
	}
	if notes := strings.Join(all[0].Table(false).Notes, " "); !strings.Contains(notes,
		answer+" a useful model is better. Its scores: MAE 1.5000, Corr –.") {
		t.Error(notes)
	}

	list, _ = w.collect("")
	if err := list[0].AddBaseline(func(*Summary, *settings.Config) ([]float32, error) {
		return nil, errors.New("no data")
	}); err == nil || strings.Contains(list[0].Means([]string{"MAE"}).Text(0), name) {
		t.Error("a row without data: ", err)
	}
}
