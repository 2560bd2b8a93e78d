package meters

import (
	"context"
	"io"
	"sync"
	"time"

	"github.com/wattle-project/wattle/telemetry"
	"github.com/wattle-project/wattle/telemetry/gpu"
)

// Aside reads a meter in the background, so that one which waits for a driver,
// a network or a process never holds up the others. Read answers with the last
// readings and their own times; they fail when they grow old.
type Aside struct {
	inner telemetry.Meter
	every time.Duration

	mu       sync.Mutex
	zones    []telemetry.Zone
	readings []telemetry.Reading
	uses     []gpu.Use
	parts    []gpu.Instance
	probes   []telemetry.Probe
	err      error
	done     time.Time // of the last round
	asked    bool

	seen     []telemetry.Zone // as of the last Read, for Zones
	seenUses []gpu.Use
	seenPart []gpu.Instance
}

// NewAside returns a meter that asks inner every so often from Run.
func NewAside(inner telemetry.Meter, every time.Duration) *Aside {
	return &Aside{inner: inner, every: every, err: &telemetry.Unavailable{Reason: "has not answered yet"}}
}

// Name is that of the inner meter.
func (a *Aside) Name() string { return a.inner.Name() }

// Zones lists the zones as of the last Read.
func (a *Aside) Zones() []telemetry.Zone { return a.seen }

// Uses lists who used the boards as of the last Read.
func (a *Aside) Uses() []gpu.Use { return a.seenUses }

// Instances lists the MIG instances of the boards as of the last Read.
func (a *Aside) Instances() []gpu.Instance { return a.seenPart }

// Read appends what Run saw last.
func (a *Aside) Read(_ context.Context, dst []telemetry.Reading) ([]telemetry.Reading, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.seen = append(a.seen[:0], a.zones...)
	a.seenUses = append(a.seenUses[:0], a.uses...)
	a.seenPart = append(a.seenPart[:0], a.parts...)
	if a.asked && a.err == nil && time.Since(a.done) > 10*a.every+10*time.Second {
		return dst, &telemetry.Unavailable{Reason: "hangs: it has not answered since " + a.done.Format(time.RFC3339), Mend: "look for a hung driver or process in the kernel's log"}
	}
	return append(dst, a.readings...), a.err
}

// Probes are those of the inner meter as of its last answer.
func (a *Aside) Probes() []telemetry.Probe {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]telemetry.Probe(nil), a.probes...)
}

// Poll asks once. It must not run beside Run.
func (a *Aside) Poll(ctx context.Context) {
	readings, err := a.inner.Read(ctx, nil)
	zones := append([]telemetry.Zone(nil), a.inner.Zones()...)
	var uses []gpu.Use
	if u, ok := a.inner.(interface{ Uses() []gpu.Use }); ok {
		uses = append(uses, u.Uses()...)
	}
	var parts []gpu.Instance
	switch m := a.inner.(type) {
	case *gpu.Meter:
		for _, b := range m.Boards() {
			parts = append(parts, b.Instances...)
		}
	case interface{ Instances() []gpu.Instance }:
		parts = append(parts, m.Instances()...)
	}
	var probes []telemetry.Probe
	if p, ok := a.inner.(telemetry.Prober); ok {
		probes = p.Probes()
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.zones, a.readings, a.uses, a.parts, a.probes = zones, readings, uses, parts, probes
	a.err, a.done, a.asked = err, time.Now(), true
}

// Run asks until ctx ends, and runs the inner meter's own background work.
func (a *Aside) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	if r, ok := a.inner.(telemetry.Runner); ok {
		wg.Go(func() { _ = r.Run(ctx) })
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for misses := 0; ; {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
		}
		a.Poll(ctx)
		if misses++; a.answers() {
			misses = 0
		}
		timer.Reset(min(a.every<<min(misses, 6), max(a.every, maxMiss)))
	}
}

// maxMiss is the longest wait between two tries of a meter that does not
// answer: looking for a driver that is not there costs more than reading one.
const maxMiss = 30 * time.Second

func (a *Aside) answers() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.err == nil
}

// Close closes the inner meter.
func (a *Aside) Close() error {
	if c, ok := a.inner.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

var (
	_ telemetry.Runner = (*Aside)(nil)
	_ telemetry.Poller = (*Aside)(nil)
)
