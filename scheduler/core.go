package scheduler

import (
	"errors"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/scheduler/state"
)

// Stage is one step of filtering or measuring; see package stage for the
// built-in ones.
type Stage interface {
	Name() string
	Apply(b *state.Batch)
}

// Chooser replaces the choice by least G. It exists for baselines; limits and
// capacity have been applied before it is asked.
type Chooser interface {
	Name() string
	// Choose returns the index of one of the options, which are one per
	// feasible target, sorted by target.
	Choose(s *state.Snapshot, r *wattle.Request, options []Option) int
}

// Option is a feasible candidate as a Chooser sees it.
type Option struct {
	Target   int32
	Sandbox  wattle.Sandbox
	G        wattle.GramsCO2e
	Estimate wattle.Estimate
}

// Keeper decides what becomes of instances between uses. It appends actions to
// out and returns it. One that has a method Bind(state.Measurer) is given the
// core, so that it can ask what a target would take. One that has a method
// Heeds(wattle.EventKind) bool is only told of the kinds that it names.
type Keeper interface {
	Step(now time.Time, s *state.Snapshot, e wattle.Event, out []wattle.Action) []wattle.Action
}

// Deferrer decides when deferrable requests run, in place of the ranking by
// least G over start slots.
type Deferrer interface {
	// First returns the first stretch in which w runs in the zone that z tells of.
	First(now time.Time, z *state.ZoneSignal, w *wattle.Task) wattle.Stretch
}

// Config is everything a Core is made of.
type Config struct {
	// Stages filter and measure, in order. Required.
	Stages []Stage
	// Policy says what is wanted; nil minimises operational carbon.
	Policy Policy
	// Keeper owns keep-alive; nil keeps nothing.
	Keeper Keeper
	// Chooser replaces the ranking by least G; nil ranks.
	Chooser Chooser
	// Slot is the raster of start slots for deferrable requests, which are ranked
	// by G like places are; 0 disables this choice. MaxSlots bounds how many slots
	// one request is measured for.
	Slot     time.Duration
	MaxSlots int
	// Deferrer, if not nil, decides instead when such requests run in each zone;
	// places are then ranked by the G of their own times.
	Deferrer Deferrer
	// Hold is how long an unused instance is kept. A use is expected to cost the
	// idle time until the next one, at most Hold; 0 leaves keep-alive out.
	Hold time.Duration
	// Plans is the number of cached plans, rounded up to a power of two. A plan
	// takes 40 bytes per candidate and 100 per place that was taken.
	Plans int
}

// DefaultConfig has no stages yet: the driver injects them.
func DefaultConfig() Config { return Config{MaxSlots: 48, Plans: 4096} }

// Validate says what is missing.
func (c Config) Validate() error {
	switch {
	case len(c.Stages) == 0:
		return errors.New("scheduler: no stages configured, use stage.Default")
	case c.Plans < 1:
		return errors.New("scheduler: plans must be at least 1")
	case c.Slot < 0 || c.MaxSlots < 1:
		return errors.New("scheduler: slot must not be negative and max slots must be at least 1")
	}
	return nil
}

// Core decides. It is deterministic and not safe for concurrent use: give each
// goroutine its own.
type Core struct {
	cfg     Config
	plans   []plan
	spare   plan // of the last function that found its place taken
	mask    uint64
	scratch scratch
	options []Option
	from    []int // row of each option
	actions []wattle.Action
	built   uint64
	paces   []pace
	waits   waits
	heeded  uint32 // set of event kinds that the keeper is told of
}

// New returns a Core, or what is wrong with its configuration.
func New(cfg Config) (*Core, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	n := 1
	for n < cfg.Plans {
		n *= 2
	}
	c := &Core{cfg: cfg, plans: make([]plan, n), mask: uint64(n - 1)}
	if k, ok := cfg.Keeper.(interface{ Bind(state.Measurer) }); ok {
		k.Bind(c)
	}
	c.heeded = heeded(cfg.Keeper)
	return c, nil
}

// Built is the number of plans built so far: decisions that were not served
// from the cache.
func (c *Core) Built() uint64 { return c.built }

// Place decides where and when r runs. It takes the first feasible candidate
// in order of G; ties go to the smaller target, then the warmer sandbox. When
// none is feasible the decision says why, and Wait names the target to queue
// at if only capacity stands in the way.
func (c *Core) Place(now time.Time, s *state.Snapshot, r *wattle.Request) wattle.Decision {
	var d wattle.Decision
	c.Decide(&d, now, s, r)
	return d
}

// Decide is Place into memory of the caller, for drivers that decide often.
func (c *Core) Decide(d *wattle.Decision, now time.Time, s *state.Snapshot, r *wattle.Request) {
	c.waits = waits{decide: true, waited: r.Waited, done: r.Done}
	p := c.plan(now, s, r)
	p.at, p.step = now, c.step()
	d.Sequence, d.Function, d.Revision = r.Sequence, r.Function, s.Revision
	d.Considered, d.Feasible, d.Lifecycle, d.Policy = p.considered, p.feasible, p.intent.Lifecycle, p.intent.Policy
	b := p.bounds(s, r.Function)
	var k *key
	if c.cfg.Chooser != nil {
		k = c.choose(p, &b, s, r)
	} else {
		k = p.least(s, r.Function, &b)
	}
	if k == nil {
		p.refuse(d, s, r.Function, &b)
		return
	}
	take(d, k, c.row(p, k, now, s), now)
}
