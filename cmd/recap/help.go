package main

import (
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/seed-6655bf3b/recap/internal/models"
)

type helpCommand struct {
	Command []string `arg:"" optional:"" help:"Command; default: all of them, one line each."`
}

func (helpCommand) Help() string {
	return "The same as recap COMMAND --help.\n\nExample:\n  recap help plot curves"
}

func (c *helpCommand) Run() error {
	_, err := newParser().Parse(append(slices.Clone(c.Command), "--help"))
	if err != nil { // --help ends the program unless there is no such command
		return usageError{err}
	}
	return nil
}

// helpTexts has the texts that help tags name as ${name}: those that several flags share, and
// those that are too long for a tag.
var helpTexts = map[string]string{
	"models": strings.Join(models.Names()[1:], ", "),

	// Shared by several commands.
	"run_dir":    "Run directory, or the directory of one seed.",
	"run_device": "Device: cpu, cpu64, cuda:0 and so on; default: the run's.",
	"data_name": "Name of the data set, such as mosi or sims, which tells the range of its labels; " +
		"default: from the path.",
	"repad": "Move padding from the front to the end, and the rows of text_bert into the order " +
		"ids, mask, segments.",
	"vocabulary":  "Pretrained model whose vocabulary the tokens of the data belong to; default: the run's own.",
	"drop":        "Modalities to remove completely in the test: text, audio, vision.",
	"equal_steps": "Train no-stage1 for as many optimiser steps as full in both stages.",
	"equal_time":  "Train no-stage1 for as long as full in both stages, by its journal.",
	"variant":     "Variant of the model; default: full. recap ablate --help lists them.",

	// predict, inspect
	"predict_run":  "Directory of one seed, or of a run with one seed.",
	"features":     "Feature file: a pickle in MMSA's layout, a packed file, or JSON.",
	"predict_text": "Transcript of an utterance without audio and vision; may be repeated.",
	"predict_json": "Print JSON, an object in each line, with labels and class probabilities.",
	"inspect_file": "Checkpoint or other weights (.safetensors, .pth, .bin), feature file, run directory, " +
		"or directory of a pretrained model.",

	// train and what takes its flags
	"dataset": "Data set: synthetic (default), synthetic-mosi, or the name of the data in --data, " +
		"such as mosi or sims.",
	"bert": "Pretrained BERT in Hugging Face's layout: a directory, or a name in $HF_HOME.",
	"imagebind": "imagebind_huge.pth, the initial weights of generators with " +
		"generator.kind=imagebind.",
	"device": "Device: cpu (default), cpu64, or cuda:0 and so on if built with CUDA.",
	"epochs": "Number of epochs of every phase, such as of stage1 and of stage2 (train.epochs).",
	"lr": "Learning rate (train.lr). Groups of parameters, such as a pretrained text encoder, " +
		"have their own (train.groups).",
	"set":  "Change a setting; recap settings prints all of them.",
	"out":  "Directory of the run directories; default: runs.",
	"seed": "Random seeds; default: 1111. Several are trained one after the other and averaged.",
	"select": "How the checkpoint is selected: valid (default), or per-metric-test: for each metric the " +
		"best on the test set, as in the literature, which is optimistic.",
	"name": "Name of the run directory; default: the variant's, with a number if it is in use.",

	// settings
	"preset_dataset": "Data set, for the paper preset: mosi (default), mosei or sims.",

	// sweep, tune
	"sweep_dataset": "Data set, with its feature file unless the program generates it; " +
		"default: synthetic. May be repeated.",
	"workers": "Units to train at the same time, each in a process of its own. They share the cores; " +
		"each needs its own memory.",
	"shard": "Train only every Nth unit, from unit I on (counted from 0). Default: the task of a Slurm " +
		"array, a Kubernetes indexed Job or mpirun, read from the environment.",
	"trials":    "Number of combinations to try. A larger number later continues the search.",
	"grid":      "YAML file with a list of values for each setting to search; default: see above.",
	"tune_name": "Name of the search; its runs are NAME-001 and so on; default: tune.",

	// table, plot
	"by": "mean: averages over the missing rates, AUILC and the paper's tables (default); " +
		"rate: each metric at every rate.",
	"compare":      "Models: print differences from the first, with intervals and p values.",
	"table_format": "text (default), markdown, csv in MMSA's layout, or latex, which needs the package booktabs.",
	"curves_metric": "Metrics of one figure, such as MAE,Corr; an unknown one gives a list. Default: " +
		"two figures, as the paper's Figure 4.",
	"tsne_run":   "Run directory (its first finished seed), or the directory of one seed.",
	"losses_run": "Run directory, or the directory of one seed; it may be unfinished.",
	"tsne_rates": "Missing rates; the subspaces are shown at the first; default: 0.5,0.9.",

	// report, serve
	"report_file": "File to write; default: report.html in the run directory.",
	"samples": "Number of test utterances in the explorer, from small to large errors. With 0 there is no " +
		"explorer, and neither data nor model are needed.",
	"addr": "Address to listen on; default: 127.0.0.1:7341, which only this machine can reach. " +
		"Port 0 selects a free port.",
}

// expandHelp puts helpTexts in the place of their names. As kong.Vars they would be expanded again
// for each flag, which is half of the time that a short command takes.
func expandHelp(parser *kong.Kong) error {
	var pairs []string
	for name, text := range helpTexts {
		pairs = append(pairs, "${"+name+"}", text)
	}
	texts := strings.NewReplacer(pairs...)
	return kong.Visit(parser.Model.Node, func(node kong.Visitable, next kong.Next) error {
		if value, ok := node.(*kong.Value); ok {
			value.Help = texts.Replace(value.Help)
		}
		return next(nil)
	})
}
