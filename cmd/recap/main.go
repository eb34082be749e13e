// Command recap trains, evaluates and examines RECAP. Run "recap --help", or "recap COMMAND
// --help" for an example of each command.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/seed-6655bf3b/recap/internal/models"
)

// Exit codes.
const (
	done   = 0
	failed = 1
	usage  = 2
)

// commands is the whole command line.
type commands struct {
	Train     trainCommand     `cmd:"" help:"Train a model, evaluate it at all missing rates, print a table."`
	Eval      evalCommand      `cmd:"" help:"Evaluate a trained run."`
	Predict   predictCommand   `cmd:"" help:"Apply a trained run to your own features."`
	Ablate    ablateCommand    `cmd:"" help:"Train the variants of a model, RECAP's those of Table 3, and print them as one table."`
	Table     tableCommand     `cmd:"" help:"Print the tables of all runs, the paper's beside them."`
	Plot      plotCommands     `cmd:"" help:"Draw the paper's figures of trained runs."`
	Report    reportCommand    `cmd:"" help:"Write a run as one HTML page, with an explorer of test utterances."`
	Sweep     sweepCommand     `cmd:"" help:"Train many models, data sets, variants and seeds, here or on a cluster."`
	Serve     serveCommand     `cmd:"" help:"Show runs in a browser, live."`
	Tune      tuneCommand      `cmd:"" help:"Search good settings at random, by validation."`
	Gradcheck gradcheckCommand `cmd:"" help:"Compare the gradients of all operations, or of a model, with central differences."`
	Data      struct {
		Check dataCheckCommand `cmd:"" help:"Report the keys, shapes and problems of a feature file."`
		Pack  dataPackCommand  `cmd:"" help:"Write a feature file as one that opens at once."`
	} `cmd:"" help:"Examine and pack feature files."`
	Inspect inspectCommand `cmd:"" help:"Show what is in a checkpoint, a file of weights, a feature file or a run."`
	Doctor  doctorCommand  `cmd:"" help:"Show what the program runs on."`
	Unit    unitCommand    `cmd:"" hidden:"" help:"Train one unit of a sweep."`

	Completion completionCommand `cmd:"" help:"Print the completion script of a shell."`
	Complete   completeCommand   `cmd:"" hidden:"" passthrough:"" help:"Print the completions of a command line."`

	Version kong.VersionFlag `help:"Print the version and exit."`
}

// A terminal is where a command writes: results to out, all else to err.
type terminal struct {
	out io.Writer
	err io.Writer
	log *slog.Logger
}

// A usageError is the user's: the command line or the configuration cannot be used.
type usageError struct{ error }

func main() { os.Exit(run(os.Args[1:])) }

// run executes one command line and returns the exit code.
func run(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once

	if len(args) == 0 {
		args = []string{"--help"}
	}
	command, err := newParser().Parse(longFlags(args))
	if err != nil {
		fmt.Fprintf(os.Stderr, "recap: %v\nsee recap --help\n", err)
		return usage
	}
	t := &terminal{os.Stdout, os.Stderr, slog.New(slog.NewTextHandler(os.Stderr, nil))}
	command.BindTo(ctx, (*context.Context)(nil))
	if err := command.Run(t); err != nil {
		fmt.Fprintln(os.Stderr, "recap:", err)
		if errors.As(err, &usageError{}) {
			return usage
		}
		return failed
	}
	return done
}

// newParser returns the parser of the command line.
func newParser() *kong.Kong {
	parser, err := kong.New(&commands{}, kong.Name("recap"), kong.UsageOnError(),
		kong.Description("RECAP: multimodal sentiment analysis when parts of language, audio or vision are missing (AAAI 2026)."),
		kong.Vars{"models": strings.Join(models.Names()[1:], ", "), "version": "recap " + versionText()},
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 110}))
	if err != nil {
		panic("recap: the command line is declared wrong: " + err.Error())
	}
	return parser
}
