// Package agent is the monitoring loop: it reads meters and cgroups as a pair,
// divides energy among functions and hands on what is known once per round.
//
// A round is a function of what its sources answered. Nothing in it waits for a
// network, and a source that fails leaves the others and all totals standing.
package agent

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/cmd/wattle-agent/internal/learn"
	"github.com/wattle-project/wattle/telemetry"
	"github.com/wattle-project/wattle/telemetry/attribution"
	"github.com/wattle-project/wattle/telemetry/cgroup"
	"github.com/wattle-project/wattle/telemetry/disaggregate/profile"
	"github.com/wattle-project/wattle/telemetry/emissions"
	"github.com/wattle-project/wattle/telemetry/exporter"
)

// Usages reads the processor time of cgroups, as cgroup.Tree does.
type Usages interface {
	Read(now time.Time, dst []cgroup.Usage) ([]cgroup.Usage, error)
}

// Namer names the owner of a cgroup, and says false while it may become known.
type Namer interface {
	Owner(u *cgroup.Usage, now time.Time) (attribution.Owner, bool)
}

// Accelerators tells which containers used which GPU since the last round.
type Accelerators interface {
	Uses(dst []attribution.GPUUse, usage []cgroup.Usage) []attribution.GPUUse
}

// Config is what an Agent is wired from. Chain and Node are required.
type Config struct {
	Node     wattle.NodeID
	Interval time.Duration
	Chain    telemetry.Chain
	// Usage, Owners and GPUs may be nil: then all energy is the node's own.
	Usage  Usages
	Owners Namer
	GPUs   Accelerators
	// Divide is the configuration of attribution.
	Divide attribution.Config
	// Carbon books emissions; nil counts no grams.
	Carbon *emissions.Book
	// Embodied is the carbon of making the machine.
	Embodied Embodied
	// Learn learns joules per invocation from what Batches gives since it was
	// last asked; both may be nil.
	Learn   *learn.Learner
	Batches func() []learn.Batch
	// Control says whether a function is part of the platform itself.
	Control func(namespace, function string) bool
	// Extra adds what does not come from a round: prices, fetches, collectors.
	Extra func(*exporter.Snapshot)
	// Publish receives the state when Refresh is called, and after a minute
	// without. The snapshot is the agent's and is filled again later.
	Publish func(*exporter.Snapshot)
	// Round, if set, is called after each round.
	Round func(at time.Time)
	// CPU returns the processor time of the calling thread; nil counts none.
	CPU func() time.Duration
	Log *slog.Logger
}

// Agent runs rounds. Step and Run are for one goroutine, Health and Refresh for
// any.
type Agent struct {
	cfg  Config
	node *telemetry.Node

	// work guards all that follows up to mu. A round holds it while it reads and
	// divides, Refresh while it fills; neither waits for anybody meanwhile.
	work      sync.Mutex
	published time.Time
	dirty     bool
	attr      *attribution.Attributor
	snap      exporter.Snapshot

	now      time.Time // of the round
	samples  []wattle.Sample
	usage    []cgroup.Usage
	input    []attribution.Usage
	byID     map[uint64]*cgroup.Usage
	gpus     []attribution.GPUUse
	accounts []attribution.Account
	usageErr error
	last     time.Time
	cpu      time.Duration
	books    books
	shares   shares
	control  map[uint64]time.Duration // processor time of the platform's cgroups
	finished tally
	learned  learned

	mu     sync.Mutex
	health Health
}

// Health is how the loop fares.
type Health struct {
	// Rounds were run, the last at Last.
	Rounds uint64
	Last   time.Time
	// Err is why no meter could be read in the last round.
	Err error
	// UsageErr is why no cgroup could be.
	UsageErr error
}

