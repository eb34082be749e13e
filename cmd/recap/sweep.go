package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/seed-6655bf3b/recap/internal/runs"
	"github.com/seed-6655bf3b/recap/internal/settings"
	"github.com/seed-6655bf3b/recap/internal/sweep"
	"github.com/seed-6655bf3b/recap/internal/tables"
	"github.com/seed-6655bf3b/recap/internal/train"
)

// poolFlags say which units of a sweep this process trains, and how many at the same time.
type poolFlags struct {
	Workers int    `default:"1" placeholder:"N" help:"${workers}"`
	Shard   string `placeholder:"I/N" help:"${shard}"`
}

// shard returns the shard that this process trains.
func (f *poolFlags) shard(t *terminal) (sweep.Shard, error) {
	if f.Workers < 1 {
		return sweep.Shard{}, usageError{fmt.Errorf("--workers: expected 1 or more, found %d",
			f.Workers)}
	}
	if f.Shard != "" {
		s, err := sweep.ParseShard(f.Shard)
		if err != nil {
			return s, usageError{err}
		}
		return s, nil
	}
	s, found, err := sweep.FromEnvironment(os.LookupEnv)
	if err != nil {
		return s, usageError{err}
	}
	if found != nil {
		shard := fmt.Sprintf("%d/%d", s.Index, s.Count)
		t.log.Info("read from the environment", "of", strings.Join(found, " and "), "shard", shard)
	}
	return s, nil
}

// cores returns the number of cores that all workers share: under Slurm the cores of the task,
// which may be fewer than those of the machine, unless GOMAXPROCS is set.
func cores(t *terminal) int {
	if n, err := strconv.Atoi(os.Getenv("SLURM_CPUS_PER_TASK")); err == nil &&
		n > 0 && os.Getenv("GOMAXPROCS") == "" {
		t.log.Info("read from the environment", "SLURM_CPUS_PER_TASK", n)
		return n
	}
	return runtime.GOMAXPROCS(0)
}

// train trains the units of the shard and returns their results.
func (f *poolFlags) train(ctx context.Context, t *terminal, units []runs.Unit) []sweep.Result {
	w := &unitsTraining{t: t, units: len(units), start: time.Now(),
		running: map[string]train.Progress{}}
	t.onInterrupt(w.answer, thisCommand)
	t.log.Info(fmt.Sprintf("training %d units", len(units)), "workers", f.Workers)
	defer t.hide()
	p := &sweep.Pool{Workers: f.Workers, Cores: cores(t), Command: "unit", Log: t.log,
		Progress: w.update, End: w.end}
	return p.Run(ctx, units)
}

// A unitsTraining shows the progress of the units that are trained, and answers Ctrl-C.
type unitsTraining struct {
	t     *terminal
	units int
	start time.Time

	mu             sync.Mutex
	ended, trained int                       // units
	running        map[string]train.Progress // by unit directory
}

func (w *unitsTraining) update(u *runs.Unit, p *train.Progress) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.running[u.Dir] = *p
	w.show()
}

func (w *unitsTraining) end(r *sweep.Result) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.running, r.Unit.Dir)
	switch r.Outcome {
	case sweep.Done:
		w.ended++
		w.trained++
	case sweep.Skipped, sweep.Failed:
		w.ended++
	}
	w.show()
}

// show shows the number of units and the progress of those that are trained. The time left is
// estimated from that of the units before.
func (w *unitsTraining) show() {
	trained, measured := float64(w.trained), w.trained > 0
	var list []string
	for _, dir := range slices.Sorted(maps.Keys(w.running)) {
		p := w.running[dir]
		trained += p.Done
		measured = measured || p.Measured && !p.Left.AtLeast
		name := filepath.Join(filepath.Base(filepath.Dir(dir)), filepath.Base(dir))
		list = append(list, name+" "+position(&p))
	}
	s := status{doing: fmt.Sprintf("%d of %d units done", w.ended, w.units), measured: measured,
		done: min(1, (float64(w.ended-w.trained)+trained)/float64(w.units))}
	if left := float64(w.units) - float64(w.ended-w.trained) - trained; measured {
		s.left.Time = time.Duration(float64(time.Since(w.start)) * left / trained)
	}
	s.details = strings.Join(list, ", ")
	w.t.show(s)
}

// answer says what the sweep does after the first Ctrl-C.
func (w *unitsTraining) answer() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	longest := time.Duration(0)
	for _, p := range w.running {
		longest = max(longest, p.EpochLeft)
	}
	if len(w.running) == 0 {
		return "stopping; press Ctrl-C again to stop now"
	}
	return fmt.Sprintf("finishing the epochs of %d units, about %s; press Ctrl-C again to stop "+
		"now: earlier epochs are saved", len(w.running), approximately(longest))
}

type sweepCommand struct {
	Dataset  []string `short:"d" sep:"none" placeholder:"NAME[=FILE]" help:"${sweep_dataset}"`
	Model    []string `short:"m" placeholder:"NAME" help:"Models; default: recap."`
	Variants []string `placeholder:"NAME" help:"${variant}"`
	settingFlags
	poolFlags
}

