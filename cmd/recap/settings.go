package main

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/seed-6655bf3b/recap/internal/settings"
)

type settingsCommand struct {
	Key     string `arg:"" optional:"" help:"Setting, or the beginning of several, such as train."`
	Model   string `short:"m" placeholder:"NAME" help:"Model: recap (default), ${models}."`
	Dataset string `short:"d" placeholder:"NAME" help:"${preset_dataset}"`
	Preset  string `placeholder:"NAME" help:"Default settings: quick (default) or paper."`
}

func (settingsCommand) Help() string {
	return `Prints the settings that --set, --config and the environment accept: keys, defaults,
meanings, valid values. The environment variable of train.lr is RECAP_TRAIN_LR.

Examples:
  recap settings
  recap settings train
  recap settings -m lnln -d mosei --preset paper train.lr`
}

func (c *settingsCommand) Run(t *terminal) error {
	config, err := settings.Preset(cmp.Or(c.Preset, "quick"), cmp.Or(c.Model, "recap"), c.Dataset)
	if err != nil {
		return usageError{err}
	}
	list, err := config.Describe(strings.TrimSuffix(c.Key, "."))
	if err != nil {
		return usageError{err}
	}
	title := ""
	for _, d := range list {
		if d.Group != title {
			title = d.Group
			fmt.Fprintln(t.out, title)
		}
		fmt.Fprintf(t.out, "  %s=%s\n      %s (%s)\n", d.Key, d.Default, d.Meaning, d.Values)
	}
	return nil
}
