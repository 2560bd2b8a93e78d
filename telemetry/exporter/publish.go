package exporter

import (
	"math"
	"strconv"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/telemetry"
)

// maxObserved bounds the observations of one row, each some 40 ns.
const maxObserved = 100_000

// Publish books s, which makes a new epoch. It keeps nothing of s.
func (e *Exporter) Publish(s *Snapshot) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.epoch++
	for _, b := range e.books {
		b.next = 0
	}
	e.publishEnergy(s)
	e.publishFunctions(s)
	e.publishSignals(s)
	e.publishPrices(s)
	e.publishEmissions(s)
	e.publishSelf(s)
	for _, b := range e.books {
		b.forget(e.epoch)
	}
}

// publishEnergy books what each zone grew by to where the zone is now: it may
// enter or leave the cover, and what was counted stays where it was.
func (e *Exporter) publishEnergy(s *Snapshot) {
	for i := range s.Zones {
		z := &s.Zones[i]
		if z.At.IsZero() {
			continue // never read: not known to be part of the cover or a view
		}
		key := zoneName{z.Meter, z.Zone.Key}
		by := max(0, int64(z.Total)-e.zones[key])
		e.zones[key] += by
		if z.Zone.Overlap {
			e.grow(zoneEnergy, by, z.Zone.Key, z.Zone.Parent, source(z))
		} else {
			e.grow(nodeEnergy, by, z.Zone.Component.String(), source(z), socket(z.Zone.Socket))
		}
		e.count(counterResets, int64(z.Stats.Resets), z.Meter, z.Zone.Key)
		e.count(counterWraps, int64(z.Stats.Wraps), z.Meter, z.Zone.Key)
		e.count(counterGaps, int64(z.Stats.Gaps), z.Meter, z.Zone.Key)
		e.count(counterStuck, int64(z.Stats.Stuck), z.Meter, z.Zone.Key)
		e.count(samplesMissed, int64(z.Stats.Missed), z.Meter, z.Zone.Key)
	}
	waiting := map[wattle.Component]wattle.Microjoules{}
	for _, o := range s.Other {
		if o.Reason == Waiting {
			waiting[o.Component] += o.Energy
			e.set(waitingEnergy, float64(waiting[o.Component].Joules()), o.Component.String())
			continue
		}
		e.count(unattributedEnergy, int64(o.Energy), o.Component.String(), o.Reason.String())
	}
}

// source is where the energy of a zone is from: its meter, or "integrated" where
// that shows power alone, as nothing is known of the time between two readings.
func source(z *telemetry.ZoneStatus) string {
	if z.Integrated {
		return Integrated
	}
	return z.Meter
}

func socket(n int) string {
	if n < 0 {
		return ""
	}
	return strconv.Itoa(n)
}

func (e *Exporter) publishFunctions(s *Snapshot) {
	for i := range s.Functions {
		f := &s.Functions[i]
		e.countFunction(functionEnergy, int64(f.Energy), f.Namespace, f.Function, f.Component.String(), f.Share.String(), f.Start.String())
	}
	for i := range s.Finished {
		n := &s.Finished[i]
		e.finish(n)
		if n.Energy > 0 && !math.IsInf(float64(n.Energy), 0) {
			at := e.shown(functionName{clean(n.Namespace), clean(n.Function)})
			h := e.energy.WithLabelValues(at.namespace, n.Start.String())
			for range min(n.Count, maxObserved) {
				h.Observe(float64(n.Energy))
			}
		}
	}
	n, own := len(e.functions), min(len(e.functions), e.cfg.MaxFunctions)
	e.set(functionsFolded, float64(n-own))
	e.set(functionsSummed, float64(max(own-e.cfg.Detailed, 0)))
}

// finish counts invocations, which come as differences.
func (e *Exporter) finish(n *Invocations) {
	at := e.shown(functionName{clean(n.Namespace), clean(n.Function)})
	if n.Count > 0 {
		e.grow(functionInvocations, int64(min(n.Count, math.MaxInt64)), at.namespace, at.function, n.Start.String())
	}
}

