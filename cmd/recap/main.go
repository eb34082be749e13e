// Command recap trains, evaluates and examines RECAP. Run "recap --help", or "recap COMMAND
// --help" for an example of each command.
package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/version"
)

// Exit codes; after a signal see interrupts.exitCode.
const (
	exitSuccess = 0
	exitFailure = 1
	exitUsage   = 2
)

// commands declares the command line.
type commands struct {
	Train     trainCommand     `cmd:"" help:"Train a model, test it at all missing rates and print a table."`
	Eval      evalCommand      `cmd:"" help:"Test a trained run at other missing rates or on other data."`
	Predict   predictCommand   `cmd:"" help:"Predict the sentiment of your own utterances with a trained run."`
	Ablate    ablateCommand    `cmd:"" help:"Train the variants of a model (Table 3) and compare them in one table."`
	Table     tableCommand     `cmd:"" help:"Print tables of all runs, beside the paper's."`
	Plot      plotCommands     `cmd:"" help:"Draw the paper's figures from trained runs."`
	Report    reportCommand    `cmd:"" help:"Write an HTML page about a run, with an explorer of test utterances."`
	Sweep     sweepCommand     `cmd:"" help:"Train many models, data sets, variants and seeds, also on a cluster."`
	Serve     serveCommand     `cmd:"" help:"Show runs in a browser, also during training."`
	Tune      tuneCommand      `cmd:"" help:"Search for good settings at random, by validation scores."`
	Gradcheck gradcheckCommand `cmd:"" help:"Compare gradients of operations or models with central differences."`
	Data      struct {
		Check dataCheckCommand `cmd:"" help:"Report the keys, shapes and problems of a feature file."`
		Pack  dataPackCommand  `cmd:"" help:"Convert a feature file to safetensors, which opens at once."`
	} `cmd:"" help:"Check and pack feature files."`
	Settings settingsCommand `cmd:"" help:"Show the settings of a model."`
	Inspect  inspectCommand  `cmd:"" help:"Show the contents of a checkpoint, a weights file, a feature file or a run."`
	Doctor   doctorCommand   `cmd:"" help:"Show the processor, the devices and the libraries that are used."`
	Unit     unitCommand     `cmd:"" hidden:"" help:"Train one unit of a sweep."`

	Help           helpCommand       `cmd:"" help:"Print the help of a command."`
	VersionCommand versionCommand    `cmd:"" name:"version" help:"Print the version."`
	Completion     completionCommand `cmd:"" help:"Print the completion script of a shell."`
	Complete       completeCommand   `cmd:"" hidden:"" passthrough:"" help:"Print completions."`

	Version kong.VersionFlag `help:"Print the version and exit."`
}

// A usageError is an error in the command line or in the configuration. The exit code is
// exitUsage.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func main() { os.Exit(run(os.Args[1:])) }

// run executes one command line and returns the exit code.
func run(args []string) int {
	t := newTerminal(os.Stdout, os.Stderr)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	go t.watch(signals, cancel, func(code int) {
		rundir.ReleaseLocks()
		os.Exit(code)
	})

	if len(args) == 0 {
		args = []string{"--help"}
	}
	command, err := newParser().Parse(longFlags(args))
	if err != nil {
		t.say(err.Error() + helpFor(err))
		return exitUsage
	}
	command.BindTo(ctx, (*context.Context)(nil))
	err = t.run(func(t *terminal) error { return command.Run(t) })
	t.hide()
	if err != nil {
		t.say(err.Error() + helpFor(err))
		if errors.As(err, &usageError{}) {
			return exitUsage
		}
		return t.exitCode()
	}
	return exitSuccess
}

// helpFor returns lines that say what to do about an error in a command line, and which command's
// help explains it. It returns "" for other errors.
func helpFor(err error) string {
	parse := new(kong.ParseError)
	if !errors.As(err, &parse) {
		return ""
	}
	command, cure := "recap", ""
	for _, p := range parse.Context.Path {
		if p.Command != nil {
			command = p.Command.FullPath()
		}
	}
	switch {
	case errors.Is(err, fs.ErrNotExist): // only directories of runs have to exist here
		cure = "\nexpected the directory of a run, such as runs/synthetic/recap/full; " +
			"recap train prints it at its end"
	case command == "recap table" && strings.HasPrefix(err.Error(), "unexpected argument "):
		cure = "\ngive the directory of the runs with --runs DIR"
	}
	return cure + "\nsee " + command + " --help"
}

// newParser returns the parser of the command line.
func newParser() *kong.Kong {
	parser, err := kong.New(&commands{}, kong.Name("recap"), kong.UsageOnError(),
		kong.Description(
			"RECAP: multimodal sentiment analysis with incomplete language, audio and vision (AAAI 2026).",
		),
		kong.Vars{"version": "recap " + version.Text()},
		kong.PostBuild(expandHelp),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 110}))
	if err != nil {
		panic("recap: the declaration of the command line is invalid: " + err.Error())
	}
	return parser
}
