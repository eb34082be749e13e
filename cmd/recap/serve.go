package main

import (
	"context"
	"fmt"
	"net"

	"github.com/seed-6655bf3b/recap/internal/report"
	"github.com/seed-6655bf3b/recap/internal/serve"
)

type serveCommand struct {
	Dir     string `arg:"" type:"existingdir" help:"Run directory, or one with runs below it."`
	Addr    string `default:"127.0.0.1:7341" placeholder:"HOST:PORT" help:"Where to listen; default 127.0.0.1:7341, which only this machine can reach. Port 0: any that is free."`
	Samples int    `default:"48" placeholder:"N" help:"Test utterances in the explorer of a finished run; 0: no explorer."`
	BERT    string `name:"bert" placeholder:"DIR" help:"Pretrained model whose vocabulary the tokens of the data are of; default the run's own."`
	Device  string `placeholder:"NAME" help:"Device of the explorer: cpu, cpu64, cuda:0 ...; default the run's."`
}

func (serveCommand) Help() string {
	return `Shows in a browser what recap report writes, while the training goes on: it may be another process, started before or after. Prints the address; Ctrl-C ends it.

Examples:
  recap serve runs
  recap serve runs/synthetic/recap/full --addr 127.0.0.1:8080`
}

func (c *serveCommand) Run(ctx context.Context, t *terminal) error {
	if _, _, err := net.SplitHostPort(c.Addr); err != nil {
		return usageError{fmt.Errorf("serve: --addr: expected HOST:PORT, such as 127.0.0.1:8080, found %q", c.Addr)}
	}
	if c.Samples < 0 {
		return usageError{fmt.Errorf("serve: --samples: expected 0 or more, found %d", c.Samples)}
	}
	options := report.Options{Samples: c.Samples, Device: c.Device, Vocabulary: c.BERT}
	return serve.Run(ctx, c.Dir, c.Addr, options, t.log, func(url string) { fmt.Fprintln(t.out, url) })
}
