package telemetry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/wattle-project/wattle"
)

// Chain is the list of meters that a node may have.
type Chain struct {
	// Meters are all read.
	Meters []Meter
	// Fallback meters, such as a model, are read only while no other ever metered
	// the processors or the whole machine: a GPU alone does not do. What they
	// say of parts that another meter has is not counted.
	Fallback []Meter
}

// NodeConfig configures a Node.
type NodeConfig struct {
	// Node is stamped on every sample. Required.
	Node wattle.NodeID
	// Interval is the time between two readings, 10 ms to 1 min. It should stay
	// under a quarter of the shortest wrap period (minutes). Default 1 s.
	Interval time.Duration
	// Counter tunes the counter of every zone.
	Counter CounterConfig
	// Views receives the samples of overlapping zones, which must never be
	// added to those of the cover. Optional.
	Views Sink
	// Log receives changes of state: a meter lost or found, a reset, a gap.
	Log *slog.Logger
}

// DefaultNodeConfig returns the defaults for the named node.
func DefaultNodeConfig(node wattle.NodeID) NodeConfig {
	return NodeConfig{Node: node, Interval: time.Second, Counter: DefaultCounterConfig(), Log: slog.New(slog.DiscardHandler)}
}

// Validate checks the configuration.
func (c NodeConfig) Validate() error {
	if c.Node == "" {
		return errors.New("telemetry: node has no name; set the node's identity")
	}
	if c.Interval < 10*time.Millisecond || c.Interval > time.Minute {
		return fmt.Errorf("telemetry: interval %s is not within 10ms to 1m", c.Interval)
	}
	if c.Log == nil {
		return errors.New("telemetry: no logger; use slog.DiscardHandler for silence")
	}
	return nil
}

// ZoneStatus is what a Node knows of one zone.
type ZoneStatus struct {
	Meter string
	// Zone is as the meter lists it, with Overlap as the cover decided.
	Zone Zone
	// Reason says why the zone is not part of the cover.
	Reason string
	Total  wattle.Microjoules
	// Power is the mean over the last closed interval, 0 if that is unknown.
	Power wattle.Watts
	Stats Stats
	// Integrated says that the zone shows momentary power, from which energy is
	// reckoned by trapezoids between readings: what happens between two of them
	// is not seen. A register that counts energy sees all.
	Integrated bool
	// At is the time of the last good reading.
	At time.Time
	// Present is false after the zone was unplugged; its total is kept.
	Present bool
	// Err is why the last reading failed, nil if it did not.
	Err error
}

// MeterStatus is what a Node knows of one meter.
type MeterStatus struct {
	Name string
	// Used is whether it ever gave a reading, Up whether the last round did.
	Used, Up bool
	// Reads and Failures count rounds.
	Reads, Failures uint64
	Err             error
}

// meterState is one meter and its zones in the order of its Zones().
type meterState struct {
	meter    Meter
	fallback bool
	listed   []Zone
	zones    []*zoneState
	status   MeterStatus
	readings []Reading
}

// zoneState outlives an unplug, so that totals never fall.
type zoneState struct {
	meter   *meterState
	status  ZoneStatus
	counter *Counter
	ever    bool
}

// Node reads the meters of one machine, keeps one Counter per zone, decides
// which zones form the disjoint cover and emits their samples. A meter or zone
// that fails does not affect the others. Collect and Run are for one goroutine;
// the status methods may be called from any.
type Node struct {
	cfg    NodeConfig
	meters []*meterState

	mu      sync.Mutex
	zones   []*zoneState
	samples []wattle.Sample
	views   []wattle.Sample
}

// NewNode returns a Node over chain. It reads nothing yet.
func NewNode(chain Chain, cfg NodeConfig) (*Node, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if len(chain.Meters)+len(chain.Fallback) == 0 {
		return nil, errors.New("telemetry: no meter in the chain; enable at least the model")
	}
	n := &Node{cfg: cfg}
	for _, m := range chain.Meters {
		n.meters = append(n.meters, &meterState{meter: m, status: MeterStatus{Name: m.Name()}})
	}
	for _, m := range chain.Fallback {
		n.meters = append(n.meters, &meterState{meter: m, fallback: true, status: MeterStatus{Name: m.Name()}})
	}
	return n, nil
}

