// Package profiles turns recordings of an agent into profiles of functions, and
// profiles into the part of an experiment file that the simulator reads.
package profiles

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/telemetry"
	"github.com/wattle-project/wattle/telemetry/attribution"
	"github.com/wattle-project/wattle/telemetry/disaggregate"
	"github.com/wattle-project/wattle/telemetry/disaggregate/profile"
	"github.com/wattle-project/wattle/telemetry/record"
)

// Config of Learn.
type Config struct {
	// Estimate configures the estimator, with the shares of idle and control plane.
	Estimate disaggregate.Config
	// Hardware and Program are stamped on the profiles.
	Hardware, Program string
	// Idle fixes the power of the machine at rest. 0 learns it: the least mean
	// power over five seconds, per zone.
	Idle wattle.Watts
}

// Learned is what a recording taught.
type Learned struct {
	Profiles *profile.Document
	// Epochs were read, Steps of them had invocations and were learned from.
	Epochs, Steps int
	// Truncated is why the recording ends where it does; empty for a whole one.
	Truncated string
}

// Learn plays a recording twice: once to find what the machine draws at rest,
// and once to divide what is above it among the functions. It depends on nothing
// but the recording and c.
func Learn(name string, c Config) (*Learned, error) {
	rest := attribution.DefaultConfig()
	first, err := play(name, c, rest)
	if err != nil {
		return nil, err
	}
	rest.Idle = map[attribution.Zone]wattle.Watts{}
	var sum wattle.Watts
	for z := range first.zones {
		w, _ := first.attr.IdlePower(z)
		rest.Idle[z] = w
		sum += w
	}
	if c.Idle > 0 && sum > 0 { // in the proportions that were learned
		for z, w := range rest.Idle {
			rest.Idle[z] = wattle.Watts(float64(w) * float64(c.Idle/sum))
		}
	}
	second, err := play(name, c, rest)
	if err != nil {
		return nil, err
	}
	if second.steps == 0 {
		return nil, fmt.Errorf("%s: holds no interval with both energy and invocations: was the platform's metrics endpoint given to the agent?", name)
	}
	about := profile.About{Node: string(second.header.Node), Hardware: c.Hardware, Program: c.Program, Sources: second.sources}
	return &Learned{second.collector.Document(second.filter, about), second.epochs, second.steps, second.truncated}, nil
}

// pass is one play of a recording through the parts that an agent runs.
type pass struct {
	header    record.Header
	player    *record.Player
	node      *telemetry.Node
	attr      *attribution.Attributor
	filter    *disaggregate.Filter
	collector *profile.Collector

	zones     map[attribution.Zone]bool
	sources   []string
	spans     []span // of energy, ascending
	end       time.Time
	waiting   []record.Batch
	epochs    int
	steps     int
	truncated string
	usage     []record.Usage
}

// span is energy between two instants.
type span struct {
	from, to     time.Time
	active, idle float64 // J
	unknown      bool
}