func (sweepCommand) Help() string {
	return `A unit is one seed of one configuration; its directory is the same as with recap train. Finished units
are skipped and unfinished ones continued. A unit that fails keeps its log (log.txt in its
directory) and does not stop the others.

--set train.batch=16 is for all data sets, --set mosi:train.batch=16 for one, with priority over the
setting and the flags for all.

To continue a sweep, run the same command again. It may also run on several machines that share
--out: two processes never train the same unit. Exit code 0 means that all units of the sweep, or of
the shard, are done.

Examples:
  recap sweep -d synthetic --variants full,no-fid,no-stage1 -s 1111,1112,1113 --workers 2
  recap sweep -d mosi=unaligned_50.pkl -d sims=sims.pkl -s 1111,1112,1113 --shard 0/4
  recap sweep -d synthetic -d mustard=mustard.pkl -m recap,misa --set mustard:data.resplit=seed

On a cluster: docs/cluster has a script for Slurm and a manifest for Kubernetes.`
}

func (c *sweepCommand) Run(ctx context.Context, t *terminal) error {
	configs, seeds, err := c.configs()
	if err != nil {
		return err
	}
	shard, err := c.shard(t)
	if err != nil {
		return err
	}
	start := time.Now()
	units, err := (&runs.Runner{Out: c.Out, Log: t.log}).Plan(configs, seeds)
	if err != nil {
		return err
	}
	results := c.train(ctx, t, shard.Of(units))
	if err := runs.Repair(units); err != nil {
		return err
	}
	table, err := tables.SweepTable(sweep.Tallies(units, results), time.Since(start))
	if err != nil {
		return err
	}
	fmt.Fprint(t.out, table.Text(t.width))
	return continueError(ctx, sweep.Unfinished(results))
}

// configs returns the configurations of the sweep: data sets in the outer loop, then models, then
// variants.
func (c *sweepCommand) configs() (configs []settings.Config, seeds []uint64, err error) {
	orDefault := func(s []string) []string { // "" means that the other sources of settings decide
		if s == nil {
			return []string{""}
		}
		return s
	}
	ofDataset, err := c.takeOfDataset()
	if err != nil {
		return nil, nil, err
	}
	seen := map[string]bool{}
	for _, dataset := range orDefault(c.Dataset) {
		name, file, _ := strings.Cut(dataset, "=")
		for _, model := range orDefault(c.Model) {
			for _, variant := range orDefault(c.Variants) {
				given := maps.Clone(ofDataset[name])
				for key, value := range map[string]string{"dataset": name, "data.file": file,
					"model": model, "variant": variant} {
					if value != "" {
						given[key] = value
					}
				}
				config, list, err := c.resolve(given)
				if err != nil {
					return nil, nil, err
				}
				key := strings.Join([]string{config.Dataset, config.Model, config.Variant}, " ")
				if seen[key] {
					err := fmt.Errorf("sweep: expected each configuration once, found %s twice",
						strings.TrimSpace(key))
					return nil, nil, usageError{err}
				}
				seen[key] = true
				configs, seeds = append(configs, config), list
			}
		}
	}
	return configs, seeds, distinct(seeds)
}

// takeOfDataset removes the settings of one data set, such as mosi:train.lr, from those of --set,
// and returns them by data set and key.
func (c *sweepCommand) takeOfDataset() (map[string]map[string]string, error) {
	of := map[string]map[string]string{"": {}} // "": no data set is given
	var names []string
	for _, dataset := range c.Dataset {
		name, _, _ := strings.Cut(dataset, "=")
		names = append(names, name)
		of[name] = map[string]string{}
	}
	for _, flag := range slices.Sorted(maps.Keys(c.Set)) {
		name, key, found := strings.Cut(flag, ":")
		if !found {
			continue
		}
		fail := func(format string, args ...any) (map[string]map[string]string, error) {
			return nil, usageError{fmt.Errorf("sweep: --set %s: expected "+format,
				append([]any{flag}, args...)...)}
		}
		value := c.Set[flag]
		switch {
		case !slices.Contains(names, name):
			return fail("the name of a data set of -d (%s), found %s%s",
				cmp.Or(strings.Join(names, ", "), "none"), name, settings.DidYouMean(name, names))
		case key == "seed":
			return fail("a setting in which data sets may differ, found the seed; give all seeds " +
				"with -s")
		case value == "":
			return fail("a value, found none")
		}
		of[name][key] = value
		delete(c.Set, flag)
	}
	return of, nil
}

// distinct returns a usageError if a seed is given twice.
func distinct(seeds []uint64) error {
	seen := map[uint64]bool{}
	for _, s := range seeds {
		if seen[s] {
			return usageError{fmt.Errorf("expected each seed once, found %d twice", s)}
		}
		seen[s] = true
	}
	return nil
}

// unitCommand is the command of a sweep's worker processes.
type unitCommand struct {
	Dir string `arg:"" type:"existingdir" help:"Directory of one seed."`
}

func (unitCommand) Help() string {
	return `Trains one unit of a sweep, or until standard input is closed. recap sweep starts it; to continue a
run, use recap train --resume DIR.

Example:
  recap unit runs/synthetic/recap/full/seed1111`
}

func (c *unitCommand) Run(ctx context.Context, t *terminal) error {
	t.onInterrupt(func() string { return "" }, func() string { return "" })
	return sweep.RunWorker(ctx, c.Dir, os.Stdin, t.out, t.log)
}
