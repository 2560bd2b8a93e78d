package grid

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

// Source is a provider and the zones to ask it for; no zones is all of
// Config.Zones.
type Source struct {
	Provider Provider
	Zones    []wattle.ZoneID
}

// Feed keeps a Table fresh. Table and At may be called at any time from any
// goroutine, also before Run; they answer with static figures until data is in.
type Feed struct {
	cfg     Config
	now     func() time.Time
	log     *slog.Logger
	sources []*source
	names   []string
	hold    []int64
	table   atomic.Pointer[Table]

	mu      sync.Mutex        // guards records and the making of tables
	records map[Key][]*record // per source
}

// New makes a Feed over providers in order of preference. It does no I/O.
func New(c Config, sources []Source, o Options) (*Feed, error) {
	if len(sources) == 0 && len(c.Zones) == 0 {
		return nil, errors.New("grid: no zones and no sources")
	}
	o = o.fill()
	f := &Feed{cfg: c, now: o.Now, log: o.Log, records: map[Key][]*record{}}
	for i, s := range sources {
		if len(s.Zones) == 0 {
			s.Zones = c.Zones
		}
		if len(s.Zones) == 0 {
			return nil, fmt.Errorf("grid: source %s has no zones", s.Provider.Name())
		}
		f.sources = append(f.sources, newSource(i, s, c))
		f.names = append(f.names, s.Provider.Name())
		f.hold = append(f.hold, int64(2*s.Provider.Describe().Period))
		for _, z := range s.Zones {
			f.records[s.Provider.Describe().key(z)] = make([]*record, len(sources))
		}
	}
	for _, z := range c.Zones { // a zone without a source still has its yearly figure
		if k := (Key{Zone: z}); f.records[k] == nil {
			f.records[k] = make([]*record, len(sources))
		}
	}
	entries := make(map[Key]*entry, len(f.records))
	for k := range f.records {
		entries[k] = f.resolve(k)
	}
	f.table.Store(newTable(entries))
	return f, nil
}

// Table returns the newest table. It never blocks and allocates nothing.
func (f *Feed) Table() *Table { return f.table.Load() }

// At looks key up in the newest table: see Table.At.
func (f *Feed) At(key Key, at time.Time) wattle.Signal { return f.table.Load().At(key, at) }

// Run fetches until ctx ends, then returns nil. A failing provider is retried
// with back-off and never ends Run.
func (f *Feed) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	for _, s := range f.sources {
		wg.Go(func() { f.follow(ctx, s) })
	}
	wg.Wait()
	return nil
}

// follow fetches the zones of one source, one request at a time, as they fall due.
func (f *Feed) follow(ctx context.Context, s *source) {
	s.start(f.now())
	for {
		zone, wait := s.next(f.now())
		if sleep(ctx, wait) != nil {
			return
		}
		f.fetch(ctx, s, zone)
	}
}