// New returns an Agent that has read nothing yet.
func New(cfg Config) (*Agent, error) {
	if cfg.Publish == nil {
		return nil, errors.New("agent: nobody to publish to")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.CPU == nil {
		cfg.CPU = func() time.Duration { return 0 }
	}
	nc := telemetry.DefaultNodeConfig(cfg.Node)
	nc.Interval, nc.Log = cfg.Interval, cfg.Log
	node, err := telemetry.NewNode(cfg.Chain, nc)
	if err != nil {
		return nil, err
	}
	a := &Agent{cfg: cfg, node: node, byID: map[uint64]*cgroup.Usage{}, control: map[uint64]time.Duration{}}
	a.books.init()
	a.shares.of = map[functionKey]*share{}
	a.learned.collector = profile.NewCollector()
	if cfg.Learn != nil {
		cfg.Learn.Watch = a.learned.collector.Add
	}
	a.finished.fractions = map[countedKey]float64{}
	a.attr, err = attribution.New(cfg.Divide, a.resolve)
	return a, err
}

// Run runs a round every Interval until ctx ends, with the background loops of
// the meters beside it.
func (a *Agent) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for _, m := range append(a.cfg.Chain.Meters[:len(a.cfg.Chain.Meters):len(a.cfg.Chain.Meters)], a.cfg.Chain.Fallback...) {
		if r, ok := m.(telemetry.Runner); ok {
			wg.Go(func() { a.background(ctx, m.Name(), r) })
		}
	}
	tick := time.NewTicker(a.cfg.Interval)
	defer tick.Stop()
	for {
		a.Step(ctx, time.Now())
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (a *Agent) background(ctx context.Context, name string, r telemetry.Runner) {
	if err := r.Run(ctx); err != nil && ctx.Err() == nil {
		a.cfg.Log.Error("meter's background poll ended", "meter", name, "error", err)
	}
}

// Prime asks slow meters once; it is for programs that do not call Run.
func (a *Agent) Prime(ctx context.Context) { a.node.Prime(ctx) }

// Probes explains what is metered and what is not; complete after a Step.
func (a *Agent) Probes() []telemetry.Probe {
	a.work.Lock()
	defer a.work.Unlock()
	return a.node.Probes()
}

// Step runs one round at now.
func (a *Agent) Step(ctx context.Context, now time.Time) {
	a.work.Lock()
	a.round(ctx, now)
	stale := now.Sub(a.published) >= publishAtLeast
	a.work.Unlock()
	if a.cfg.Round != nil {
		a.cfg.Round(now)
	}
	if stale {
		a.Refresh()
	}
}

// publishAtLeast is how long what happened waits for somebody who asks.
const publishAtLeast = time.Minute

func (a *Agent) round(ctx context.Context, now time.Time) {
	runtime.LockOSThread() // its processor time is told apart
	defer runtime.UnlockOSThread()
	begin := a.cfg.CPU()
	a.now, a.samples = now, a.samples[:0]
	err := a.node.Collect(ctx, func(s []wattle.Sample) { a.samples = append(a.samples, s...) })
	a.readUsage(now)
	a.attr.Step(attribution.Input{
		At: now, Energy: a.samples, Usage: a.input, UsageRead: a.cfg.Usage == nil || a.usageErr == nil, GPU: a.gpus,
	})
	a.report(err)
	a.learn()
	a.tellApart()
	a.emit()
	a.snap.Missed += a.late()
	a.last, a.dirty = now, true
	a.cpu += a.cfg.CPU() - begin
}

// Refresh publishes the state of the last round, if that is news. The cost of
// this is that of a scrape, and not of every round.
func (a *Agent) Refresh() {
	a.work.Lock()
	defer a.work.Unlock()
	if !a.dirty {
		return
	}
	a.fill()
	a.cfg.Publish(&a.snap)
	a.snap.Finished = a.snap.Finished[:0]
	a.published, a.dirty = a.now, false
}

// readUsage reads cgroups right after the meters, so that both halves of the
// pair are of one moment. A failed half leaves the other for the next round.
func (a *Agent) readUsage(now time.Time) {
	a.input, a.gpus = a.input[:0], a.gpus[:0]
	if a.cfg.Usage == nil {
		return
	}
	a.usage, a.usageErr = a.cfg.Usage.Read(now, a.usage[:0])
	clear(a.byID)
	for i := range a.usage {
		u := &a.usage[i]
		a.byID[u.ID] = u
		a.input = append(a.input, attribution.Usage{
			ID: u.ID, Key: u.Key, CPU: u.CPU, Memory: u.Memory, System: u.Remainder, Gone: u.Gone,
		})
	}
	if a.cfg.GPUs != nil {
		a.gpus = a.cfg.GPUs.Uses(a.gpus, a.usage)
	}
}

// resolve asks for the owner of a container of this round.
func (a *Agent) resolve(u *attribution.Usage) (attribution.Owner, bool) {
	c, ok := a.byID[u.ID]
	if !ok || a.cfg.Owners == nil {
		return attribution.Owner{}, false
	}
	o, ok := a.cfg.Owners.Owner(c, a.now)
	if ok {
		a.books.owners[u.ID] = o
		if o.Function != "" {
			a.learned.collector.Reserves(learn.Name(o.Namespace, o.Function), o.CPU, o.Memory)
		}
		if a.cfg.Control != nil && a.cfg.Control(o.Namespace, o.Function) {
			a.control[u.ID] = u.CPU
		}
	}
	return o, ok
}

// report notes and logs how the round went; a reason is logged once.
func (a *Agent) report(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.change("no power reading; trying on", a.health.Err, err)
	a.change("no cgroup can be read; energy is not divided", a.health.UsageErr, a.usageErr)
	a.health.Rounds++
	a.health.Last, a.health.Err, a.health.UsageErr = a.now, err, a.usageErr
}

func (a *Agent) change(msg string, old, err error) {
	if err != nil && (old == nil || old.Error() != err.Error()) {
		a.cfg.Log.Error(msg, "error", err)
	}
}

// Health returns how the loop fares.
func (a *Agent) Health() Health {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.health
}

// Balance returns where the energy of a component is.
func (a *Agent) Balance(c wattle.Component) attribution.Balance { return a.attr.Balance(c) }

// Close closes what meters and cgroups hold.
func (a *Agent) Close() error {
	errs := []error{a.node.Close()}
	if c, ok := a.cfg.Usage.(io.Closer); ok {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}
