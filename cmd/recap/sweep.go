package main

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/progress"
	"golang.org/x/term"

	"github.com/seed-6655bf3b/recap/internal/runs"
	"github.com/seed-6655bf3b/recap/internal/settings"
	"github.com/seed-6655bf3b/recap/internal/sweep"
	"github.com/seed-6655bf3b/recap/internal/tables"
)

// poolFlags say who trains the units of a sweep.
type poolFlags struct {
	Workers int    `default:"1" placeholder:"N" help:"Units trained at once, each by a process of its own; they share the cores and need their memory each."`
	Shard   string `placeholder:"I/N" help:"Train only each Nth unit, from the Ith on, counted from 0; by default the task of a Slurm array, a Kubernetes indexed Job or mpirun is read from the environment."`
}

// shard returns the part of the units that is this process's.
func (f *poolFlags) shard(t *terminal) (sweep.Shard, error) {
	if f.Workers < 1 {
		return sweep.Shard{}, usageError{fmt.Errorf("--workers: expected 1 or more, found %d", f.Workers)}
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
		t.log.Info("read from the environment", "of", strings.Join(found, " and "), "shard", fmt.Sprintf("%d/%d", s.Index, s.Count))
	}
	return s, nil
}

// cores returns how many cores the workers have together: those of the task under Slurm, where not
// all of the machine's are the job's.
func cores(t *terminal) int {
	if n, err := strconv.Atoi(os.Getenv("SLURM_CPUS_PER_TASK")); err == nil && n > 0 && os.Getenv("GOMAXPROCS") == "" {
		t.log.Info("read from the environment", "SLURM_CPUS_PER_TASK", n)
		return n
	}
	return runtime.GOMAXPROCS(0)
}

// train trains the units of the shard and returns what became of them.
func (f *poolFlags) train(ctx context.Context, t *terminal, units []runs.Unit) []sweep.Result {
	p := &sweep.Pool{Workers: f.Workers, Cores: cores(t), Command: "unit", Log: t.log}
	if !term.IsTerminal(int(os.Stderr.Fd())) {
		return p.Run(ctx, units)
	}
	b := newBars(t.err)
	defer b.stop()
	p.Log = slog.New(slog.NewTextHandler(b, nil))
	u := &unitBar{t: &progress.Tracker{Message: "units", Total: int64(len(units))}, running: map[string]string{}}
	b.AppendTracker(u.t)
	p.Step, p.End = u.step, u.end
	return p.Run(ctx, units)
}

// unitBar counts units and says which are under way.
type unitBar struct {
	t       *progress.Tracker
	running map[string]string // how far, by unit
}

func (b *unitBar) step(u *runs.Unit, phase string, done, total int) {
	name := filepath.Join(filepath.Base(u.Run()), filepath.Base(u.Dir))
	b.running[u.Dir] = fmt.Sprintf("%s %s %d%%", name, phase, 100*done/total)
	b.say()
}

func (b *unitBar) end(r *sweep.Result) {
	delete(b.running, r.Unit.Dir)
	b.say()
	b.t.Increment(1)
}

// say names at most three units, for a line.
func (b *unitBar) say() {
	var list []string
	for _, dir := range slices.Sorted(maps.Keys(b.running)) {
		list = append(list, b.running[dir])
	}
	if more := len(list) - 3; more > 0 {
		list = append(list[:3], fmt.Sprintf("and %d more", more))
	}
	b.t.UpdateMessage(strings.TrimSuffix("units; "+strings.Join(list, ", "), "; "))
}

type sweepCommand struct {
	Dataset  []string `short:"d" sep:"none" placeholder:"NAME[=FILE]" help:"Data set, with its feature file unless the program makes it; default synthetic. May be given several times."`
	Model    []string `short:"m" placeholder:"NAME" help:"Models; default recap."`
	Variants []string `placeholder:"NAME" help:"Variants of the model; default full. recap ablate --help lists them."`
	settingFlags
	poolFlags
}

func (sweepCommand) Help() string {
	return `A unit is one seed of one configuration, in the directory where recap train has it. Units that are finished are skipped, unfinished ones continued, a failed one keeps its log (log.txt in its directory) and does not end the others. The same command again, or on other machines that share --out, does what is left: no unit is trained by two processes at once. Exit 0 says that all units of the sweep, or of its shard, are done.

Examples:
  recap sweep -d synthetic --variants full,no-fid,no-stage1 -s 1111,1112,1113 --workers 2
  recap sweep -d mosi=unaligned_50.pkl -d sims=sims.pkl -s 1111,1112,1113 --shard 0/4

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
	began := time.Now()
	units, err := (&runs.Runner{Out: c.Out, Log: t.log}).Plan(configs, seeds)
	if err != nil {
		return err
	}
	results := c.train(ctx, t, shard.Of(units))
	if err := runs.Settle(units); err != nil {
		return err
	}
	table, err := tables.SweepTable(sweep.Tallies(units, results), time.Since(began))
	if err != nil {
		return err
	}
	fmt.Fprintln(t.out, table.Render())
	return sweep.Unfinished(results)
}

// configs returns the configurations of the sweep: data sets in the outer loop, then models, then
// variants.
func (c *sweepCommand) configs() (configs []settings.Config, seeds []uint64, err error) {
	orNone := func(s []string) []string { // "" leaves the choice to the other sources of settings
		if s == nil {
			return []string{""}
		}
		return s
	}
	seen := map[string]bool{}
	for _, dataset := range orNone(c.Dataset) {
		name, file, _ := strings.Cut(dataset, "=")
		for _, model := range orNone(c.Model) {
			for _, variant := range orNone(c.Variants) {
				config, list, err := c.resolve(map[string]string{"dataset": name, "data.file": file, "model": model, "variant": variant})
				if err != nil {
					return nil, nil, err
				}
				key := strings.Join([]string{config.Dataset, config.Model, config.Variant}, " ")
				if seen[key] {
					return nil, nil, usageError{fmt.Errorf("sweep: expected each configuration once, found %s twice", strings.TrimSpace(key))}
				}
				seen[key] = true
				configs, seeds = append(configs, config), list
			}
		}
	}
	return configs, seeds, distinct(seeds)
}

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

// unitCommand is what the processes of a sweep run.
type unitCommand struct {
	Dir string `arg:"" type:"existingdir" help:"Directory of one seed."`
}

func (unitCommand) Help() string {
	return `Trains one unit of a sweep until its standard input ends. Not for people, who have recap train --resume DIR.

Example:
  recap unit runs/synthetic/recap/full/seed1111`
}

func (c *unitCommand) Run(ctx context.Context, t *terminal) error {
	return sweep.RunWorker(ctx, c.Dir, os.Stdin, t.out, t.log)
}