// Refresh fetches every zone of every source once, now, ahead of the schedule,
// and returns all failures joined. Only a server's Retry-After is heeded, and
// forecasts are fetched when due. The table is usable all the same.
func (f *Feed) Refresh(ctx context.Context) error {
	errs := make([]error, len(f.sources))
	var wg sync.WaitGroup
	for i, s := range f.sources {
		wg.Go(func() {
			for _, z := range s.zones {
				errs[i] = errors.Join(errs[i], f.fetch(ctx, s, z))
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// fetch asks s for zone unless a request for it is under way, whose result it
// then shares.
func (f *Feed) fetch(ctx context.Context, s *source, zone wattle.ZoneID) error {
	if held := s.heldFor(f.now()); held > 0 {
		return &Failure{Provider: s.name, Zone: zone, Outcome: Throttled, RetryAfter: held, Err: errors.New("not asked")}
	}
	return s.flights.do(ctx, zone, func() error {
		err := f.fetchActual(ctx, s, zone)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		asked, ferr := false, error(nil)
		if o := outcomeOf(err); o != Throttled && o != Unauthorized && o != Unreachable && s.forecastDue(zone, f.now()) {
			asked, ferr = true, f.fetchForecast(ctx, s, zone)
		}
		s.scheduled(zone, f.now(), err)
		if asked {
			s.forecastScheduled(zone, f.now(), ferr)
		}
		return errors.Join(err, ferr)
	})
}

func (f *Feed) fetchActual(ctx context.Context, s *source, zone wattle.ZoneID) error {
	key := s.desc.key(zone)
	a, err := s.provider.Actual(ctx, zone, f.newest(key, s))
	now := f.now()
	if err == nil {
		err = verify(key, a.Key, s.name)
	}
	if err == nil {
		a.Points = upTo(a.Points, now)
		f.update(key, s, func(r *record) { r.addActual(actualSegments(a, s.index), now) })
	} else {
		f.update(key, s, func(*record) {}) // the means move on with time
	}
	outcome := outcomeOf(err)
	if err == nil && !fresh(a.Points, now, s.desc.Period) {
		outcome = Stale
	}
	f.report(s, zone, "actual", outcome, a.Refused, err)
	if errors.Is(err, ErrNoActual) {
		return nil
	}
	return err
}

func (f *Feed) fetchForecast(ctx context.Context, s *source, zone wattle.ZoneID) error {
	key := s.desc.key(zone)
	fc, err := s.provider.Forecast(ctx, zone)
	now := f.now()
	if err == nil {
		err = verify(key, fc.Key, s.name)
	}
	if err == nil {
		f.update(key, s, func(r *record) { r.addForecast(forecastSegments(fc, s.index), now) })
	}
	outcome := outcomeOf(err)
	if err == nil && !fresh(fc.Points, now, s.desc.Period) {
		outcome = Stale
	}
	f.report(s, zone, "forecast", outcome, fc.Refused, err)
	if errors.Is(err, ErrNoForecast) {
		return nil
	}
	return err
}

// verify guards against a provider that answers for another series.
func verify(asked, answered Key, name string) error {
	if asked == answered {
		return nil
	}
	return &Failure{Provider: name, Zone: asked.Zone, Outcome: WrongZone, Err: fmt.Errorf("asked for %s, answered %s", asked, answered)}
}

// maxSkew is how far ahead of our clock an actual value may start: what has
// not begun cannot have been measured.
const maxSkew = 5 * time.Minute

func upTo(points []Point, now time.Time) []Point {
	return slices.DeleteFunc(slices.Clone(points), func(p Point) bool { return p.From.After(now.Add(maxSkew)) })
}

func fresh(points []Point, now time.Time, period time.Duration) bool {
	return len(points) > 0 && points[len(points)-1].To.After(now.Add(-2*period))
}

// newest is the end of the newest actual value that s gave for key.
func (f *Feed) newest(key Key, s *source) time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r := f.records[key][s.index]; r != nil {
		return r.newest()
	}
	return time.Time{}
}

// update changes what s said about key and publishes a table with the result.
func (f *Feed) update(key Key, s *source, change func(*record)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := f.records[key][s.index]
	if r == nil {
		r = &record{}
		f.records[key][s.index] = r
	}
	change(r)
	entries := maps.Clone(f.table.Load().entries)
	entries[key] = f.resolve(key)
	f.table.Store(newTable(entries))
}

func (f *Feed) resolve(key Key) *entry {
	return newEntry(key, f.records[key], f.names, f.hold, yearlyOf(key, f.cfg.Yearly), f.now())
}

// report counts an outcome and logs when a zone of a source starts or stops failing.
func (f *Feed) report(s *source, zone wattle.ZoneID, what string, o Outcome, refused int, err error) {
	changed := s.count(zone, what, o, refused, f.now())
	if !changed {
		return
	}
	if o == OK || o == Absent {
		f.log.Info("grid source works", "source", s.name, "zone", zone, "series", what, "outcome", o.String())
		return
	}
	f.log.Warn("grid source fails; the table falls back", "source", s.name, "zone", zone, "series", what, "outcome", o.String(), "err", err)
}

// jittered spreads d by ± part of it.
func jittered(r *rand.Rand, d time.Duration, part float64) time.Duration {
	return d + time.Duration(float64(d)*part*(2*r.Float64()-1))
}
