// Package literature holds the result tables of the RECAP paper (AAAI 2026) as printed, and their
// known errors. Start with [Results] and [Ablation].
package literature

// A Table holds the results for one data set: means over the missing rates 0.0, 0.1, …, 0.9.
type Table struct {
	Number     int // in the paper
	Dataset    string
	Utterances int // number of utterances of the official test split
	Columns    []Column
	Rows       []Row
	Errata     []Erratum
	Notes      []string
}

// A Column is a metric under the name that the paper uses.
type Column struct {
	Name    string
	Keys    []string // keys of package metric; two for a cell with a pair of values a/b
	Percent bool     // printed multiplied by 100
}

// A Row holds the results of a method, or of a variant of RECAP in Table 3.
type Row struct {
	Method string
	Rerun  bool     // run again by RECAP's authors; a dagger in the paper
	Cells  []string // as printed, by column
}

// An Erratum describes a known error in a cell, or in a whole row if Column is empty.
type Erratum struct{ Method, Column, Note string }

// Results returns the part of the paper's Table 1 or 2 for a data set ("mosi", "mosei", "sims"),
// or nil if there is none.
func Results(dataset string) *Table { return find(dataset, results) }

// Ablation returns the part of the paper's Table 3 for a data set, or nil if there is none. The
// names of its methods are the labels of the variants in package recap.
func Ablation(dataset string) *Table { return find(dataset, ablations) }

func find(dataset string, in []*Table) *Table {
	for _, t := range in {
		if t.Dataset == dataset {
			return t
		}
	}
	return nil
}

// HasErratum reports whether there is an erratum for a cell, or for the whole row if column is
// empty.
func (t *Table) HasErratum(method, column string) bool {
	for _, e := range t.Errata {
		if e.Method == method && e.Column == column {
			return true
		}
	}
	return false
}
