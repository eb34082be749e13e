package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/seed-6655bf3b/recap/internal/plots"
	"github.com/seed-6655bf3b/recap/internal/settings"
)

// plotCommands draw figures of runs.
type plotCommands struct {
	Curves    plotCurvesCommand    `cmd:"" help:"Metrics against the missing rate (Figure 4)."`
	Confusion plotConfusionCommand `cmd:"" help:"Confusion matrices (Figure 5)."`
	TSNE      plotTSNECommand      `cmd:"" name:"tsne" help:"t-SNE of the feature spaces after stage 1 (Figure 6)."`
	Weights   plotWeightsCommand   `cmd:"" help:"Modality weights against the missing rate."`
	Losses    plotLossesCommand    `cmd:"" help:"Terms of the loss over the epochs."`
}

// runsArgument names the runs that are drawn in one figure.
type runsArgument struct {
	Runs []string `arg:"" name:"run" type:"existingdir" help:"Run directories, or directories of one seed."`
}

// figureFlags say where the figures are written.
type figureFlags struct {
	Out    string   `default:"figures" placeholder:"DIR" help:"Directory for the figures; default: figures."`
	Format []string `enum:"png,svg" default:"png,svg" placeholder:"FORMAT" help:"png, svg or both (default)."`
}

// write saves the figures and prints the paths of their files.
func (f *figureFlags) write(t *terminal, figures ...plots.Figure) error {
	for _, figure := range figures {
		for _, format := range f.Format {
			path, err := figure.Save(f.Out, format)
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
	Metric []string `placeholder:"KEY" help:"${curves_metric}"`
	figureFlags
}

func (plotCurvesCommand) Help() string {
	return `Means over the finished seeds of each run, with bands of one standard deviation if there are several.
Without --metric, one figure has the accuracy of two classes and Corr, another the accuracy of five
classes and MAE.

Examples:
  recap plot curves runs/mosi/recap/full runs/mosi/recap/no-stage1
  recap plot curves runs/mosi/recap/full --metric Mult_acc_7 --format svg --out paper`
}

func (c *plotCurvesCommand) Run(t *terminal) error {
	figures, err := plots.Curves(c.Runs, c.Metric)
	if unknown := new(plots.MetricError); errors.As(err, &unknown) {
		return usageError{err}
	}
	if err != nil {
		return err
	}
	return c.write(t, figures...)
}

type plotConfusionCommand struct {
	runsArgument
	Rate float64 `default:"0.5" placeholder:"RATE" help:"Missing rate at which the runs were tested; default: 0.5."`
	figureFlags
}

func (plotConfusionCommand) Help() string {
	return `The counts are sums over all finished seeds of a run; a colour shows the fraction of the true class.
There are seven classes, and five if labels range from -1 to 1.

Example:
  recap plot confusion runs/mosi/recap/full runs/mosi/recap/no-stage1 --rate 0.5`
}

func (c *plotConfusionCommand) Run(t *terminal) error {
	figure, err := plots.Confusions(c.Runs, c.Rate)
	if err != nil {
		return err
	}
	return c.write(t, figure)
}

type plotTSNECommand struct {
	Dir    string `arg:"" name:"run" type:"existingdir" help:"${tsne_run}"`
	Rates  string `default:"0.5,0.9" placeholder:"RATES" help:"${tsne_rates}"`
	Device string `placeholder:"NAME" help:"${run_device}"`
	figureFlags
}

func (plotTSNECommand) Help() string {
	return `Features of test utterances in the model after stage 1: the spaces in which FID compares language and
vision, generated and real features, and the same after the reconstructor. In t-SNE, distances
between clusters and sizes of clusters have no meaning.

Example:
  recap plot tsne runs/mosi/recap/full/seed1111`
}

func (c *plotTSNECommand) Run(ctx context.Context, t *terminal) error {
	rates, err := settings.ParseRates(c.Rates)
	if err != nil {
		return usageError{err}
	}
	figure, err := plots.Subspaces(ctx, c.Dir, rates, c.Device, t.log, t.showSteps)
	t.hide()
	if err != nil {
		return err
	}
	return c.write(t, figure)
}

type plotWeightsCommand struct {
	runsArgument
	figureFlags
}

func (plotWeightsCommand) Help() string {
	return `Means over the test utterances and the finished seeds of each run, with bands of one standard
deviation over the seeds.

Example:
  recap plot weights runs/mosi/recap/full`
}

func (c *plotWeightsCommand) Run(t *terminal) error {
	figure, err := plots.Weights(c.Runs)
	if err != nil {
		return err
	}
	return c.write(t, figure)
}

type plotLossesCommand struct {
	Dir string `arg:"" name:"run" type:"existingdir" help:"${losses_run}"`
	figureFlags
}

func (plotLossesCommand) Help() string {
	return `One figure for each phase of training, with a panel for each kind of term: means over the seeds, with
bands of one standard deviation. The values are those of metrics.jsonl.

Example:
  recap plot losses runs/mosi/recap/full`
}

func (c *plotLossesCommand) Run(t *terminal) error {
	figures, err := plots.Losses(c.Dir)
	if err != nil {
		return err
	}
	return c.write(t, figures...)
}
