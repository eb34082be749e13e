package main

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"

	"github.com/seed-6655bf3b/recap/internal/report"
	"github.com/seed-6655bf3b/recap/internal/rundir"
)

type reportCommand struct {
	Dir     string `arg:"" type:"existingdir" help:"Run directory, of all seeds or of one."`
	Output  string `short:"o" default:"" placeholder:"FILE" help:"File to write; default report.html in the run directory."`
	Samples int    `default:"48" placeholder:"N" help:"Test utterances in the explorer, chosen over the range of errors; 0: no explorer, and neither data nor model are needed."`
	BERT    string `name:"bert" placeholder:"DIR" help:"Pretrained model whose vocabulary the tokens of the data are of; default the run's own."`
	Device  string `placeholder:"NAME" help:"Device: cpu, cpu64, cuda:0 ...; default the run's."`
}

func (reportCommand) Help() string {
	return `One file with everything in it, to be opened in a browser, sent or printed: tables, figures, losses, configuration, and an explorer of test utterances
with a slider over the missing rates. The explorer shows the first finished seed; give the directory of a seed for another.

Example:
  recap report runs/synthetic/recap/full
  recap report runs/mosi/recap/full --bert bert-base-uncased/ -o mosi.html`
}

func (c *reportCommand) Run(ctx context.Context, t *terminal) error {
	if c.Samples < 0 {
		return usageError{fmt.Errorf("report: --samples: expected 0 or more, found %d", c.Samples)}
	}
	page, err := report.Build(ctx, c.Dir, report.Options{Samples: c.Samples, Device: c.Device, Vocabulary: c.BERT}, t.log)
	if err != nil {
		return err
	}
	if c.Output == "" {
		c.Output = filepath.Join(c.Dir, "report.html")
	}
	var b bytes.Buffer
	if err := page.Write(&b); err != nil {
		return err
	}
	if err := rundir.WriteFile(c.Output, b.Bytes()); err != nil {
		return err
	}
	t.log.Info("report", "bytes", b.Len())
	fmt.Fprintln(t.out, c.Output)
	return nil
}
