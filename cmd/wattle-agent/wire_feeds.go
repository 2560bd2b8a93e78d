package main

import (
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/telemetry/emissions"
	"github.com/wattle-project/wattle/telemetry/exporter"
	"github.com/wattle-project/wattle/telemetry/grid"
	"github.com/wattle-project/wattle/telemetry/record"
)

// intensities reads one series from the table in memory.
type intensities struct {
	feed *grid.Feed
	key  grid.Key
}

// Walk tells the signals that hold within [from, to).
func (i intensities) Walk(from, to time.Time, note func(wattle.Signal)) {
	table := i.feed.Table()
	for at := from; ; {
		s := table.At(i.key, at)
		note(s)
		if !s.To.Before(to) || !s.To.After(at) {
			return
		}
		at = s.To
	}
}

func newBook(s emissions.Signals, pue float64) *emissions.Book { return emissions.New(s, pue) }

// extra adds to snapshots what the background parts know.
type extra struct {
	p       *parts
	zone    wattle.ZoneID
	fetches []exporter.Fetches
	counted time.Time
}

// countEvery is how often fetches are counted anew.
const countEvery = 5 * time.Second

func (e *extra) add(s *exporter.Snapshot) {
	if e.p.pods != nil {
		m := e.p.pods.Current()
		s.Collectors = append(s.Collectors, exporter.Collector{Name: "kubelet", Up: m.Err() == nil && !m.At().IsZero()})
	}
	s.Prices = s.Prices[:0]
	if e.p.price != nil {
		if q, ok := e.p.price.At(e.zone, s.At); ok {
			s.Prices = append(s.Prices, exporter.Price{
				Zone: q.Zone, Provider: q.Provider, Currency: q.Currency, Quality: q.Quality, PerMWh: float64(q.Price), FetchedAt: q.FetchedAt,
			})
		}
	}
	if s.At.Sub(e.counted) >= countEvery || e.counted.IsZero() {
		e.count()
		e.counted = s.At
	}
	s.Fetches = e.fetches
}

// endRound notes the price that holds and ends the epoch of a recording.
func (p *parts) endRound(zone wattle.ZoneID, at time.Time) error {
	if p.price != nil {
		if q, ok := p.price.At(zone, at); ok {
			p.tape.Price(record.Price{
				Zone: q.Zone, PerMWh: float64(q.Price), Currency: q.Currency, Quality: q.Quality,
				From: q.From, To: q.To, FetchedAt: q.FetchedAt, Provider: q.Provider,
			})
		}
	}
	p.noteBeside(at)
	return p.tape.End(at)
}

// noteBeside notes what a snapshot of this moment would have beside the round.
func (p *parts) noteBeside(at time.Time) {
	s := exporter.Snapshot{At: at}
	p.extra.add(&s)
	fetches := make([]record.Fetch, 0, len(s.Fetches))
	for _, f := range s.Fetches {
		fetches = append(fetches, record.Fetch{Feed: f.Feed.String(), Provider: f.Provider, Outcome: f.Outcome, Count: f.Count})
	}
	collectors := make([]record.Collector, 0, len(s.Collectors))
	for _, c := range s.Collectors {
		collectors = append(collectors, record.Collector(c))
	}
	p.tape.Beside(fetches, collectors)
}

// count lists the answers of all providers.
func (e *extra) count() {
	e.fetches = e.fetches[:0]
	if e.p.grid != nil {
		for _, src := range e.p.grid.Stats().Sources {
			for _, f := range src.Fetches {
				e.fetches = append(e.fetches, exporter.Fetches{Feed: exporter.CarbonFeed, Provider: src.Provider, Outcome: f.Outcome.String(), Count: f.Count})
			}
		}
	}
	if e.p.price != nil {
		for _, src := range e.p.price.Stats() {
			for _, f := range src.Fetches {
				e.fetches = append(e.fetches, exporter.Fetches{Feed: exporter.PriceFeed, Provider: src.Provider, Outcome: f.Outcome, Count: f.Count})
			}
		}
	}
}
