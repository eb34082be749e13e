package main

import (
	"context"
	"fmt"
	"net"

	"github.com/seed-6655bf3b/recap/internal/report"
	"github.com/seed-6655bf3b/recap/internal/serve"
)

type serveCommand struct {
	Dir     string `arg:"" type:"existingdir" help:"Run directory, or a directory with run directories in it."`
	Addr    string `default:"127.0.0.1:7341" placeholder:"HOST:PORT" help:"${addr}"`
	Samples int    `default:"48" placeholder:"N" help:"${samples}"`
	BERT    string `name:"bert" placeholder:"DIR" help:"${vocabulary}"`
	Device  string `placeholder:"NAME" help:"${run_device}"`
}

func (serveCommand) Help() string {
	return `Serves the pages of recap report and updates them during training. The training may run in another
process, started earlier or later. Prints the address; Ctrl-C ends the server.

The list of runs has their scores and says which of them a process trains. A click on a column sorts
it; two marked runs are compared at each missing rate. At most 100 pages can be open at a time.

Examples:
  recap serve runs
  recap serve runs/synthetic/recap/full --addr 127.0.0.1:8080`
}

func (c *serveCommand) Run(ctx context.Context, t *terminal) error {
	if _, _, err := net.SplitHostPort(c.Addr); err != nil {
		return usageError{fmt.Errorf(
			"serve: --addr: expected HOST:PORT, such as 127.0.0.1:8080, found %q", c.Addr,
		)}
	}
	if c.Samples < 0 {
		return usageError{fmt.Errorf("serve: --samples: expected 0 or more, found %d", c.Samples)}
	}
	options := report.Options{Samples: c.Samples, Device: c.Device, Vocabulary: c.BERT}
	t.onInterrupt(func() string { return "" }, func() string { return "" })
	return serve.Run(ctx, c.Dir, c.Addr, options, t.log, func(url string) {
		fmt.Fprintln(t.out, url)
	})
}
