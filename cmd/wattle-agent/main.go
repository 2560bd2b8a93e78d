// Command wattle-agent reads what a node's meters show, charges it to the
// functions that ran, and serves the result to Prometheus and to wattle.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/wattle-project/wattle/internal/version"
)

// cli is the command line.
type cli struct {
	Run     runCmd     `cmd:"" default:"withargs" help:"Read meters and serve metrics until stopped (the default)."`
	Doctor  doctorCmd  `cmd:"" help:"Explain what can be metered on this node, what cannot, and how to mend it."`
	Record  recordCmd  `cmd:"" help:"Write what is read to a file, to be replayed or learned from later."`
	Replay  replayCmd  `cmd:"" help:"Play a recording through the same loop and print its metrics."`
	Version versionCmd `cmd:"" help:"Print the version."`
}

type versionCmd struct{}

// Run prints the version.
func (versionCmd) Run(s *streams) error {
	_, err := fmt.Fprintln(s.out, "wattle-agent", version.String())
	return err
}

// streams are what a command reads and writes.
type streams struct {
	ctx      context.Context
	out, err io.Writer
}

// usage is an error in how the command was called.
type usage struct{ error }

// Settings of the Go runtime for a program that is small and mostly waits. A
// round allocates next to nothing, so collecting early costs little and keeps
// the heap near what is live. Two processors are enough, and bound what the
// runtime keeps for each of many.
const (
	gcPercent  = 20
	processors = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	debug.SetGCPercent(gcPercent)
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(min(processors, runtime.NumCPU()))
	}
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is main without the process: 0 success, 1 failure, 2 wrong usage, 130
// interrupted before there was a result.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var c cli
	exit := -1
	parser, err := kong.New(&c, kong.Name("wattle-agent"), kong.Writers(stdout, stderr), kong.Exit(func(n int) { exit = n }),
		kong.Description("Meter this node and charge its energy to the functions that ran."),
		kong.UsageOnError(), kong.ConfigureHelp(kong.HelpOptions{Compact: true}))
	if err != nil {
		fmt.Fprintln(stderr, "wattle-agent:", err)
		return 1
	}
	k, err := parser.Parse(args)
	if exit >= 0 {
		return exit // help was printed
	}
	if err != nil {
		fmt.Fprintf(stderr, "wattle-agent: %v\nRun \"wattle-agent --help\" for the commands and flags.\n", err)
		return 2
	}
	err = k.Run(&streams{ctx, stdout, stderr})
	switch {
	case err == nil:
		return 0
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(stderr, "wattle-agent: interrupted")
		return 130
	}
	fmt.Fprintln(stderr, "wattle-agent:", err)
	if errors.As(err, &usage{}) {
		return 2
	}
	return 1
}