func play(name string, c Config, rest attribution.Config) (*pass, error) {
	r, err := record.Open(name)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	p := &pass{header: r.Header(), player: record.NewPlayer(r), collector: profile.NewCollector(), zones: map[attribution.Zone]bool{}}
	if p.node, err = telemetry.NewNode(p.player.Chain(), telemetry.DefaultNodeConfig(p.header.Node)); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	nobody := func(*attribution.Usage) (attribution.Owner, bool) { return attribution.Owner{}, false }
	if p.attr, err = attribution.New(rest, nobody); err != nil {
		return nil, err
	}
	if p.filter, err = disaggregate.New(c.Estimate); err != nil {
		return nil, err
	}
	for {
		if _, err := p.player.Next(); errors.Is(err, io.EOF) {
			p.truncated = r.Truncated()
			return p, nil
		} else if err != nil {
			return nil, err
		}
		p.epochs++
		if err := p.turn(); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
}

// turn takes in one epoch.
func (p *pass) turn() error {
	var samples []wattle.Sample
	// A round in which no meter answered is a gap, as it was for the agent.
	_ = p.node.Collect(context.Background(), func(s []wattle.Sample) { samples = append(samples, s...) })
	p.energy(samples)
	p.reservations()
	p.waiting = append(p.waiting, p.player.Invocations()...)
	for len(p.waiting) > 0 && !p.waiting[0].To.After(p.end) {
		if err := p.step(&p.waiting[0]); err != nil {
			return err
		}
		p.waiting = p.waiting[1:]
	}
	return nil
}

// energy divides the finished samples of the cover into idle and the rest.
func (p *pass) energy(samples []wattle.Sample) {
	if len(samples) == 0 {
		return
	}
	s := span{from: p.end}
	for _, x := range samples {
		p.zones[attribution.Zone{Component: x.Component, Device: x.Device}] = true
		p.sources = append(p.sources, x.Source)
		s.unknown = s.unknown || x.Unknown
		if s.to.Before(x.To) {
			s.to = x.To
		}
		if s.from.IsZero() || p.end.IsZero() && x.From.Before(s.from) {
			s.from = x.From
		}
	}
	spent := p.attr.Step(attribution.Input{At: s.to, Energy: samples, UsageRead: true})
	sum := spent.Charges.Sum()
	s.active, s.idle = float64(sum.Active.Joules()), float64(sum.Idle.Joules())
	if s.to.After(s.from) {
		p.spans, p.end = append(p.spans, s), s.to
	}
	if len(p.sources) > 64 {
		p.sources = compact(p.sources)
	}
}

// step joins a batch with the energy of the same time; the energy of a span that
// it shares with another batch is divided by time.
func (p *pass) step(b *record.Batch) error {
	out := disaggregate.Step{From: b.From, To: b.To, ControlPlane: b.ControlPlane, Unknown: b.Failed > 0}
	if !b.To.After(b.From) {
		return nil
	}
	var active, idle, covered float64
	for i := range p.spans {
		s := &p.spans[i]
		from, to := later(s.from, b.From), earlier(s.to, b.To)
		if !to.After(from) {
			continue
		}
		part := to.Sub(from).Seconds() / s.to.Sub(s.from).Seconds()
		active += float64(s.active * part)
		idle += float64(s.idle * part)
		covered += to.Sub(from).Seconds()
		out.Unknown = out.Unknown || s.unknown
	}
	for len(p.spans) > 0 && !p.spans[0].to.After(b.From) {
		p.spans = p.spans[1:]
	}
	out.Unknown = out.Unknown || covered < 0.999*b.To.Sub(b.From).Seconds()
	out.Dynamic, out.Idle = wattle.Joules(active), wattle.Joules(idle)
	for _, r := range b.Runs {
		out.Runs = append(out.Runs, disaggregate.Split(Name(r.Namespace, r.Function), r.Count, r.Seconds, r.Cold, r.ColdSeconds))
	}
	if err := p.filter.Update(&out); err != nil {
		return err
	}
	p.collector.Add(&out)
	if !out.Unknown && len(out.Runs) > 0 {
		p.steps++
	}
	return nil
}

// reservations notes what instances reserve or hold.
func (p *pass) reservations() {
	p.usage, _, _ = p.player.Usage(p.usage[:0])
	for i := range p.usage {
		u := &p.usage[i]
		if o, ok := p.player.Owner(u.ID); ok && o.Function != "" {
			p.collector.Reserves(Name(o.Namespace, o.Function), o.CPU, o.Memory)
			p.collector.Holds(Name(o.Namespace, o.Function), u.Memory)
		} else if u.Function != "" {
			p.collector.Holds(Name(u.Namespace, u.Function), u.Memory)
		}
	}
}

// Name is how a function of a namespace is called in profiles and traces.
func Name(namespace, function string) wattle.FunctionID {
	if namespace == "" {
		return wattle.FunctionID(function)
	}
	return wattle.FunctionID(namespace + "/" + function)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// compact drops repetitions without changing the order.
func compact(names []string) []string {
	out := names[:0]
	seen := map[string]bool{}
	for _, n := range names {
		if !seen[n] {
			seen[n] = true
			out = append(out, n)
		}
	}
	return out
}
