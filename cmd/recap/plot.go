package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/seed-6655bf3b/recap/internal/plots"
	"github.com/seed-6655bf3b/recap/internal/settings"
)

// plotCommands draw pictures of runs.
type plotCommands struct {
	Curves    plotCurvesCommand    `cmd:"" help:"Metrics against the missing rate (Figure 4)."`
	Confusion plotConfusionCommand `cmd:"" help:"Confusion matrices of seven classes (Figure 5)."`
	TSNE      plotTSNECommand      `cmd:"" name:"tsne" help:"Subspaces of FID, generated against real features (Figure 6)."`
	Weights   plotWeightsCommand   `cmd:"" help:"Weights of the modalities against the missing rate."`
	Losses    plotLossesCommand    `cmd:"" help:"Terms of the losses over the epochs."`
}

// runsArgument names runs that are drawn together.
type runsArgument struct {
	Runs []string `arg:"" name:"run" type:"existingdir" help:"Run directories, of all seeds or of one."`
}

// pictureFlags say where pictures go.
type pictureFlags struct {
	Out    string   `default:"figures" placeholder:"DIR" help:"Where the pictures are written; default figures."`
	Format []string `enum:"png,svg" default:"png,svg" placeholder:"FORMAT" help:"png, svg or both (default)."`
}

// write saves the pictures and prints their files.
func (f *pictureFlags) write(t *terminal, pictures ...plots.Picture) error {
	for _, p := range pictures {
		for _, format := range f.Format {
			path, err := p.Save(f.Out, format)
			if err != nil {
				return err
			}
			fmt.Fprintln(t.out, path)
		}
	}
	return nil
}

type plotCurvesCommand struct {
	runsArgument
	Metric []string `placeholder:"KEY" help:"Metrics, such as MAE,Corr, in one picture; a wrong one lists all. Default: two pictures, as the paper's Figure 4."`
	pictureFlags
}

func (plotCurvesCommand) Help() string {
	return `Means over the finished seeds of each run, with bands of one standard deviation where there are several. Without --metric: the accuracy of two classes
and Corr in one picture, the accuracy of five classes and MAE in another.

Examples:
  recap plot curves runs/mosi/recap/full runs/mosi/recap/no-stage1
  recap plot curves runs/mosi/recap/full --metric Mult_acc_7 --format svg --out paper`
}

func (c *plotCurvesCommand) Run(t *terminal) error {
	pictures, err := plots.Curves(c.Runs, c.Metric)
	if wrong := new(plots.MetricError); errors.As(err, &wrong) {
		return usageError{err}
	}
	if err != nil {
		return err
	}
	return c.write(t, pictures...)
}

type plotConfusionCommand struct {
	runsArgument
	Rate float64 `default:"0.5" placeholder:"RATE" help:"Missing rate, one of the run's; default 0.5."`
	pictureFlags
}

func (plotConfusionCommand) Help() string {
	return `Counts of all finished seeds of a run together; colours are shares of the true class. Labels from -1 to 1 have five classes.

Example:
  recap plot confusion runs/mosi/recap/full runs/mosi/recap/no-stage1 --rate 0.5`
}

func (c *plotConfusionCommand) Run(t *terminal) error {
	picture, err := plots.Confusions(c.Runs, c.Rate)
	if err != nil {
		return err
	}
	return c.write(t, picture)
}

type plotTSNECommand struct {
	Dir    string `arg:"" name:"run" type:"existingdir" help:"Run directory; of several seeds the first that is finished, or the directory of one."`
	Rates  string `default:"0.5,0.9" placeholder:"RATES" help:"Missing rates; the subspaces are shown at the first. Default 0.5,0.9."`
	Device string `placeholder:"NAME" help:"Device: cpu, cpu64, cuda:0 ...; default the run's."`
	pictureFlags
}

func (plotTSNECommand) Help() string {
	return `Test utterances as the model saw them when stage 1 ended: the spaces in which FID compares language and vision, generated features against real ones, and
the same after the reconstructor. Distances between clouds, and their sizes, mean nothing.

Example:
  recap plot tsne runs/mosi/recap/full/seed1111`
}

func (c *plotTSNECommand) Run(ctx context.Context, t *terminal) error {
	rates, err := settings.ParseRates(c.Rates)
	if err != nil {
		return usageError{err}
	}
	picture, err := plots.Subspaces(ctx, c.Dir, rates, c.Device, t.log)
	if err != nil {
		return err
	}
	return c.write(t, picture)
}

type plotWeightsCommand struct {
	runsArgument
	pictureFlags
}

func (plotWeightsCommand) Help() string {
	return `Means over the test utterances and the finished seeds of each run, with bands of one standard deviation over seeds.

Example:
  recap plot weights runs/mosi/recap/full`
}

func (c *plotWeightsCommand) Run(t *terminal) error {
	picture, err := plots.Weights(c.Runs)
	if err != nil {
		return err
	}
	return c.write(t, picture)
}

type plotLossesCommand struct {
	Dir string `arg:"" name:"run" type:"existingdir" help:"Run directory, of all seeds or of one; it may be unfinished."`
	pictureFlags
}

func (plotLossesCommand) Help() string {
	return `A picture for each phase of training, with a panel for each kind of term, from metrics.jsonl: means over seeds, with bands of one standard deviation.

Example:
  recap plot losses runs/mosi/recap/full`
}

func (c *plotLossesCommand) Run(t *terminal) error {
	pictures, err := plots.Losses(c.Dir)
	if err != nil {
		return err
	}
	return c.write(t, pictures...)
}
