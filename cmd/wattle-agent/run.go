package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/wattle-project/wattle/cmd/wattle-agent/internal/agent"
	"github.com/wattle-project/wattle/cmd/wattle-agent/internal/door"
	"github.com/wattle-project/wattle/cmd/wattle-agent/internal/footprint"
	"github.com/wattle-project/wattle/cmd/wattle-agent/internal/settings"
	"github.com/wattle-project/wattle/internal/version"
	"github.com/wattle-project/wattle/telemetry/disaggregate/profile"
	"github.com/wattle-project/wattle/telemetry/exporter"
	"github.com/wattle-project/wattle/telemetry/invocations"
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
	if c.Once {
		return once(s, &set, c.Top)
	}
	return serve(s, &set)
}

// explainAfter is the round after which the meters are explained: those that
// answer in the background had time to.
const explainAfter = 2

// releaseAfter is the round after which the start is over.
const releaseAfter = 3

// serve runs the parts and the HTTP server until the context ends.
func serve(s *streams, set *settings.Settings) error {
	log := slog.New(slog.NewTextHandler(s.err, nil))
	c := exporter.DefaultConfig()
	c.Version, c.Start = version.String(), time.Now()
	c.MaxFunctions, c.Detailed = set.Metrics.Functions, set.Metrics.Detailed
	metrics, err := exporter.New(c)
	if err != nil {
		return err
	}
	var p *parts
	round := func(time.Time) {
		switch p.agent.Health().Rounds {
		case explainAfter:
			p.explain(s.err)
		case releaseAfter:
			if _, err := footprint.Release(); err != nil {
				log.Debug("resident set", "error", err)
			}
		}
	}
	if p, err = wire(set, surroundings{now: time.Now, publish: metrics.Publish, round: round, log: log}); err != nil {
		return err
	}
	defer p.agent.Close()
	d, err := door.New(p.door(set, metrics, log))
	if err != nil {
		return err
	}
	addr, err := d.Listen()
	if err != nil {
		return err
	}
	fmt.Fprintf(s.err, "wattle-agent %s serves http://%s/metrics\n", version.String(), addr)
	g, ctx := errgroup.WithContext(s.ctx)
	p.start(ctx, g, log)
	g.Go(func() error { return d.Run(ctx) })
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
	if p.scraper != nil {
		g.Go(func() error { return p.scraper.Run(ctx, p.inbox.Scraped) })
	}
	if p.grid != nil {
		g.Go(func() error { return p.grid.Run(ctx) })
	}
	if p.price != nil {
		g.Go(func() error { return p.price.Run(ctx) })
	}
	g.Go(func() error { return p.agent.Run(ctx) })
}

// door is the configuration of the HTTP server.
func (p *parts) door(set *settings.Settings, metrics *exporter.Exporter, log *slog.Logger) door.Config {
	begin := time.Now()
	c := door.Config{
		Listen: set.Listen, Log: log,
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			p.agent.Refresh()
			metrics.ServeHTTP(w, r)
		}),
		Alive: func() error { return alive(p.agent.Health(), begin, time.Now(), set.Interval) },
		Ready: func() error { return ready(p.agent.Health()) },
		Profiles: func(w io.Writer) error {
			d, err := p.agent.Profiles(profile.About{Hardware: set.Hardware, Program: "wattle-agent " + version.String()})
			if err != nil {
				return err
			}
			return d.Write(w)
		},
	}
	if set.PushOpen() {
		c.Push = func(b invocations.Batch) error {
			p.inbox.Pushed(b, time.Now())
			return nil
		}
	}
	return c
}

// alive fails when no round ended for long: a read in the kernel may hang.
func alive(h agent.Health, begin, now time.Time, interval time.Duration) error {
	last := h.Last
	if h.Rounds == 0 {
		last = begin
	}
	if d := now.Sub(last); d > 10*interval+10*time.Second {
		return fmt.Errorf("the monitoring loop has not run for %s", d.Round(time.Second))
	}
	return nil
}

// ready fails until a meter was read, and while none can be.
func ready(h agent.Health) error {
	switch {
	case h.Rounds == 0:
		return errors.New("no round was run yet")
	case h.Err != nil:
		return h.Err
	}
	return nil
}

// explain prints which meters are used and why each other one is not.
func (p *parts) explain(w io.Writer) {
	for _, x := range append(p.agent.Probes(), p.meters.Skipped...) {
		verb := "skip"
		if x.Used {
			verb = "use "
		}
		fmt.Fprintf(w, "%s %-28s %s", verb, x.Name, brief(x.Reason))
		if x.Mend != "" && !x.Used {
			fmt.Fprintf(w, "; to mend: %s", x.Mend)
		}
		fmt.Fprintln(w)
	}
}
