// Package profiles turns recordings of an agent into profiles of functions, and
// profiles into the part of an experiment file that the simulator reads.
package profiles

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/telemetry"
	"github.com/wattle-project/wattle/telemetry/attribution"
	"github.com/wattle-project/wattle/telemetry/disaggregate"
	"github.com/wattle-project/wattle/telemetry/disaggregate/profile"
	"github.com/wattle-project/wattle/telemetry/invocations"
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
	// Platform lists functions, as "namespace/function" or "namespace/*", whose
	// processor time is the platform's own.
	Platform []string
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
	first, err := play(name, c, nil)
	if err != nil {
		return nil, err
	}
	second, err := play(name, c, first.rest(c.Idle))
	if err != nil {
		return nil, err
	}
	if second.steps == 0 {
		return nil, fmt.Errorf("%s: holds no interval with both energy and invocations: was the platform's metrics endpoint given to the agent?", name)
	}
	about := profile.About{Node: string(second.header.Node), Hardware: c.Hardware, Program: c.Program, Sources: second.sources, IdleStated: c.Idle > 0}
	return &Learned{Profiles: second.collector.Document(second.filter, about), Epochs: second.epochs, Steps: second.steps, Truncated: second.truncated}, nil
}

// rest is the power of each zone at rest as learned by a first pass, in the sum
// that is stated, if one is.
func (p *pass) rest(stated wattle.Watts) map[attribution.Zone]wattle.Watts {
	out, sum := map[attribution.Zone]wattle.Watts{}, wattle.Watts(0)
	for _, z := range p.order {
		w, _ := p.attr.IdlePower(z)
		out[z] = w
		sum += w
	}
	for z, w := range out {
		if stated > 0 && sum > 0 {
			out[z] = wattle.Watts(float64(w) * float64(stated/sum))
		}
	}
	return out
}

// pass is one play of a recording through the parts that an agent runs.
type pass struct {
	header    record.Header
	player    *record.Player
	node      *telemetry.Node
	attr      *attribution.Attributor
	filter    *disaggregate.Filter
	collector *profile.Collector
	idle      map[attribution.Zone]wattle.Watts // nil in the first pass
	platform  []string

	zones     map[attribution.Zone]*line
	order     []attribution.Zone // as they came
	control   line               // processor seconds of the platform
	used      map[uint64]time.Duration
	last      time.Time
	sources   []string
	waiting   []record.Batch
	silence   invocations.Silence
	epochs    int
	steps     int
	truncated string
	usage     []record.Usage
}

