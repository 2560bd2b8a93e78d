// Command wattle replays traces against placement policies, explains
// decisions, tests policies and checks its own figures.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/wattle-project/wattle/internal/version"
)

// cli is the command line.
type cli struct {
	Simulate simulateCmd `cmd:"" help:"Replay a workload against policies and print what each would have cost."`
	Explain  explainCmd  `cmd:"" help:"Show why one decision of a run went where it went, and replay it."`
	Report   reportCmd   `cmd:"" help:"Render a saved run again as table, JSON, CSV, Parquet or HTML."`
	Validate validateCmd `cmd:"" help:"Replay known answers with the production engine and compare."`
	Policy   policyCmd   `cmd:"" help:"Check, test, format and try Rego policies."`
	Profile  profileCmd  `cmd:"" help:"Learn what functions cost from recordings, and use it in simulations."`
	Grid     gridCmd     `cmd:"" help:"Show the carbon intensity of grids, now and forecast."`
	Version  versionCmd  `cmd:"" help:"Print the version."`
}

type versionCmd struct{}

// Run prints the version.
func (versionCmd) Run(s *streams) error {
	_, err := fmt.Fprintln(s.out, "wattle", version.String())
	return err
}

// streams are what a command reads and writes.
type streams struct {
	ctx      context.Context
	out, err io.Writer
}

// usage is an error in how the command was called.
type usage struct{ error }

// gcPercent trades a little time for memory: a run allocates next to nothing
// once its tables stand, and these are most of what is live.
const gcPercent = 20

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	debug.SetGCPercent(gcPercent)
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is main without the process: 0 success, 1 failure, 2 wrong usage, 130
// interrupted.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var c cli
	exit := -1
	parser, err := kong.New(&c, kong.Name("wattle"), kong.Writers(stdout, stderr), kong.Exit(func(n int) { exit = n }),
		kong.Description("Place serverless functions where and when they cost the least carbon, money and time."),
		kong.UsageOnError(), kong.ConfigureHelp(kong.HelpOptions{Compact: true}))
	if err != nil {
		fmt.Fprintln(stderr, "wattle:", err)
		return 1
	}
	k, err := parser.Parse(args)
	if exit >= 0 {
		return exit // help was printed
	}
	if err != nil {
		fmt.Fprintf(stderr, "wattle: %v\nRun \"wattle --help\" for the commands and flags.\n", err)
		return 2
	}
	err = k.Run(&streams{ctx, stdout, stderr})
	switch {
	case err == nil:
		return 0
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(stderr, "wattle: interrupted, nothing was written")
		return 130
	}
	fmt.Fprintln(stderr, "wattle:", err)
	if errors.As(err, &usage{}) {
		return 2
	}
	return 1
}