func (e *Exporter) publishSignals(s *Snapshot) {
	for i := range s.Signals {
		g := &s.Signals[i]
		zone, kind, scope := string(g.Zone), g.Kind.String(), g.Scope.String()
		e.set(fallbackStep, float64(g.Quality), CarbonFeed.String(), zone, kind, scope)
		if !g.Intensity.Valid() {
			continue // 0 would read as clean
		}
		e.set(gridIntensity, float64(g.Intensity), zone, g.Provider, kind, scope, g.Quality.String())
		if !g.FetchedAt.IsZero() {
			e.set(gridIntensityAge, age(s.At, g.FetchedAt), zone, g.Provider, kind, scope)
		}
	}
}

func (e *Exporter) publishPrices(s *Snapshot) {
	for i := range s.Prices {
		p := &s.Prices[i]
		zone := string(p.Zone)
		e.set(fallbackStep, float64(p.Quality), PriceFeed.String(), zone)
		if math.IsNaN(p.PerMWh) || math.IsInf(p.PerMWh, 0) {
			continue
		}
		e.set(price, p.PerMWh/1000, zone, p.Provider, p.Currency, p.Quality.String())
		if !p.FetchedAt.IsZero() {
			e.set(priceAge, age(s.At, p.FetchedAt), zone, p.Provider, p.Currency)
		}
	}
	for _, f := range s.Fetches {
		e.count(feedFetches, f.Count, f.Feed.String(), f.Provider, f.Outcome)
	}
}

// age is the time from then to now in s, and 0 where clocks disagree. It is
// rounded to what clocks of two machines can agree on.
func age(now, then time.Time) float64 {
	return float64(max(0, now.Sub(then).Round(time.Millisecond)).Milliseconds()) / 1000
}

func (e *Exporter) publishEmissions(s *Snapshot) {
	for _, m := range s.Emissions {
		if m.Scope == Embodied {
			e.count(nodeEmissions, micrograms(m.Total), "", "", "", m.Scope.String())
			continue
		}
		e.count(nodeEmissions, micrograms(m.Total), string(m.Zone), m.Kind.String(), m.Quality.String(), m.Scope.String())
	}
	for i := range s.FunctionEmissions {
		m := &s.FunctionEmissions[i]
		family := functionEmissions
		if m.Scope == Embodied {
			family = functionEmbodied
		}
		e.countFunction(family, micrograms(m.Total), m.Namespace, m.Function)
	}
}

// micrograms rounds the whole total, not each step, so that no error adds up. A
// total that is no number counts as 0. At 500 g/kWh a microgram is 7 mJ, and no
// intensity is known to a thousandth; finer digits would only be carried about.
func micrograms(g wattle.GramsCO2e) int64 {
	n := math.Round(float64(g) * micro)
	switch {
	case !(n > 0):
		return 0
	case n >= math.MaxInt64:
		return math.MaxInt64
	}
	return int64(n)
}

func (e *Exporter) publishSelf(s *Snapshot) {
	for i := range s.Meters {
		m := &s.Meters[i]
		if m.Reads == 0 {
			continue // not needed
		}
		e.set(collectorUp, flag[float64](m.Up), m.Name)
		e.count(collectorFailures, int64(m.Failures), m.Name)
	}
	for _, c := range s.Collectors {
		e.set(collectorUp, flag[float64](c.Up), c.Name)
	}
	e.count(collectCPU, int64(s.CollectCPU))
	e.count(roundsMissed, int64(s.Missed))
	e.set(snapshotTime, float64(s.At.UnixMilli())/1000)
	e.set(buildInfo, 1, e.cfg.Version, goVersion())
	e.set(nodeInfo, 1, string(s.Node))
}

func flag[T int | float64](b bool) T {
	if b {
		return 1
	}
	return 0
}
