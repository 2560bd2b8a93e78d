package record

import (
	"context"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/telemetry"
)

// Player plays a recording epoch by epoch. What it answers is that of the epoch
// that Next moved to. It is not safe for concurrent use.
type Player struct {
	r          *Reader
	e          *Epoch
	meters     []*player
	owners     map[uint64]Owner
	signals    map[signalKey]wattle.Signal
	prices     map[wattle.ZoneID]Price
	fetches    []Fetch
	collectors []Collector
}

// NewPlayer plays what r reads from here on. Before the first Next all is empty.
func NewPlayer(r *Reader) *Player {
	p := &Player{r: r, e: &Epoch{At: r.Header().Begun}, owners: map[uint64]Owner{},
		signals: map[signalKey]wattle.Signal{}, prices: map[wattle.ZoneID]Price{}}
	for _, m := range r.Header().Meters {
		p.meters = append(p.meters, &player{name: m.Name})
	}
	return p
}

// Header is the recording's.
func (p *Player) Header() Header { return p.r.Header() }

// Next moves to the next epoch and returns its instant; io.EOF after the last.
func (p *Player) Next() (time.Time, error) {
	p.forget()
	e, err := p.r.Next()
	if err != nil {
		return p.e.At, err
	}
	p.e = e
	for _, m := range p.meters {
		m.round = nil
	}
	for i := range e.Meters {
		m := p.meters[e.Meters[i].Meter]
		m.round, m.zones = &e.Meters[i], e.Meters[i].Zones
	}
	for _, o := range e.Owners {
		p.owners[o.ID] = o
	}
	for _, s := range e.Signals {
		p.signals[keyOf(s)] = s
	}
	for _, q := range e.Prices {
		p.prices[q.Zone] = q
	}
	if e.Fetches != nil {
		p.fetches = e.Fetches
	}
	if e.Collectors != nil {
		p.collectors = e.Collectors
	}
	return e.At, nil
}

// forget drops the owners of cgroups whose last report was in this epoch.
func (p *Player) forget() {
	if p.e.Usage == nil {
		return
	}
	for _, u := range p.e.Usage.Of {
		if u.Gone {
			delete(p.owners, u.ID)
		}
	}
}

// Chain returns the recorded meters; a Node over it comes to the figures of the
// node that was recorded.
func (p *Player) Chain() telemetry.Chain {
	var c telemetry.Chain
	for i, m := range p.Header().Meters {
		if m.Fallback {
			c.Fallback = append(c.Fallback, p.meters[i])
		} else {
			c.Meters = append(c.Meters, p.meters[i])
		}
	}
	return c
}

// Now is the instant of the epoch.
func (p *Player) Now() time.Time { return p.e.At }

// Usage appends the reading of all cgroups; read is false in an epoch without one.
func (p *Player) Usage(dst []Usage) (out []Usage, read bool, err error) {
	if p.e.Usage == nil {
		return dst, false, nil
	}
	return append(dst, p.e.Usage.Of...), true, p.e.Usage.Err
}

// GPU is the use of GPUs since the epoch before.
func (p *Player) GPU() []GPUUse { return p.e.GPU }

// Owner is whom a cgroup belongs to as far as was known.
func (p *Player) Owner(id uint64) (Owner, bool) {
	o, ok := p.owners[id]
	return o, ok
}

// Invocations are the batches that came in.
func (p *Player) Invocations() []Batch { return p.e.Invocations }

// Signal is the carbon signal that was used last for a zone, kind and scope.
func (p *Player) Signal(zone wattle.ZoneID, kind wattle.SignalKind, scope wattle.SignalScope) (wattle.Signal, bool) {
	s, ok := p.signals[signalKey{zone, kind, scope}]
	return s, ok
}

// News are the signals that changed in this epoch.
func (p *Player) News() []wattle.Signal { return p.e.Signals }

// Price is the price that was used last for a zone.
func (p *Player) Price(zone wattle.ZoneID) (Price, bool) {
	q, ok := p.prices[zone]
	return q, ok
}

// Fetches are the answers of feeds as last counted.
func (p *Player) Fetches() []Fetch { return p.fetches }

// Collectors are the readers beside the meters as last heard of.
func (p *Player) Collectors() []Collector { return p.collectors }

// Truncated is that of the Reader.
func (p *Player) Truncated() string { return p.r.Truncated() }

// player is one recorded meter.
type player struct {
	name  string
	zones []telemetry.Zone
	round *MeterRound
}

// Name implements telemetry.Meter.
func (m *player) Name() string { return m.name }

// Zones implements telemetry.Meter.
func (m *player) Zones() []telemetry.Zone { return m.zones }

// Read implements telemetry.Meter. An epoch is read once.
func (m *player) Read(_ context.Context, dst []telemetry.Reading) ([]telemetry.Reading, error) {
	if m.round == nil {
		return dst, &telemetry.Unavailable{Reason: "was not read in this epoch of the recording"}
	}
	dst = append(dst, m.round.Readings...)
	return dst, m.round.Err
}