func play(name string, c Config, idle map[attribution.Zone]wattle.Watts) (*pass, error) {
	r, err := record.Open(name)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	p := &pass{header: r.Header(), player: record.NewPlayer(r), collector: profile.NewCollector(), idle: idle,
		platform: c.Platform, zones: map[attribution.Zone]*line{}, used: map[uint64]time.Duration{}}
	if p.node, err = telemetry.NewNode(p.player.Chain(), telemetry.DefaultNodeConfig(p.header.Node)); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	nobody := func(*attribution.Usage) (attribution.Owner, bool) { return attribution.Owner{}, false }
	if p.attr, err = attribution.New(attribution.DefaultConfig(), nobody); err != nil {
		return nil, err
	}
	if p.filter, err = disaggregate.New(c.Estimate); err != nil {
		return nil, err
	}
	for {
		at, err := p.player.Next()
		if errors.Is(err, io.EOF) {
			p.truncated = r.Truncated()
			return p, nil
		}
		if err == nil {
			err = p.turn(at)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
}

// turn takes in one epoch. The first pass looks at energy only.
func (p *pass) turn(at time.Time) error {
	p.epochs++
	var samples []wattle.Sample
	// A round in which no meter answered is a gap, as it was for the agent.
	_ = p.node.Collect(context.Background(), func(s []wattle.Sample) { samples = append(samples, s...) })
	for i := range samples {
		p.energy(&samples[i])
	}
	if p.idle == nil {
		p.attr.Step(attribution.Input{At: at, Energy: samples, UsageRead: true})
		return nil
	}
	p.processors(at)
	p.waiting = append(p.waiting, p.player.Invocations()...)
	for n := p.ready(at); n > 0; n = p.ready(at) {
		if err := p.step(p.waiting[:n], at); err != nil {
			return err
		}
		p.waiting = p.waiting[n:]
	}
	return nil
}

func (p *pass) energy(s *wattle.Sample) {
	z := attribution.Zone{Component: s.Component, Device: s.Device}
	l := p.zones[z]
	if l == nil {
		l = &line{idle: float64(p.idle[z])}
		p.zones[z] = l
		p.order = append(p.order, z)
	}
	l.add(span{s.From, s.To, float64(s.Energy.Joules()), s.Unknown})
	if !slices.Contains(p.sources, s.Source) {
		p.sources = append(p.sources, s.Source)
	}
}

// silent is how long a zone may be without a figure before it is left out.
const silent = time.Minute

// ready is how many of the waiting batches make a step, 0 while energy of it is
// still to come: those of one interval, and of as many as the slowest meter takes
// for a figure.
func (p *pass) ready(now time.Time) int {
	least, known := time.Duration(0), now
	for _, l := range p.zones {
		if now.Sub(l.end()) <= silent {
			least, known = max(least, l.longest), earlier(known, l.end())
		}
	}
	for i := range p.waiting {
		to := p.waiting[i].To
		if to.After(known) {
			return 0
		}
		more := i+1 < len(p.waiting) && p.waiting[i+1].From.Before(to) // of another source
		if !more && to.Sub(p.waiting[0].From) >= least-least/4 {
			return i + 1
		}
	}
	return 0
}

// step joins batches with the energy of the same time.
func (p *pass) step(batches []record.Batch, now time.Time) error {
	out := disaggregate.Step{From: batches[0].From, To: batches[0].To}
	runs := map[wattle.FunctionID]*disaggregate.Run{}
	for _, b := range batches {
		out.From, out.To = earlier(out.From, b.From), later(out.To, b.To)
		out.ControlPlane += b.ControlPlane
		out.Unknown = p.silence.Partial(b.From, b.To, b.Failed, b.Late) || out.Unknown
		for _, r := range b.Runs {
			add(runs, disaggregate.Split(Name(r.Namespace, r.Function), r.Count, r.Seconds, r.Cold, r.ColdSeconds, r.Untold))
		}
	}
	if !out.To.After(out.From) {
		return nil
	}
	for _, id := range slices.Sorted(maps.Keys(runs)) {
		out.Runs = append(out.Runs, *runs[id])
	}
	length := out.To.Sub(out.From).Seconds()
	for _, z := range p.order {
		l := p.zones[z]
		if now.Sub(l.end()) > silent {
			continue
		}
		joules, known := l.between(out.From, out.To)
		rest := min(float64(l.idle*length), joules)
		out.Dynamic += wattle.Joules(joules - rest)
		out.Idle += wattle.Joules(rest)
		out.Unknown = out.Unknown || !known
		l.forget(out.From)
	}
	used, _ := p.control.between(out.From, out.To)
	out.ControlPlane += used
	p.control.forget(out.From)
	if err := p.filter.Update(&out); err != nil {
		return err
	}
	p.collector.Add(&out)
	if !out.Unknown && len(out.Runs) > 0 {
		p.steps++
	}
	return nil
}

func add(runs map[wattle.FunctionID]*disaggregate.Run, r disaggregate.Run) {
	o := runs[r.Function]
	if o == nil {
		runs[r.Function] = &r
		return
	}
	o.Add(&r)
}

// processors notes what instances reserve or hold, and what the platform used.
func (p *pass) processors(at time.Time) {
	p.usage, _, _ = p.player.Usage(p.usage[:0])
	control := time.Duration(0)
	for i := range p.usage {
		u := &p.usage[i]
		o, owned := p.player.Owner(u.ID)
		if !owned {
			o.Namespace, o.Function = u.Namespace, u.Function
		}
		if o.Function == "" {
			continue
		}
		id := Name(o.Namespace, o.Function)
		if p.isPlatform(o.Namespace, string(id)) {
			if before, ok := p.used[u.ID]; ok {
				control += max(0, u.CPU-before)
			}
			p.used[u.ID] = u.CPU
			continue
		}
		p.collector.Reserves(id, o.CPU, o.Memory)
		p.collector.Holds(id, u.Memory)
	}
	if len(p.usage) > 0 {
		if !p.last.IsZero() {
			p.control.add(span{from: p.last, to: at, amount: control.Seconds()})
		}
		p.last = at
	}
}

func (p *pass) isPlatform(namespace, id string) bool {
	return slices.Contains(p.platform, id) || slices.Contains(p.platform, namespace+"/*")
}

// Name is how a function of a namespace is called in profiles and traces.
func Name(namespace, function string) wattle.FunctionID {
	if namespace == "" {
		return wattle.FunctionID(function)
	}
	return wattle.FunctionID(namespace + "/" + function)
}