// Collect reads every meter once and hands the samples of the cover to sink.
// It returns an error only when no meter at all could be read; the samples of
// the others were delivered.
func (n *Node) Collect(ctx context.Context, sink Sink) error {
	n.samples, n.views = n.samples[:0], n.views[:0]
	good, needed := 0, true
	for _, m := range n.meters {
		if m.fallback && !needed && !m.status.Used {
			continue
		}
		if n.read(ctx, m) == nil {
			good++
		}
		needed = needed && (m.fallback || !m.processors())
	}
	if len(n.samples) > 0 {
		sink(n.samples)
	}
	if len(n.views) > 0 && n.cfg.Views != nil {
		n.cfg.Views(n.views)
	}
	if good == 0 {
		return n.failure()
	}
	return nil
}

// failure joins what the meters failed with. It is not put together in rounds
// that go well, because some meter fails in every round of most machines.
func (n *Node) failure() error {
	var errs []error
	for _, m := range n.meters {
		if m.status.Err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", m.status.Name, m.status.Err))
		}
	}
	return fmt.Errorf("telemetry: no meter could be read: %w", errors.Join(errs...))
}

// processors reports whether m ever metered the processors, alone or as part of
// the whole machine.
func (m *meterState) processors() bool {
	return slices.ContainsFunc(m.zones, func(z *zoneState) bool {
		c := z.status.Zone.Component
		return z.ever && (c == wattle.Package || c == wattle.Core || c == wattle.Platform)
	})
}

// read takes one round of m without holding the lock, then books it.
func (n *Node) read(ctx context.Context, m *meterState) error {
	readings, err := m.meter.Read(ctx, m.readings[:0])
	m.readings = readings
	n.mu.Lock()
	defer n.mu.Unlock()
	m.status.Reads++
	changed := n.sync(m)
	up := false
	for _, r := range readings {
		if r.Zone < 0 || r.Zone >= len(m.zones) {
			continue // a meter that answers for a zone it does not list
		}
		z := m.zones[r.Zone]
		changed = changed || r.Err == nil && !z.ever
		up = up || r.Err == nil
		n.book(z, r)
	}
	if err == nil && !up {
		err = n.silence(m)
	}
	n.turn(m, up, err)
	if changed {
		n.cover()
	}
	return err
}

// silence explains a round without a single good reading.
func (n *Node) silence(m *meterState) error {
	for _, z := range m.zones {
		if z.status.Err != nil {
			return z.status.Err
		}
	}
	return &Unavailable{Reason: "shows no sensor of power or energy"}
}

// turn records the outcome of a round and logs when it differs from the last.
func (n *Node) turn(m *meterState, up bool, err error) {
	s := &m.status
	if up != s.Up || s.Reads == 1 {
		if up {
			n.cfg.Log.Info("meter is read", "meter", s.Name, "zones", len(m.zones))
		} else {
			n.cfg.Log.Warn("meter cannot be read", "meter", s.Name, "error", err)
		}
	}
	if !up {
		s.Failures++
	}
	s.Up, s.Used, s.Err = up, s.Used || up, err
}

// sync follows a change of the meter's zones and reports whether there was one.
func (n *Node) sync(m *meterState) bool {
	now := m.meter.Zones()
	if slices.Equal(now, m.listed) {
		return false
	}
	m.listed = append(m.listed[:0], now...)
	for _, z := range n.zones {
		if z.meter == m {
			z.status.Present = false
		}
	}
	m.zones = m.zones[:0]
	for _, z := range now {
		m.zones = append(m.zones, n.adopt(m, z))
	}
	return true
}

