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
	Dir     string `arg:"" type:"existingdir" help:"${run_dir}"`
	Output  string `short:"o" default:"" placeholder:"FILE" help:"${report_file}"`
	Samples int    `default:"48" placeholder:"N" help:"${samples}"`
	BERT    string `name:"bert" placeholder:"DIR" help:"${vocabulary}"`
	Device  string `placeholder:"NAME" help:"${run_device}"`
}

func (reportCommand) Help() string {
	return `The page is one file that needs no others: tables, figures, losses, configuration, and an explorer of
test utterances with a slider over the missing rates. The explorer shows the first finished seed;
for another, give the directory of a seed.

Examples:
  recap report runs/synthetic/recap/full
  recap report runs/mosi/recap/full --bert bert-base-uncased/ -o mosi.html`
}

func (c *reportCommand) Run(ctx context.Context, t *terminal) error {
	if c.Samples < 0 {
		return usageError{fmt.Errorf("report: --samples: expected 0 or more, found %d", c.Samples)}
	}
	o := report.Options{Samples: c.Samples, Device: c.Device, Vocabulary: c.BERT,
		Progress: t.showSteps}
	page, err := report.Build(ctx, c.Dir, o, t.log)
	t.hide()
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
	if err := rundir.RemoveLeftovers(c.Output); err != nil {
		return err
	}
	if err := rundir.WriteFile(c.Output, b.Bytes()); err != nil {
		return err
	}
	t.log.Info("report", "bytes", b.Len())
	fmt.Fprintln(t.out, c.Output)
	return nil
}
