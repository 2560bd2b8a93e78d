package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/cmd/wattle-agent/internal/agent"
	"github.com/wattle-project/wattle/cmd/wattle-agent/internal/settings"
	"github.com/wattle-project/wattle/internal/version"
	"github.com/wattle-project/wattle/telemetry/exporter"
	"github.com/wattle-project/wattle/telemetry/record"
)

type recordCmd struct {
	flags
	File string        `arg:"" type:"path" help:"File to write; a name in .zst or .gz is compressed. It must not exist."`
	For  time.Duration `help:"Stop after this time; 0 is until stopped. The fake meter is played at once." default:"0"`
}

// Run writes what is read to a file until it is told to stop.
func (c *recordCmd) Run(s *streams) error {
	set, err := c.settings()
	if err == nil {
		err = check(&set)
	}
	if err != nil {
		return err
	}
	if set.Meters.Fake.Enabled && c.For > 0 {
		return c.play(s, &set)
	}
	log := slog.New(slog.NewTextHandler(s.err, nil))
	ctx, cancel := context.WithCancelCause(s.ctx)
	defer cancel(nil)
	if c.For > 0 {
		t := time.AfterFunc(c.For, func() { cancel(nil) })
		defer t.Stop()
	}
	var p *parts
	round := func(at time.Time) {
		if err := p.endRound(set.Price.Zone, at); err != nil && ctx.Err() == nil {
			cancel(err)
		}
	}
	if p, err = wire(&set, surroundings{now: time.Now, publish: unseen, round: round, log: log, recorder: c.create(&set)}); err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	p.start(ctx, g, log)
	err = g.Wait()
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		err = cause
	}
	if errors.Is(err, context.Canceled) {
		err = nil // stopped, which is how a recording ends
	}
	return errors.Join(err, p.agent.Close(), p.tape.Close())
}

// unseen takes snapshots that nobody looks at.
func unseen(*exporter.Snapshot) {}

// play records the fake meter on a clock of its own, so that the same script
// gives the same bytes.
func (c *recordCmd) play(s *streams, set *settings.Settings) error {
	now := time.Unix(0, 0).UTC()
	var p *parts
	var failed error
	round := func(at time.Time) { failed = errors.Join(failed, p.endRound(set.Price.Zone, at)) }
	var err error
	p, err = wire(set, surroundings{
		now: func() time.Time { return now }, publish: unseen, round: round, log: slog.New(slog.DiscardHandler), recorder: c.create(set),
	})
	if err != nil {
		return err
	}
	for end := now.Add(c.For); !now.After(end) && failed == nil; now = now.Add(set.Interval) {
		if failed = s.ctx.Err(); failed == nil {
			p.agent.Step(s.ctx, now)
		}
	}
	return errors.Join(failed, p.agent.Close(), p.tape.Close())
}

// replaySettings are what replay must know beside what was read: watts, grams
// and nanoseconds as plain numbers.
type replaySettings struct {
	Idle       map[string]float64 `json:"idle,omitempty"`
	OwnerGrace time.Duration      `json:"owner_grace"`
	PUE        float64            `json:"pue"`
	Carbon     bool               `json:"carbon"`
	Price      wattle.ZoneID      `json:"price,omitempty"`
	Embodied   [3]float64         `json:"embodied"` // package, DRAM, other
	Lifetime   time.Duration      `json:"lifetime"`
	Control    []string           `json:"control_plane,omitempty"`
	Metrics    *[2]int            `json:"metrics,omitempty"` // functions, detailed
}

func toReplay(s *settings.Settings) replaySettings {
	e := s.Embodied
	r := replaySettings{
		OwnerGrace: s.Attribution.OwnerGrace, PUE: s.Grid.PUE, Carbon: s.Grid.Zone != "", Price: s.Price.Zone,
		Embodied: [3]float64{float64(e.Package), float64(e.DRAM), float64(e.Other)}, Lifetime: e.Lifetime,
		Control: s.Invocations.ControlPlane, Idle: map[string]float64{}, Metrics: &[2]int{s.Metrics.Functions, s.Metrics.Detailed},
	}
	for key, w := range s.Attribution.Idle {
		r.Idle[key] = float64(w)
	}
	return r
}

// settings are those that the loop was recorded under.
func (r *replaySettings) settings() *settings.Settings {
	s := settings.Default()
	s.Attribution.OwnerGrace, s.Grid.PUE, s.Price.Zone, s.Invocations.ControlPlane = r.OwnerGrace, r.PUE, r.Price, r.Control
	s.Attribution.Idle = map[string]wattle.Watts{}
	for key, w := range r.Idle {
		s.Attribution.Idle[key] = wattle.Watts(w)
	}
	if m := r.Metrics; m != nil { // as it is since it can be set
		s.Metrics.Functions, s.Metrics.Detailed = m[0], m[1]
	}
	s.Embodied = settings.Embodied{
		Package: wattle.GramsCO2e(r.Embodied[0]), DRAM: wattle.GramsCO2e(r.Embodied[1]), Other: wattle.GramsCO2e(r.Embodied[2]),
		Lifetime: r.Lifetime,
	}
	return &s
}

// settingsKey is the entry of a recording's header that holds replaySettings.
const settingsKey = "wattle-agent"

// create returns what makes the file, once the agent's configuration is known.
func (c *recordCmd) create(s *settings.Settings) func(agent.Config) (*record.Recorder, error) {
	return func(a agent.Config) (*record.Recorder, error) {
		text, err := json.Marshal(toReplay(s))
		if err != nil {
			return nil, err
		}
		w, err := record.Create(c.File, record.Header{
			Node: a.Node, Interval: a.Interval, Program: "wattle-agent " + version.String(),
			CPU: a.Divide.CPU, Memory: a.Divide.Memory, Meters: record.Infos(a.Chain),
			Settings: map[string]string{settingsKey: string(text)},
		})
		if err != nil {
			return nil, err // names what it is about
		}
		return record.NewRecorder(w), nil
	}
}
