package price

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wattle-project/wattle"
)

const (
	// firstBackoff is the wait after a first failure; it doubles with each more.
	firstBackoff  = 5 * time.Second
	defaultPeriod = time.Hour
)

// Source is a provider, the zones to ask it for, the length of its intervals
// (0 is one hour) and its pace: Rate requests a second, Burst at once (0 is 1
// and 2).
type Source struct {
	Provider Provider
	Zones    []wattle.ZoneID
	Period   time.Duration
	Rate     float64
	Burst    int
}

// Feed keeps a Table of prices fresh. At may be called at any time from any
// goroutine, also before Run.
type Feed struct {
	cfg     Config
	now     func() time.Time
	log     *slog.Logger
	sources []*source
	names   []string
	hold    []int64
	table   atomic.Pointer[Table]

	mu      sync.Mutex
	records map[wattle.ZoneID][]*record // per source
}

// record is what one source said about one zone.
type record struct {
	actual, forecast []segment
}

// New makes a Feed over providers in order of preference. It does no I/O.
func New(c Config, sources []Source, o Options) (*Feed, error) {
	o = o.fill()
	f := &Feed{cfg: c, now: o.Now, log: o.Log, records: map[wattle.ZoneID][]*record{}}
	for i, s := range sources {
		if len(s.Zones) == 0 {
			return nil, fmt.Errorf("price: source %s has no zones", s.Provider.Name())
		}
		if s.Period <= 0 {
			s.Period = defaultPeriod
		}
		f.sources = append(f.sources, newSource(i, s, c))
		f.names = append(f.names, s.Provider.Name())
		f.hold = append(f.hold, int64(2*s.Period))
	}
	for _, s := range sources {
		for _, z := range s.Zones {
			f.records[z] = newRecords(len(sources))
		}
	}
	for z := range c.Static {
		if f.records[z] == nil {
			f.records[z] = newRecords(len(sources))
		}
	}
	t := &Table{entries: map[wattle.ZoneID]*entry{}}
	for z := range f.records {
		t.entries[z] = f.resolve(z)
	}
	f.table.Store(t)
	return f, nil
}

func newRecords(n int) []*record {
	out := make([]*record, n)
	for i := range out {
		out[i] = &record{}
	}
	return out
}

// Table returns the newest table. It never blocks and allocates nothing.
func (f *Feed) Table() *Table { return f.table.Load() }

// At looks zone up in the newest table: see Table.At.
func (f *Feed) At(zone wattle.ZoneID, at time.Time) (Quote, bool) { return f.table.Load().At(zone, at) }

// Run fetches until ctx ends, then returns nil. A failing provider is retried
// with back-off and never ends Run.
func (f *Feed) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	for _, s := range f.sources {
		wg.Go(func() {
			s.start(f.now())
			for {
				zone, wait := s.next(f.now())
				if sleep(ctx, wait) != nil {
					return
				}
				_ = f.fetch(ctx, s, zone) // counted and logged by report
			}
		})
	}
	wg.Wait()
	return nil
}

// Refresh fetches every zone of every source once and returns all failures
// joined. A server that wants to be left alone is not asked. The table is usable all the same.
func (f *Feed) Refresh(ctx context.Context) error {
	var errs []error
	for _, s := range f.sources {
		for _, z := range s.zones {
			errs = append(errs, f.fetch(ctx, s, z))
		}
	}
	return errors.Join(errs...)
}

// fetch asks s for zone. There is one request of a source at a time; who
// waited for a request of the same zone shares its result.
func (f *Feed) fetch(ctx context.Context, s *source, zone wattle.ZoneID) error {
	seen := s.generation(zone)
	select {
	case s.busy <- struct{}{}:
		defer func() { <-s.busy }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if err, done := s.since(zone, seen); done {
		return err
	}
	if err := sleep(ctx, s.take(f.now())); err != nil {
		return err
	}
	if held := s.heldFor(f.now()); held > 0 {
		return &Failure{s.name, zone, "held", held, errors.New("not asked: the server wants to be left alone")}
	}
	a, err := s.provider.Actual(ctx, zone)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err == nil && a.Zone != zone {
		err = &Failure{s.name, zone, "wrong_zone", 0, fmt.Errorf("answered for %q", a.Zone)}
	}
	fc, ferr := s.provider.Forecast(ctx, zone)
	f.update(s, zone, a, err == nil, fc, ferr == nil && fc.Zone == zone)
	f.report(s, zone, a.Refused, err)
	return err
}

func (f *Feed) update(s *source, zone wattle.ZoneID, a Actual, good bool, fc Forecast, hasForecast bool) {
	now := f.now()
	f.mu.Lock()
	defer f.mu.Unlock()
	r := f.records[zone][s.index]
	if good {
		r.actual = clip(overlay(segments(a.Points, a.FetchedAt, wattle.Measured, s.index), r.actual), now)
	}
	if hasForecast {
		r.forecast = clip(segments(fc.Points, fc.FetchedAt, wattle.Forecast, s.index), now)
	}
	t := &Table{entries: maps.Clone(f.table.Load().entries)}
	t.entries[zone] = f.resolve(zone)
	f.table.Store(t)
}

func (f *Feed) resolve(zone wattle.ZoneID) *entry {
	static, fixed := f.cfg.Static[zone]
	e := &entry{zone: zone, currency: f.cfg.Currency, names: f.names, hold: f.hold, static: static, fixed: fixed}
	e.fill(f.records[zone], f.now())
	return e
}

func (f *Feed) report(s *source, zone wattle.ZoneID, refused int, err error) {
	outcome := outcomeOf(err)
	if !s.done(zone, outcome, refused, err, f.now(), f.cfg) {
		return
	}
	if err == nil {
		f.log.Info("price source works", "source", s.name, "zone", zone)
		return
	}
	f.log.Warn("price source fails; the table falls back", "source", s.name, "zone", zone, "outcome", outcome, "err", err)
}

func segments(points []Point, fetched time.Time, q wattle.Quality, source uint16) []segment {
	out := make([]segment, len(points))
	for i, p := range points {
		out[i] = segment{p.From.UnixNano(), p.To.UnixNano(), fetched.UnixNano(), p.Price, q, source}
	}
	return out
}

// clip cuts segments to the window around now.
func clip(s []segment, now time.Time) []segment {
	oldest, latest := now.Add(-window).UnixNano(), now.Add(window).UnixNano()
	for i := range s {
		s[i].from, s[i].to = max(s[i].from, oldest), min(s[i].to, latest)
	}
	return slices.DeleteFunc(s, func(s segment) bool { return s.from >= s.to })
}

func outcomeOf(err error) string {
	var f *Failure
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &f):
		return f.Outcome
	}
	return "malformed"
}

// sleep blocks for d or until ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// jittered spreads d by ± part of it.
func jittered(r *rand.Rand, d time.Duration, part float64) time.Duration {
	return d + time.Duration(float64(d)*part*(2*r.Float64()-1))
}
