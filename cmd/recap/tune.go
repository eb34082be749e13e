package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/seed-6655bf3b/recap/internal/files"
	"github.com/seed-6655bf3b/recap/internal/runs"
	"github.com/seed-6655bf3b/recap/internal/settings"
	"github.com/seed-6655bf3b/recap/internal/sweep"
	"github.com/seed-6655bf3b/recap/internal/typeset"
)

type tuneCommand struct {
	Trials   int    `short:"n" required:"" placeholder:"N" help:"${trials}"`
	Grid     string `placeholder:"FILE" help:"${grid}"`
	TuneSeed uint64 `default:"1" placeholder:"N" help:"Random seed of the search; default: 1."`
	Name     string `default:"tune" placeholder:"NAME" help:"${tune_name}"`
	Variant  string `placeholder:"NAME" help:"${variant}"`
	configFlags
	poolFlags
}

func (tuneCommand) Help() string {
	return `Draws combinations from the grid without repetition, trains each with every seed, and ranks them by
the validation score that selects a run's checkpoint, averaged over the seeds. Test scores are not
used. Each trial is a run: tune-001 and so on. trials.csv is in the directory with the name of the
search. The same command continues a search; --workers and --shard work as in recap sweep.

Default grid (settings that the model does not have are left out):
  ` + strings.ReplaceAll(strings.TrimSpace(sweep.DefaultGrid), "\n", "\n  ") + `

Examples:
  recap tune -n 20 --workers 2
  recap tune -n 40 -d mosi --data unaligned_50.pkl --grid grid.yaml -s 1111 -s 1112 -s 1113 --name mosi-lr`
}

func (c *tuneCommand) Run(ctx context.Context, t *terminal) error {
	s, seeds, err := c.search()
	if err != nil {
		return err
	}
	shard, err := c.shard(t)
	if err != nil {
		return err
	}
	runner := &runs.Runner{Out: c.Out, Log: t.log}
	units, err := runner.PlanSearch(s, seeds)
	if err != nil {
		return err
	}
	results := c.train(ctx, t, shard.Of(units))
	if err := runs.Repair(units); err != nil {
		return err
	}
	scores, err := runner.TrialScores(s, seeds)
	if err != nil {
		return err
	}
	fmt.Fprint(t.out, s.Table(scores, seeds).Text(t.width))
	if best := scores[0]; best.Seeds == len(seeds) {
		t.paragraph("best by validation, test scores were not used: " + best.Run)
		fmt.Fprintln(t.out, c.trainLine(s, best.Trial))
	}
	return continueError(ctx, sweep.Unfinished(results))
}

// search draws the trials and resolves their configurations.
func (c *tuneCommand) search() (*runs.Search, []uint64, error) {
	base, seeds, err := c.resolve(map[string]string{"variant": c.Variant})
	if err != nil {
		return nil, nil, err
	}
	grid, err := c.grid(&base)
	if err != nil {
		return nil, nil, usageError{err}
	}
	drawn, err := grid.Draw(c.Trials, c.TuneSeed)
	if err != nil {
		return nil, nil, usageError{err}
	}
	if base.Select != settings.SelectValid {
		return nil, nil,
			usageError{fmt.Errorf("tune: select: expected %s, since test scores must not be used, found %s",
				settings.SelectValid, base.Select)}
	}
	if !settings.PlainName(c.Name) {
		return nil, nil, usageError{fmt.Errorf(
			"--name: expected letters, digits, '.', '_' and '-', found %q", c.Name,
		)}
	}
	s := &runs.Search{Name: c.Name, Base: base, Seed: c.TuneSeed}
	for _, axis := range grid {
		s.Keys, s.Grid = append(s.Keys, axis.Key), append(s.Grid, axis)
	}
	for i, values := range drawn {
		given := map[string]string{"variant": c.Variant}
		maps.Copy(given, values)
		config, _, err := c.resolve(given)
		if err != nil {
			return nil, nil, fmt.Errorf("trial %d, %s: %w", i+1,
				strings.Join(setFlags(values), " "), err)
		}
		t := runs.Trial{Config: config}
		for _, key := range s.Keys {
			t.Values = append(t.Values, values[key])
		}
		s.Trials = append(s.Trials, t)
	}
	return s, seeds, distinct(seeds)
}

// grid returns the grid of --grid, or the default grid without the settings that the model does
// not have and those of --set and other flags.
func (c *tuneCommand) grid(base *settings.Config) (sweep.Grid, error) {
	if c.Grid == "" {
		g, err := sweep.ParseGrid("default grid", []byte(sweep.DefaultGrid))
		return g.Filter(func(key string) bool {
			return base.Has(key) && !c.fixes(key)
		}), err
	}
	text, err := files.Read(c.Grid)
	if err != nil {
		return nil, fmt.Errorf("tune: grid: %w", err)
	}
	g, err := sweep.ParseGrid(c.Grid, text)
	for _, axis := range g {
		if c.fixes(axis.Key) {
			return nil, fmt.Errorf("tune: %s: expected a setting in the grid or in a flag, found "+
				"%s in both", c.Grid, axis.Key)
		}
	}
	return g, err
}

// fixes reports whether --set or another flag has the setting with the key.
func (c *tuneCommand) fixes(key string) bool {
	_, set := c.Set[key]
	_, flag := c.given()[key]
	return set || flag
}

// trainLine returns the command that trains a run with the settings of a trial.
func (c *tuneCommand) trainLine(s *runs.Search, trial int) string {
	words := []string{"recap", "train"}
	values := map[string]string{}
	for i, key := range s.Keys {
		values[key] = s.Trials[trial].Values[i]
	}
	variant := c.Variant
	if v, ok := values["variant"]; ok {
		variant = v
		delete(values, "variant")
	}
	for _, f := range []struct{ name, value string }{
		{"-d", c.Dataset}, {"-m", c.Model}, {"--data", c.Data},
		{"--feature-text", c.FeatureText}, {"--feature-audio", c.FeatureAudio},
		{"--feature-vision", c.FeatureVision}, {"--bert", c.BERT}, {"--imagebind", c.ImageBind},
		{"--preset", c.Preset}, {"--device", c.Device}, {"--epochs", c.Epochs}, {"--lr", c.LR},
		{"--batch-size", c.BatchSize}, {"--rates", c.Rates}, {"--config", c.Config},
		{"--variant", variant},
	} {
		if f.value != "" {
			words = append(words, f.name, f.value)
		}
	}
	for _, seed := range c.Seed {
		words = append(words, "-s", fmt.Sprint(seed))
	}
	maps.Copy(values, c.Set)
	words = append(words, setFlags(values)...)
	if c.Out != "runs" {
		words = append(words, "--out", c.Out)
	}
	for i := range words {
		words[i] = typeset.ShellWord(words[i])
	}
	return strings.Join(words, " ")
}

// setFlags returns the values as flags --set KEY=VALUE, sorted by key.
func setFlags(values map[string]string) []string {
	var words []string
	for _, key := range slices.Sorted(maps.Keys(values)) {
		words = append(words, "--set", key+"="+values[key])
	}
	return words
}
