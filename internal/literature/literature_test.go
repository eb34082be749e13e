package literature

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/seed-6655bf3b/recap/internal/models"
)

// value returns a number of a table; of a pair the first.
func value(t *testing.T, in *Table, method, column string) float64 {
	t.Helper()
	c := slices.IndexFunc(in.Columns, func(c Column) bool { return c.Name == column })
	r := slices.IndexFunc(in.Rows, func(r Row) bool { return r.Method == method })
	if c < 0 || r < 0 {
		t.Fatalf("Table %d, %s has no %s of %s", in.Number, in.Dataset, column, method)
	}
	first, _, _ := strings.Cut(in.Rows[r].Cells[c], "/")
	v, err := strconv.ParseFloat(first, 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestProse compares the tables with the differences that the paper's text states.
func TestProse(t *testing.T) {
	mosi, mosei, sims := Results("mosi"), Results("mosei"), Results("sims")
	less := Ablation("mosi")
	lessSIMS := Ablation("sims")
	for _, c := range []struct {
		in           *Table
		column, a, b string
		want         float64
	}{
		{mosi, "Acc-7", "RECAP", "TF-Mamba", 2.71}, {mosi, "Acc-5", "RECAP", "TF-Mamba", 4.02},
		{mosei, "Acc-7", "RECAP", "LNLN", 1.81}, {mosei, "F1", "RECAP", "LNLN", 1.29},
		{mosei, "Corr", "RECAP", "LNLN", 0.069},
		{sims, "Acc-3", "RECAP", "TF-Mamba", 4.05}, {sims, "F1", "RECAP", "TF-Mamba", 6.38},
		{lessSIMS, "F1", "RECAP", "w/o H-CAG", 4.54},
		{lessSIMS, "F1", "RECAP", "w/o Unique", 4.27}, {lessSIMS, "F1", "RECAP", "w/o MIR", 1.7},
		{less, "Acc-7", "RECAP", "w/o Unique", 1.4}, {less, "Acc-7", "RECAP", "w/o MIR", 1.25},
	} {
		if got := value(t, c.in, c.a, c.column) - value(t, c.in,
			c.b, c.column); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("%s, %s: %s is %.3f above %s, the text says %g", c.in.Dataset, c.column,
				c.a, got, c.b, c.want)
		}
	}
}

func TestTables(t *testing.T) {
	for _, in := range slices.Concat(results, ablations) {
		for _, r := range in.Rows {
			if len(r.Cells) != len(in.Columns) {
				t.Errorf("Table %d, %s, %s: %d cells, %d columns", in.Number, in.Dataset,
					r.Method, len(r.Cells), len(in.Columns))
				continue
			}
			for i, cell := range r.Cells {
				c, parts := in.Columns[i], strings.Split(cell, "/")
				if in.Number < 3 && len(parts) != len(c.Keys) {
					t.Errorf("%s, %s, %s: %q is no value of %v", in.Dataset, r.Method, c.Name,
						cell, c.Keys)
				}
				for _, p := range parts {
					v, err := strconv.ParseFloat(p, 64)
					if err != nil || c.Percent != (v > 10) || v > 100 || v <= 0 {
						t.Errorf("%s, %s, %s: %q is not of the column's scale", in.Dataset,
							r.Method, c.Name, p)
					}
				}
			}
		}
		for _, e := range in.Errata {
			if !strings.HasPrefix(e.Note, e.Method) ||
				!slices.ContainsFunc(in.Rows, func(r Row) bool { return r.Method == e.Method }) ||
				e.Column != "" && !slices.ContainsFunc(in.Columns, func(c Column) bool {
					return c.Name == e.Column
				}) {
				t.Errorf("%s: erratum of nothing: %v", in.Dataset, e)
			}
		}
	}
	if Results("synthetic") != nil || Ablation("mosei") != nil {
		t.Error("found a table that the paper does not have")
	}
	if !Results("mosei").HasErratum("TETFN", "") || !Results("sims").HasErratum("LNLN", "F1") ||
		Results("sims").HasErratum("LNLN", "MAE") {
		t.Error("errata are not found")
	}
}

// TestLabels checks that a model has the name of a row of the paper's tables if it is the model of
// that row, and that an adaptation has another name.
func TestLabels(t *testing.T) {
	for _, in := range results {
		for _, s := range models.All {
			printed := slices.ContainsFunc(in.Rows, func(r Row) bool { return r.Method == s.Label })
			if adapted := s.Adaptation != ""; printed == adapted {
				t.Errorf("%s: a row of %s is called %q: %t; the model is an adaptation: %t",
					s.Name, in.Dataset, s.Label, printed, adapted)
			}
		}
	}
}
