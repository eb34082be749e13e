package tables

import (
	"cmp"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/seed-6655bf3b/recap/internal/metric"
	"github.com/seed-6655bf3b/recap/internal/models"
	"github.com/seed-6655bf3b/recap/internal/results"
	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/nn/zoo"
)

// Collect returns the scores of all finished seeds in dir/<dataset>/<model>/<name>/seed<S>, of one
// data set unless dataset is empty. A summary has the seeds of one configuration, in whichever
// directories they are. Unfinished and duplicate seeds are left out and reported to the log.
// Collect returns an error if there is no finished seed.
func Collect(dir, dataset string, log *slog.Logger) ([]*Summary, error) {
	found, _ := fs.Glob(os.DirFS(dir), "*/*/*/seed*") // the pattern is well formed
	k := collector{log: log, kinds: map[string]metric.Kind{}, summaries: map[string]*Summary{},
		dirs: map[string]rundir.Dir{}}
	var otherDatasets []string
	for _, path := range found {
		pathDataset, _, _ := strings.Cut(path, "/")
		d := rundir.Dir(filepath.Join(dir, filepath.FromSlash(path)))
		switch number, _ := strings.CutPrefix(filepath.Base(string(d)), "seed"); {
		case !isNumber(number):
		case dataset != "" && pathDataset != dataset:
			otherDatasets = append(otherDatasets, pathDataset)
		case !d.Finished():
			log.Warn("an unfinished seed is not in the tables", "seed", string(d), "continue",
				"recap train --resume "+string(d))
		default:
			if err := k.add(d); err != nil {
				return nil, err
			}
		}
	}
	switch {
	case k.all == nil && otherDatasets != nil:
		return nil, fmt.Errorf(
			"tables: %s: expected finished runs of data set %s, found only those of %s",
			dir, dataset, strings.Join(slices.Compact(otherDatasets), ", "),
		)
	case k.all == nil:
		return nil, fmt.Errorf(
			"tables: %s: expected finished runs, <dataset>/<model>/<name>/seed<S>, found none; "+
				"give the folder given to recap train as --out", dir,
		)
	}
	for _, s := range k.all {
		s.sort()
	}
	slices.SortStableFunc(k.all, tableOrder)
	return k.all, nil
}

func isNumber(s string) bool {
	_, err := strconv.ParseUint(s, 10, 64)
	return err == nil
}

// tableOrder compares summaries by their order in tables: by data set, model and variant.
func tableOrder(a, b *Summary) int {
	model := func(s *Summary) int {
		return slices.IndexFunc(models.All, func(m zoo.Spec) bool {
			return m.Name == s.Config.Model
		})
	}
	variant := func(s *Summary) int {
		return slices.IndexFunc(s.Config.Spec().AllVariants(), func(v zoo.Variant) bool {
			return v.Name == s.Config.Variant
		})
	}
	return cmp.Or(cmp.Compare(a.Config.Dataset, b.Config.Dataset), cmp.Compare(model(a), model(b)),
		cmp.Compare(variant(a), variant(b)))
}

// A collector adds each seed to the summary of its configuration.
type collector struct {
	log       *slog.Logger
	kinds     map[string]metric.Kind // by data set and file
	summaries map[string]*Summary    // by configuration
	dirs      map[string]rundir.Dir  // by configuration and seed
	all       []*Summary
}

// add adds the scores of a finished seed.
func (k *collector) add(d rundir.Dir) error {
	c, err := d.Config()
	if err != nil {
		return fmt.Errorf("%s: %w", d, err)
	}
	data := c.Dataset + " " + c.Data.File
	kind, ok := k.kinds[data]
	if !ok {
		if kind, err = results.LabelKind(d, &c); err != nil {
			return err
		}
		k.kinds[data] = kind
	}
	s := &Summary{Config: c, Kind: kind}
	if err := s.read(d, &c); err != nil {
		return err
	}
	key := fmt.Sprint(c.Model, " ", c.Variant, " ", s.conditions(), c.Settings())
	if !s.OwnSplits() {
		key += fmt.Sprint(s.tests)
	}
	seed := fmt.Sprint(key, " ", c.Seed)
	if other, ok := k.dirs[seed]; ok {
		k.log.Warn("two directories have the same seed of the same configuration; only one is "+
			"in the tables", "in", string(other), "not", string(d))
		return nil
	}
	k.dirs[seed] = d
	if found := k.summaries[key]; found != nil {
		found.Seeds = append(found.Seeds, c.Seed)
		found.perSeed = append(found.perSeed, s.perSeed[0])
		found.tests = append(found.tests, s.tests[0])
		found.labels = append(found.labels, s.labels[0])
		found.dirs = append(found.dirs, d)
		found.programs = addOnce(found.programs, s.programs...)
		return nil
	}
	k.summaries[key] = s
	k.all = append(k.all, s)
	return nil
}

// ordered returns the elements of list at the positions in order.
func ordered[T any](list []T, order []int) []T {
	var all []T
	for _, i := range order {
		all = append(all, list[i])
	}
	return all
}

// sort sorts the seeds in ascending order.
func (s *Summary) sort() {
	order := make([]int, len(s.Seeds))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int { return cmp.Compare(s.Seeds[i], s.Seeds[j]) })
	s.Seeds, s.perSeed, s.dirs = ordered(s.Seeds, order), ordered(s.perSeed, order),
		ordered(s.dirs, order)
	s.tests, s.labels = ordered(s.tests, order), ordered(s.labels, order)
}
