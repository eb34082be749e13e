package main

import (
	"context"
	"fmt"
	"maps"
	"os"

	"github.com/seed-6655bf3b/recap/datasets"
	"github.com/seed-6655bf3b/recap/internal/settings"
	"github.com/seed-6655bf3b/recap/internal/tables"
	"github.com/seed-6655bf3b/recap/recap"
)

// configFlags make a configuration. Those left out are taken from --set, the environment, --config
// and the preset, in this order.
type configFlags struct {
	Dataset string `short:"d" placeholder:"NAME" help:"Data set: synthetic (default), synthetic-mosi, or the name that goes with --data, such as mosi or sims."`
	Model   string `short:"m" placeholder:"NAME" help:"Model: recap (default), ${models}."`
	Data    string `placeholder:"FILE" help:"Feature file in MMSA's layout (.pkl), or what recap data pack made of one."`
	featureFlags
	settingFlags
}

// settingFlags are those that do not say what is learned from.
type settingFlags struct {
	BERT      string            `name:"bert" placeholder:"DIR" help:"Pretrained BERT in Hugging Face's layout: a folder, or a name in $HF_HOME."`
	ImageBind string            `name:"imagebind" placeholder:"FILE" help:"imagebind_huge.pth, from which generators of generator.kind=imagebind start."`
	Seed      []uint64          `short:"s" help:"Seed, default 1111; several are trained in turn and averaged."`
	Preset    string            `placeholder:"NAME" help:"Default settings: quick (default) or paper."`
	Device    string            `placeholder:"NAME" help:"Device: cpu (default), cpu64, or cuda:0 and so on in a build with CUDA."`
	Rates     string            `placeholder:"RATES" help:"Missing rates of the test, default 0:0.9:0.1."`
	Select    string            `placeholder:"HOW" help:"Checkpoint: valid (default), or per-metric-test, the literature's optimistic way."`
	Config    string            `placeholder:"FILE" help:"Settings as YAML or JSON."`
	Set       map[string]string `mapsep:"none" placeholder:"KEY=VALUE" help:"Change a setting; a wrong key lists all."`
	Out       string            `default:"runs" env:"RECAP_OUT" placeholder:"DIR" help:"Where run directories are made; default runs."`
}

// resolve returns the configuration and the seeds.
func (f *configFlags) resolve(more map[string]string) (settings.Config, []uint64, error) {
	given := map[string]string{
		"dataset": f.Dataset, "model": f.Model, "data.file": f.Data, "data.text": f.FeatureText, "data.audio": f.FeatureAudio, "data.vision": f.FeatureVision,
	}
	maps.Copy(given, more)
	return f.settingFlags.resolve(given)
}

// resolve returns the configuration with the settings in given, where they are not empty, and the
// seeds.
func (f *settingFlags) resolve(given map[string]string) (settings.Config, []uint64, error) {
	flags := map[string]string{
		"text.bert": f.BERT, "generator.file": f.ImageBind, "preset": f.Preset, "device": f.Device, "eval.rates": f.Rates, "select": f.Select,
	}
	maps.Copy(flags, given)
	maps.DeleteFunc(flags, func(_, value string) bool { return value == "" })
	c, err := settings.Resolve(settings.Sources{File: f.Config, Env: os.LookupEnv, Set: f.Set, Flags: flags})
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
	Variant string `placeholder:"NAME" help:"Variant of the model, default full; recap ablate --help lists them."`
	Name    string `help:"Name of the run directory; the default is the variant's, with a number if it is taken."`
	Resume  string `type:"existingdir" placeholder:"DIR" help:"Continue the unfinished run in DIR, with its own settings."`

	TensorBoard bool `name:"tensorboard" help:"Also write the journal as event files, for tensorboard --logdir."`
}

func (trainCommand) Help() string {
	return `Every setting can come from, in rising order: the preset of the model, for mosi, mosei or sims where -d names one of them, --config, the environment (RECAP_TRAIN_LR for train.lr), --set, flags.

Examples:
  recap train
  recap train -d mosi --data unaligned_50.pkl -s 1111 -s 1112 -s 1113
  recap train -d mosi --data unaligned_50.pkl --bert bert-base-uncased/ --set text.finetune=false
  recap train --variant no-stage1 --set data.labels=0.1 --set train.epochs.stage2=30
  recap train -m misa
  recap train --resume runs/synthetic/recap/full
  recap train --tensorboard && tensorboard --logdir runs`
}

func (c *trainCommand) Run(ctx context.Context, t *terminal) error {
	runner, stop := newRunner(t, c.Out)
	defer stop()
	runner.TensorBoard = c.TensorBoard
	var dir string
	var summary *tables.Summary
	var err error
	if c.Resume != "" {
		if extra := c.given(); extra != "" {
			return usageError{fmt.Errorf("train: --resume continues a run with its own settings: leave out %s, or train a new run", extra)}
		}
		dir, summary, err = runner.Resume(ctx, c.Resume)
	} else {
		config, seeds, wrong := c.resolve(map[string]string{"variant": c.Variant, "name": c.Name})
		if wrong != nil {
			return wrong
		}
		dir, summary, err = runner.Train(ctx, config, seeds)
	}
	stop()
	if err != nil {
		return err
	}
	fmt.Fprintln(t.out, summary.Table().Render())
	fmt.Fprintln(t.out, dir)
	return nil
}

// given names a setting on the command line, "" if there is none.
func (c *trainCommand) given() string {
	for _, f := range []struct {
		name string
		set  bool
	}{
		{"--dataset", c.Dataset != ""}, {"--model", c.Model != ""}, {"--data", c.Data != ""}, {"--bert", c.BERT != ""}, {"--imagebind", c.ImageBind != ""}, {"-Ft, -Fa or -Fv", c.own() != datasets.Features{}}, {"--seed", c.Seed != nil},
		{"--preset", c.Preset != ""}, {"--device", c.Device != ""}, {"--rates", c.Rates != ""}, {"--select", c.Select != ""},
		{"--config", c.Config != ""}, {"--set", c.Set != nil}, {"--variant", c.Variant != ""}, {"--name", c.Name != ""},
	} {
		if f.set {
			return f.name
		}
	}
	return ""
}

type ablateCommand struct {
	configFlags
	Variants []string `placeholder:"NAME" help:"Variants to compare; all by default."`
	Drop     []string `placeholder:"MODALITY" help:"Modalities that are missing altogether in the test: text, audio, vision."`
}

func (ablateCommand) Help() string {
	text := "Finished runs of the same settings are used again, unfinished ones continued.\n\nVariants of recap:\n"
	for _, v := range recap.Spec.AllVariants() {
		text += fmt.Sprintf("  %-18s %s\n", v.Name, v.Label)
	}
	return text + `
The first ten are the rows of the paper's Table 3; recap table prints both side by side where the data set is the paper's.

Examples:
  recap ablate --variants full,no-fid,no-stage1 -s 1111,1112,1113 --set data.labels=0.1
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
	var configs []settings.Config
	var seeds []uint64
	for _, name := range variants {
		config, list, err := c.resolve(map[string]string{"variant": name})
		if err != nil {
			return err
		}
		configs, seeds = append(configs, config), list
	}
	runner, stop := newRunner(t, c.Out)
	defer stop()
	summaries, err := runner.Ablate(ctx, configs, seeds, drop)
	stop()
	if err != nil {
		return err
	}
	fmt.Fprint(t.out, tables.AblationTable(summaries).Text())
	return nil
}
