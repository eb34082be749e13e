package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/seed-6655bf3b/recap/datasets"
	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/settings"
	"github.com/seed-6655bf3b/recap/internal/tables"
	"github.com/seed-6655bf3b/recap/internal/train"
	"github.com/seed-6655bf3b/recap/internal/typeset"
	"github.com/seed-6655bf3b/recap/recap"
)

// configFlags are the flags of a configuration. A setting without a flag is taken from --set, the
// environment, --config or the preset: from the first of these that has it.
type configFlags struct {
	Dataset string `short:"d" placeholder:"NAME" help:"${dataset}"`
	Model   string `short:"m" placeholder:"NAME" help:"Model: recap (default), ${models}."`
	Data    string `placeholder:"FILE" help:"Feature file: a pickle in MMSA's layout, or packed by recap data pack."`
	featureFlags
	settingFlags
}

// settingFlags are the flags of a configuration other than the model and the data.
type settingFlags struct {
	BERT      string            `name:"bert" placeholder:"DIR" help:"${bert}"`
	ImageBind string            `name:"imagebind" placeholder:"FILE" help:"${imagebind}"`
	Seed      []uint64          `short:"s" help:"${seed}"`
	Preset    string            `placeholder:"NAME" help:"Default settings: quick (default) or paper."`
	Device    string            `placeholder:"NAME" help:"${device}"`
	Epochs    string            `placeholder:"N" help:"${epochs}"`
	LR        string            `name:"lr" placeholder:"X" help:"${lr}"`
	BatchSize string            `placeholder:"N" help:"Utterances of a batch (train.batch)."`
	Rates     string            `placeholder:"RATES" help:"Missing rates of the test; default: 0:0.9:0.1."`
	Select    string            `placeholder:"HOW" help:"${select}"`
	Config    string            `placeholder:"FILE" help:"File with settings, YAML or JSON."`
	Set       map[string]string `mapsep:"none" placeholder:"KEY=VALUE" help:"${set}"`
	Out       string            `default:"runs" env:"RECAP_OUT" placeholder:"DIR" help:"${out}"`
}

// resolve returns the configuration and the seeds. The settings in more have priority over the
// flags.
func (f *configFlags) resolve(more map[string]string) (settings.Config, []uint64, error) {
	given := map[string]string{
		"dataset": f.Dataset, "model": f.Model, "data.file": f.Data,
		"data.text": f.FeatureText, "data.audio": f.FeatureAudio, "data.vision": f.FeatureVision,
	}
	maps.Copy(given, more)
	return f.settingFlags.resolve(given)
}

// given returns the settings of the flags that are given, by key.
func (f *settingFlags) given() map[string]string {
	flags := map[string]string{
		"text.bert": f.BERT, "generator.file": f.ImageBind, "preset": f.Preset, "device": f.Device,
		"train.epochs": f.Epochs, "train.lr": f.LR, "train.batch": f.BatchSize,
		"eval.rates": f.Rates, "select": f.Select,
	}
	maps.DeleteFunc(flags, func(_, value string) bool { return value == "" })
	return flags
}

// resolve returns the configuration with the settings in given that are not empty, and the seeds.
func (f *settingFlags) resolve(given map[string]string) (settings.Config, []uint64, error) {
	flags := f.given()
	maps.Copy(flags, given)
	maps.DeleteFunc(flags, func(_, value string) bool { return value == "" })
	sources := settings.Sources{File: f.Config, Env: os.Environ(), Set: f.Set, Flags: flags}
	c, err := settings.Resolve(sources)
	if errors.As(err, &settings.FileError{}) {
		return c, nil, err
	}
	if err != nil {
		return c, nil, usageError{err}
	}
	if f.Seed == nil {
		return c, []uint64{c.Seed}, nil
	}
	return c, f.Seed, nil
}

type trainCommand struct {
	configFlags
	Variant string `placeholder:"NAME" help:"${variant}"`
	Name    string `help:"${name}"`
	Resume  string `type:"existingdir" placeholder:"DIR" help:"Continue an unfinished run with its own settings."`

	TensorBoard bool `name:"tensorboard" help:"Also write event files for tensorboard --logdir."`
}

func (trainCommand) Help() string {
	return `A setting is taken from the last of these sources that has it: the model's preset (for mosi, mosei or
sims if -d names one of them), --config, the environment (RECAP_TRAIN_LR for train.lr), --set, flags.

Examples:
  recap train
  recap train -d mosi --data unaligned_50.pkl -s 1111 -s 1112 -s 1113
  recap train -d mosi --data unaligned_50.pkl --bert bert-base-uncased/ --set text.finetune=false
  recap train --variant no-stage1 --set data.labels=0.1 --set train.epochs.stage2=30
  recap train -m misa --epochs 10 --lr 0.0005 --batch-size 32
  recap train --resume runs/synthetic/recap/full
  recap train --resume runs/mosi/recap/full --data moved/unaligned_50.pkl
  recap train --tensorboard && tensorboard --logdir runs`
}

