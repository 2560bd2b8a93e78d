package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/wattle-project/wattle/cmd/wattle-agent/internal/settings"
	"github.com/wattle-project/wattle/telemetry/exporter"
)

type runCmd struct {
	flags
	Listen string `help:"Address of /metrics, /healthz and /readyz; default 127.0.0.1:9188." placeholder:"HOST:PORT"`
	Once   bool   `help:"Print a table of meters, zones, watts and top functions, and exit."`
	Top    int    `default:"10" help:"Functions in the table of --once."`
}

// Run meters until stopped, or once.
func (c *runCmd) Run(s *streams) error {
	set, err := c.settings()
	if err != nil {
		return err
	}
	if c.Listen != "" {
		set.Listen = c.Listen
	}
	if err := check(&set); err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(s.err, nil))
	if c.Once {
		return once(s, &set, c.Top)
	}
	return serve(s, &set, log)
}

// serve runs the parts and the HTTP server until the context ends.
func serve(s *streams, set *settings.Settings, log *slog.Logger) error {
	p, err := wire(set, time.Now, func(*exporter.Snapshot) {}, log)
	if err != nil {
		return err
	}
	defer p.agent.Close()
	g, ctx := errgroup.WithContext(s.ctx)
	p.start(ctx, g, log)
	if err := g.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	log.Info("stopped")
	return nil
}

// start runs the background parts.
func (p *parts) start(ctx context.Context, g *errgroup.Group, log *slog.Logger) {
	if p.tree != nil {
		g.Go(func() error {
			if err := p.tree.Run(ctx); err != nil && ctx.Err() == nil {
				log.Warn("cgroups are walked in every round", "error", err)
			}
			return nil
		})
	}
	if p.pods != nil {
		g.Go(func() error { return p.pods.Run(ctx) })
	}
	g.Go(func() error {
		runtime.LockOSThread() // its processor time is told apart
		defer runtime.UnlockOSThread()
		return p.agent.Run(ctx)
	})
}

// explain prints which meters are used and why each other one is not.
func (p *parts) explain(w io.Writer) {
	for _, x := range append(p.agent.Probes(), p.meters.Skipped...) {
		verb := "skip"
		if x.Used {
			verb = "use "
		}
		fmt.Fprintf(w, "%s %-28s %s", verb, x.Name, x.Reason)
		if x.Mend != "" {
			fmt.Fprintf(w, "; to mend: %s", x.Mend)
		}
		fmt.Fprintln(w)
	}
}
