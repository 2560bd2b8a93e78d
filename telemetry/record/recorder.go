package record

import (
	"context"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/telemetry"
)

// Recorder collects what the parts of an agent read and writes one epoch per
// turn of its loop. Its methods may be called from any goroutine.
type Recorder struct {
	mu         sync.Mutex
	w          *Writer
	e          Epoch
	meters     int
	owners     map[uint64]Owner
	signals    map[signalKey]wattle.Signal
	prices     map[wattle.ZoneID]Price
	fetches    []Fetch
	collectors []Collector
}

type signalKey struct {
	zone  wattle.ZoneID
	kind  wattle.SignalKind
	scope wattle.SignalScope
}

func keyOf(s wattle.Signal) signalKey { return signalKey{s.Zone, s.Kind, s.Scope} }

// NewRecorder returns a Recorder that writes to w and owns it.
func NewRecorder(w *Writer) *Recorder {
	return &Recorder{w: w, owners: map[uint64]Owner{}, signals: map[signalKey]wattle.Signal{}, prices: map[wattle.ZoneID]Price{}}
}

// Chain wraps every meter of c in one that notes what it answers. The writer's
// header has to list them: see Infos.
func (r *Recorder) Chain(c telemetry.Chain) telemetry.Chain {
	var out telemetry.Chain
	for _, m := range c.Meters {
		out.Meters = append(out.Meters, r.tap(m))
	}
	for _, m := range c.Fallback {
		out.Fallback = append(out.Fallback, r.tap(m))
	}
	return out
}

// Infos describes the meters of a chain for a Header.
func Infos(c telemetry.Chain) []MeterInfo {
	var out []MeterInfo
	for _, m := range c.Meters {
		out = append(out, MeterInfo{Name: m.Name()})
	}
	for _, m := range c.Fallback {
		out = append(out, MeterInfo{Name: m.Name(), Fallback: true})
	}
	return out
}

func (r *Recorder) tap(m telemetry.Meter) telemetry.Meter {
	t := &tap{Meter: m, index: r.meters, r: r}
	r.meters++
	return t
}

// Usage notes one reading of all cgroups. u is copied.
func (r *Recorder) Usage(u []Usage, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.e.Usage = &UsageRound{Of: slices.Clone(u), Err: err}
}

// GPU notes the use of GPUs since the last epoch. The slice is copied.
func (r *Recorder) GPU(u []GPUUse) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.e.GPU = append(r.e.GPU, u...)
}

// Owner notes whom a cgroup was found to belong to, if that is news.
func (r *Recorder) Owner(o Owner) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if before, ok := r.owners[o.ID]; !ok || before != o {
		r.owners[o.ID] = o
		r.e.Owners = append(r.e.Owners, o)
	}
}

// Invocations notes a batch. Its runs are copied.
func (r *Recorder) Invocations(b Batch) {
	r.mu.Lock()
	defer r.mu.Unlock()
	b.Runs = slices.Clone(b.Runs)
	r.e.Invocations = append(r.e.Invocations, b)
}

// Signal notes a carbon signal that was looked up, if that is news. One that is
// not valid is left out.
func (r *Recorder) Signal(s wattle.Signal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s.Validate() == nil && r.signals[keyOf(s)] != s {
		r.signals[keyOf(s)] = s
		r.e.Signals = append(r.e.Signals, s)
	}
}

// Price notes a price that was looked up, if that is news.
func (r *Recorder) Price(p Price) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.prices[p.Zone] != p && p.To.After(p.From) {
		r.prices[p.Zone] = p
		r.e.Prices = append(r.e.Prices, p)
	}
}

// Beside notes how the feeds and the readers beside the meters fare, each if it
// is news. The slices are copied.
func (r *Recorder) Beside(f []Fetch, c []Collector) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Equal(f, r.fetches) {
		r.fetches = slices.Clone(f)
		r.e.Fetches = r.fetches
	}
	if !slices.Equal(c, r.collectors) {
		r.collectors = slices.Clone(c)
		r.e.Collectors = r.collectors
	}
}

// End writes what came together since the last End as the epoch at, and begins
// the next. An epoch that could not be written is dropped.
func (r *Recorder) End(at time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.e
	r.e = Epoch{}
	e.At = at
	if e.Usage != nil {
		for _, u := range e.Usage.Of {
			if u.Gone {
				delete(r.owners, u.ID)
			}
		}
	}
	return r.w.Write(&e)
}

// Close ends the recording. What came after the last End is not in it.
func (r *Recorder) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.w.Close()
}

// tap is a meter that notes what another answers. The optional interfaces of a
// meter are passed on.
type tap struct {
	telemetry.Meter
	index int
	r     *Recorder
}

// Read implements telemetry.Meter.
func (t *tap) Read(ctx context.Context, dst []telemetry.Reading) ([]telemetry.Reading, error) {
	start := len(dst)
	dst, err := t.Meter.Read(ctx, dst)
	t.r.mu.Lock()
	defer t.r.mu.Unlock()
	t.r.e.Meters = append(t.r.e.Meters, MeterRound{
		Meter: t.index, Zones: slices.Clone(t.Meter.Zones()), Readings: slices.Clone(dst[start:]), Err: err,
	})
	return dst, err
}

// Probes implements telemetry.Prober.
func (t *tap) Probes() []telemetry.Probe {
	if p, ok := t.Meter.(telemetry.Prober); ok {
		return p.Probes()
	}
	return nil
}

// Run implements telemetry.Runner.
func (t *tap) Run(ctx context.Context) error {
	if r, ok := t.Meter.(telemetry.Runner); ok {
		return r.Run(ctx)
	}
	return nil
}

// Poll implements telemetry.Poller.
func (t *tap) Poll(ctx context.Context) {
	if p, ok := t.Meter.(telemetry.Poller); ok {
		p.Poll(ctx)
	}
}

// Close implements io.Closer.
func (t *tap) Close() error {
	if c, ok := t.Meter.(io.Closer); ok {
		return c.Close()
	}
	return nil
}
