package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/cmd/wattle-agent/internal/settings"
	"github.com/wattle-project/wattle/telemetry/exporter"
)

// demoTime is how long the demo is played for one table: into the burst of its
// second socket and its GPU.
const demoTime = 45 * time.Second

// once meters for one interval and prints a table; it fails where nothing could
// be metered. The fake meter is played on a clock of its own, so that its table is
// the same each time and at once.
func once(s *streams, set *settings.Settings, top int) error {
	var snap exporter.Snapshot
	keep := func(x *exporter.Snapshot) { snap = *x }
	clock := &clock{now: time.Now}
	if set.Meters.Fake.Enabled {
		t := time.Unix(0, 0)
		clock.now = func() time.Time { return t }
		clock.wait = func(d time.Duration) { t = t.Add(d) }
	}
	p, err := wire(set, surroundings{now: clock.Now, publish: keep, log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	defer p.agent.Close()
	if p.pods != nil {
		_ = p.pods.Refresh(s.ctx, time.Now()) // a failure shows in the names
	}
	stop := p.meters.Start(s.ctx)
	defer stop()
	rounds := 1
	if set.Meters.Fake.Enabled {
		rounds = max(int(demoTime/set.Interval), 1)
	}
	p.agent.Prime(s.ctx)
	p.agent.Step(s.ctx, clock.Now())
	p.agent.Refresh()
	var before exporter.Snapshot
	for i := range rounds {
		if i == rounds-1 {
			before = clone(&snap)
		}
		if err := clock.Wait(s.ctx, set.Interval); err != nil {
			return err
		}
		p.agent.Prime(s.ctx)
		p.agent.Step(s.ctx, clock.Now())
		p.agent.Refresh()
	}
	if err := table(s.out, p, &before, &snap, top); err != nil {
		return err
	}
	if p.agent.Health().Err != nil {
		return errors.New("no meter could be read: \"wattle-agent doctor\" says what would mend it")
	}
	return nil
}

// clone keeps what the table compares with.
func clone(s *exporter.Snapshot) exporter.Snapshot {
	c := *s
	c.Functions, c.Other = slices.Clone(s.Functions), slices.Clone(s.Other)
	return c
}

// table prints meters, zones with their watts, and functions by watts.
func table(w io.Writer, p *parts, before, now *exporter.Snapshot, top int) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintf(t, "METER\tSTATE\tREASON\n")
	for _, m := range now.Meters {
		fmt.Fprintf(t, "%s\t%s\t%s\n", m.Name, state(m.Used, m.Up), reason(p, m.Name))
	}
	for _, x := range p.meters.Skipped {
		fmt.Fprintf(t, "%s\tskipped\t%s\n", x.Name, x.Reason)
	}
	fmt.Fprintf(t, "\nZONE\tMETER\tCOMPONENT\tWATTS\tJOULES\tCOUNTED\n")
	var sum wattle.Watts
	for _, z := range now.Zones {
		counted := "yes"
		if z.Zone.Overlap {
			counted = "no: " + z.Reason
		} else if z.Present {
			sum += z.Power
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%.1f\t%.1f\t%s\n", z.Zone.Key, z.Meter, z.Zone.Component, float64(z.Power), float64(z.Total.Joules()), counted)
	}
	fmt.Fprintf(t, "total\t\t\t%.1f\t\t\n", float64(sum))
	functions(t, before, now, top)
	return t.Flush()
}

func state(used, up bool) string {
	switch {
	case up:
		return "used"
	case used:
		return "lost"
	}
	return "skipped"
}

func reason(p *parts, meter string) string {
	for _, x := range p.agent.Probes() {
		if x.Name == meter {
			return brief(x.Reason)
		}
	}
	return ""
}

// brief is the first line of a reason, and at most what fits a terminal.
func brief(reason string) string {
	line, _, _ := strings.Cut(reason, "\n")
	if r := []rune(line); len(r) > maxReason {
		return string(r[:maxReason-1]) + "…"
	}
	return line
}

const maxReason = 90

// rate is the power of one function, or of what no function has.
type rate struct {
	name         string
	active, idle wattle.Watts
}

func (r rate) sum() wattle.Watts { return r.active + r.idle }

// functions prints who used most in the last interval, and what nobody has.
func functions(w io.Writer, before, now *exporter.Snapshot, top int) {
	d := now.At.Sub(before.At)
	fmt.Fprintf(w, "\nFUNCTION\tWATTS\tACTIVE\tIDLE SHARE\n")
	rows := rates(before, now, d)
	for i, r := range rows {
		if i == top {
			fmt.Fprintf(w, "and %d more\t\t\t\n", len(rows)-top)
			break
		}
		fmt.Fprintf(w, "%s\t%.1f\t%.1f\t%.1f\n", r.name, float64(r.sum()), float64(r.active), float64(r.idle))
	}
	for reason := exporter.Unallocated; reason <= exporter.Waiting; reason++ {
		var e wattle.Microjoules
		for _, o := range now.Other {
			if o.Reason == reason {
				e += o.Energy
			}
		}
		for _, o := range before.Other {
			if o.Reason == reason {
				e -= o.Energy
			}
		}
		fmt.Fprintf(w, "(%s)\t%.1f\t\t\n", reason, float64(e.Joules().Over(d)))
	}
}

func rates(before, now *exporter.Snapshot, d time.Duration) []rate {
	energy := map[string]*[2]wattle.Microjoules{}
	add := func(rows []exporter.FunctionEnergy, sign wattle.Microjoules) {
		for _, f := range rows {
			name := cmp.Or(f.Function, "(no function)")
			if f.Namespace != "" {
				name = f.Namespace + "/" + name
			}
			e := energy[name]
			if e == nil {
				e = new([2]wattle.Microjoules)
				energy[name] = e
			}
			if f.Share == exporter.Idle {
				e[1] += sign * f.Energy
			} else {
				e[0] += sign * f.Energy
			}
		}
	}
	add(now.Functions, 1)
	add(before.Functions, -1)
	rows := make([]rate, 0, len(energy))
	for name, e := range energy {
		rows = append(rows, rate{name, e[0].Joules().Over(d), e[1].Joules().Over(d)})
	}
	slices.SortFunc(rows, func(a, b rate) int {
		return cmp.Or(cmp.Compare(b.sum(), a.sum()), cmp.Compare(a.name, b.name))
	})
	return rows
}
