// Package literature has the tables of the RECAP paper (AAAI 2026) as they are printed, and what
// is known to be wrong in them.
package literature

// A Table is of one data set: means over the missing rates 0.0, 0.1, …, 0.9.
type Table struct {
	Number     int // in the paper
	Dataset    string
	Utterances int // of the data set's official test part
	Columns    []Column
	Rows       []Row
	Errata     []Erratum
	Notes      []string
}

// A Column is a metric as the paper calls it.
type Column struct {
	Name    string
	Keys    []string // of package metric: of a pair a/b, the keys of a and b
	Percent bool     // printed times 100
}

// A Row is a method, or in Table 3 a variant, with its cells as printed.
type Row struct {
	Method string
	Rerun  bool // by RECAP's authors, the paper's own dagger
	Cells  []string
}

// An Erratum is what is known to be wrong in a cell, or in a whole row where Column is empty.
type Erratum struct{ Method, Column, Note string }

// Results returns the paper's Table 1 or 2 for a data set, nil if it has none.
func Results(dataset string) *Table { return find(dataset, results) }

// Ablation returns the paper's Table 3 for a data set, nil if it has none. Its methods are the
// labels of package recap's variants.
func Ablation(dataset string) *Table { return find(dataset, ablations) }

func find(dataset string, in []*Table) *Table {
	for _, t := range in {
		if t.Dataset == dataset {
			return t
		}
	}
	return nil
}

// Wrong tells whether there is an erratum for a cell; for the whole row, if column is empty.
func (t *Table) Wrong(method, column string) bool {
	for _, e := range t.Errata {
		if e.Method == method && e.Column == column {
			return true
		}
	}
	return false
}