// adopt returns the state of zone z of m, new or from before it was unplugged.
func (n *Node) adopt(m *meterState, z Zone) *zoneState {
	for _, s := range n.zones {
		if s.meter == m && s.status.Zone.Key == z.Key {
			s.status.Zone, s.status.Present = z, true
			s.counter.describe(z)
			return s
		}
	}
	s := &zoneState{meter: m, counter: NewCounter(z, n.cfg.Counter)}
	s.status = ZoneStatus{Meter: m.status.Name, Zone: z, Present: true}
	s.status.Zone.Overlap, s.status.Reason = true, "was not read yet"
	n.zones = append(n.zones, s)
	return s
}

// book adds one reading to its zone's counter and queues the closed interval.
func (n *Node) book(z *zoneState, r Reading) {
	s, step := &z.status, z.counter.Add(r)
	s.Err, z.ever = r.Err, z.ever || r.Err == nil
	if r.Err == nil {
		s.At, s.Integrated = r.At, !r.HasEnergy
	}
	s.Stats, s.Total = z.counter.Stats(), z.counter.Total()
	n.note(s, step.Event)
	if !step.Closed() {
		return
	}
	s.Power = step.Energy.Joules().Over(step.To.Sub(step.From))
	sample := wattle.Sample{
		Node: n.cfg.Node, Source: s.Meter, Component: s.Zone.Component, Device: wattle.DeviceID(s.Zone.Key),
		From: step.From, To: step.To, Energy: step.Energy, Unknown: step.Unknown,
	}
	if s.Zone.Overlap {
		n.views = append(n.views, sample)
		return
	}
	n.samples = append(n.samples, sample)
}

// note logs what an operator may want to know of a register.
func (n *Node) note(s *ZoneStatus, e Event) {
	if e == Reset || e == Gap {
		n.cfg.Log.Warn("energy of an interval is unknown", "meter", s.Meter, "zone", s.Zone.Key, "event", e.String())
	}
}

// cover chooses anew among the zones that are present and were ever read.
func (n *Node) cover() {
	var views []View
	var states []*zoneState
	for _, m := range n.meters {
		for i, z := range m.zones {
			if z.ever {
				views = append(views, View{Meter: m.status.Name, Zone: m.listed[i]})
				states = append(states, z)
			}
		}
	}
	for i, v := range Cover(views) {
		states[i].status.Zone, states[i].status.Reason = v.Zone, v.Reason
	}
}

// Run collects every Interval until ctx ends, and runs the background loops of
// the meters that have one. A round that fails is tried again at the next tick.
func (n *Node) Run(ctx context.Context, sink Sink) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for _, m := range n.meters {
		if r, ok := m.meter.(Runner); ok {
			wg.Go(func() { n.background(ctx, m.status.Name, r) })
		}
	}
	tick := time.NewTicker(n.cfg.Interval)
	defer tick.Stop()
	failed := false
	for {
		err := n.Collect(ctx, sink)
		if err != nil && !failed && ctx.Err() == nil {
			n.cfg.Log.Error("no power reading; trying on", "error", err)
		}
		failed = err != nil
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

func (n *Node) background(ctx context.Context, name string, r Runner) {
	if err := r.Run(ctx); err != nil && ctx.Err() == nil {
		n.cfg.Log.Error("meter's background poll ended", "meter", name, "error", err)
	}
}

// Prime asks every slow meter once, so that the next Collect has its figure. It
// is for programs that do not call Run, and takes seconds where a management
// controller is read.
func (n *Node) Prime(ctx context.Context) {
	for _, m := range n.meters {
		if p, ok := m.meter.(Poller); ok {
			p.Poll(ctx)
		}
	}
}

// Close closes the meters that hold descriptors or connections.
func (n *Node) Close() error {
	var errs []error
	for _, m := range n.meters {
		if c, ok := m.meter.(io.Closer); ok {
			errs = append(errs, c.Close())
		}
	}
	return errors.Join(errs...)
}