func (c *trainCommand) Run(ctx context.Context, t *terminal) error {
	runner := newRunner(ctx, t, c.Out, func(dir string) string {
		return "recap train --resume " + typeset.ShellWord(dir)
	})
	runner.TensorBoard = c.TensorBoard
	var dir string
	var summary *tables.Summary
	var err error
	if c.Resume != "" {
		if extra := c.changes(); extra != "" {
			return usageError{fmt.Errorf("train: --resume continues a run with its own settings: "+
				"leave out %s, or train a new run", extra)}
		}
		t.log.Info("continuing the training in " + c.Resume)
		if c.Data != "" {
			err = runner.MoveData(c.Resume, c.Data)
		}
		if err == nil {
			dir, summary, err = runner.Resume(context.Background(), c.Resume)
		}
	} else {
		config, seeds, invalid := c.resolve(map[string]string{"variant": c.Variant,
			"name": c.Name})
		if invalid != nil {
			return invalid
		}
		if err := config.CheckData(); err != nil {
			return err
		}
		if config.Data.File != "" {
			t.log.Info("opening " + filepath.Base(config.Data.File))
		}
		dir, summary, err = runner.Train(context.Background(), config, seeds)
	}
	t.hide()
	if err != nil {
		return err
	}
	fmt.Fprint(t.out, summary.Text(t.width))
	seed := filepath.Join(dir, fmt.Sprintf("seed%d", summary.Seeds[0]))
	next := fmt.Sprintf("Next: recap report %s (a page with figures), recap serve %s (all runs in "+
		"the browser), recap predict --run %s --features FILE",
		typeset.ShellWord(dir), typeset.ShellWord(rundir.Root(dir, &summary.Config)),
		typeset.ShellWord(seed))
	t.paragraph(next)
	fmt.Fprintln(t.out, dir)
	return nil
}

// changes returns the name of a flag that changes a setting, "" if there is none.
func (c *trainCommand) changes() string {
	for _, f := range []struct {
		name string
		set  bool
	}{
		{"--dataset", c.Dataset != ""}, {"--model", c.Model != ""},
		{"--bert", c.BERT != ""}, {"--imagebind", c.ImageBind != ""},
		{"-Ft, -Fa or -Fv", c.files() != datasets.Features{}}, {"--seed", c.Seed != nil},
		{"--preset", c.Preset != ""}, {"--device", c.Device != ""}, {"--rates", c.Rates != ""},
		{"--epochs", c.Epochs != ""}, {"--lr", c.LR != ""}, {"--batch-size", c.BatchSize != ""},
		{"--select", c.Select != ""}, {"--config", c.Config != ""}, {"--set", c.Set != nil},
		{"--variant", c.Variant != ""}, {"--name", c.Name != ""},
	} {
		if f.set {
			return f.name
		}
	}
	return ""
}

type ablateCommand struct {
	configFlags
	Variants []string `placeholder:"NAME" help:"Variants to compare; default: all."`
	Drop     []string `placeholder:"MODALITY" help:"${drop}"`

	EqualSteps bool `xor:"equal" help:"${equal_steps}"`
	EqualTime  bool `xor:"equal" help:"${equal_time}"`
}

func (ablateCommand) Help() string {
	text := "Finished runs with the same settings are reused, unfinished ones continued.\n\nVariants of recap:\n"
	for _, v := range recap.Spec.AllVariants() {
		text += fmt.Sprintf("  %-18s %s\n", v.Name, v.Label)
	}
	return text + `
The first ten are the rows of the paper's Table 3. For the paper's data sets, recap table prints its
numbers beside yours.

Stage 1 gives full more training than no-stage1 has, so the difference between them is not that of
stage 1 alone. With --equal-steps or --equal-time no-stage1 (no other variant) trains stage 2 for
more epochs: for as many steps, or about as much time, as full trains both stages. The run is named
no-stage1-equal-steps or no-stage1-equal-time; its train.epochs.stage2 has the number of epochs.

Examples:
  recap ablate --variants full,no-fid,no-stage1 -s 1111,1112,1113 --set data.labels=0.1
  recap ablate --variants full,no-stage1 --equal-steps -s 1111,1112,1113,1114,1115
  recap ablate -d mosi --data unaligned_50.pkl --drop audio,vision`
}

func (c *ablateCommand) Run(ctx context.Context, t *terminal) error {
	drop, err := settings.ParseModalities(c.Drop)
	if err != nil {
		return usageError{err}
	}
	variants := c.Variants
	if variants == nil {
		config, _, err := c.resolve(nil)
		if err != nil {
			return err
		}
		variants = config.Variants()
	}
	equal, err := c.equal(variants)
	if err != nil {
		return err
	}
	var configs []settings.Config
	var seeds []uint64
	for _, name := range variants {
		config, list, err := c.resolve(map[string]string{"variant": name})
		if err != nil {
			return err
		}
		configs, seeds = append(configs, config), list
	}
	runner := newRunner(ctx, t, c.Out, func(string) string { return thisCommand() })
	runner.Equal = equal
	summaries, err := runner.Ablate(context.Background(), configs, seeds, drop)
	t.hide()
	if err != nil {
		if interrupted := new(train.Interrupted); errors.As(err, &interrupted) {
			return fmt.Errorf("ablate: interrupted; continue with: %s", thisCommand())
		}
		return err
	}
	fmt.Fprint(t.out, tables.AblationTable(summaries).Text(t.width))
	return nil
}

// equal returns the value of Runner.Equal for the flags.
func (c *ablateCommand) equal(variants []string) (string, error) {
	if !c.EqualSteps && !c.EqualTime {
		return "", nil
	}
	equal := rundir.EqualSteps
	if c.EqualTime {
		equal = rundir.EqualTime
	}
	full, without := slices.Index(variants, "full"), slices.Index(variants, "no-stage1")
	if full < 0 || without < full {
		return "", usageError{fmt.Errorf("ablate: --%s: expected the variants full and, after it, "+
			"no-stage1, found %s", equal, strings.Join(variants, ","))}
	}
	return equal, nil
}
