package tables

import (
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/seed-6655bf3b/recap/internal/results"
	"github.com/seed-6655bf3b/recap/internal/settings"
)

// A testSplit identifies a test split: two are equal if utterances and labels are the same.
type testSplit struct {
	utterances int
	hash       [sha256.Size]byte // of ids and labels
}

// testSplitOf returns the identity of the split that was predicted.
func testSplitOf(p *results.Predictions) testSplit {
	h := sha256.New()
	for i, id := range p.ID {
		fmt.Fprintf(h, "%q %s\n", id, results.FormatFloat32(p.Label[i]))
	}
	return testSplit{len(p.ID), [sha256.Size]byte(h.Sum(nil))}
}

// OwnSplits reports whether each seed has splits of its own.
func (s *Summary) OwnSplits() bool { return s.Config.Data.Resplit == settings.ResplitBySeed }

// sameTest reports whether two summaries were tested on the same utterances with the same labels.
// Where each seed has splits of its own, they must have a seed in common, and the same utterances
// with each such seed.
func sameTest(a, b *Summary) bool {
	if !a.OwnSplits() || !b.OwnSplits() {
		return a.OwnSplits() == b.OwnSplits() && a.tests[0] == b.tests[0]
	}
	common := false
	for i, seed := range a.Seeds {
		if j := slices.Index(b.Seeds, seed); j >= 0 {
			if a.tests[i] != b.tests[j] {
				return false
			}
			common = true
		}
	}
	return common
}

// testOf returns what the j-th seed should have been tested on.
func (s *Summary) testOf(j int) testSplit {
	if s.OwnSplits() {
		return s.tests[j]
	}
	return s.tests[0]
}

// utterances returns the number of utterances of the test split. If it is not the same for all
// seeds, it returns the smallest and the largest.
func (s *Summary) utterances() string {
	var n []int
	for _, test := range s.tests {
		n = append(n, test.utterances)
	}
	if first, last := slices.Min(n), slices.Max(n); first != last {
		return fmt.Sprintf("%d to %d", first, last)
	}
	return fmt.Sprint(n[0])
}

// A numbering gives each utterance of several test splits a number from 0 on: its position in the
// first split, or the next number.
type numbering struct {
	of map[string]int // by id, and how often the id was before in the split
}

// add returns the numbers of the utterances of a split.
func (n *numbering) add(ids []string) []int {
	before := map[string]int{}
	var numbers []int
	for _, id := range ids {
		key := fmt.Sprint(before[id], " ", id)
		before[id]++
		if _, ok := n.of[key]; !ok {
			n.of[key] = len(n.of)
		}
		numbers = append(numbers, n.of[key])
	}
	return numbers
}
