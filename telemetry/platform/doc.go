// Package platform meters the whole machine through its management controller:
// by Redfish over HTTPS, and by IPMI DCMI through ipmitool.
//
// A controller answers in seconds and its figure is seconds old, so both meters
// poll in the background (Run) every 10 s or more; Read never waits and stamps
// a reading with the time of the poll. A figure that is three polls old is an
// error, not a value.
//
// What the figure means is recorded: power drawn from the mains (consumed,
// input) and power behind the power supplies (output) differ by the losses of
// the supplies, commonly 4 to 15 %.
package platform

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/telemetry"
)

// MinInterval is the shortest interval between two polls of a controller.
const MinInterval = 10 * time.Second

// staleAfter is the number of intervals after which a figure is an error.
const staleAfter = 3

// observation is one figure of one zone.
type observation struct {
	zone  telemetry.Zone
	power wattle.Watts
	err   error
}

// poller keeps what the last poll saw and answers Read from it.
type poller struct {
	interval time.Duration
	timeout  time.Duration
	now      func() time.Time

	mu     sync.Mutex
	zones  []telemetry.Zone    // as of the last poll
	latest []telemetry.Reading // one per zone
	err    error               // of the last poll as a whole
	polled bool

	listed []telemetry.Zone // as of the last Read; belongs to the reader
}

// run polls until ctx ends. A failure is kept for Read and tried again.
func (p *poller) run(ctx context.Context, poll func(context.Context) ([]observation, error)) error {
	tick := time.NewTicker(p.interval)
	defer tick.Stop()
	for {
		p.once(ctx, poll)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// once polls within the time limit and keeps the outcome. The reading is
// stamped with the middle of the poll.
func (p *poller) once(ctx context.Context, poll func(context.Context) ([]observation, error)) {
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	begin := p.now()
	seen, err := poll(ctx)
	at := begin.Add(p.now().Sub(begin) / 2)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.err, p.polled = err, true
	if err != nil {
		return
	}
	p.zones, p.latest = make([]telemetry.Zone, 0, len(seen)), make([]telemetry.Reading, 0, len(seen))
	for i, o := range seen {
		p.zones = append(p.zones, o.zone)
		p.latest = append(p.latest, telemetry.Reading{Zone: i, At: at, Power: o.power, HasPower: o.err == nil, Err: o.err})
	}
}

// read appends the latest readings to dst.
func (p *poller) read(dst []telemetry.Reading) ([]telemetry.Reading, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.listed = p.zones
	if len(p.zones) == 0 {
		return dst, p.absence()
	}
	now, good, firstErr := p.now(), false, error(nil)
	for _, r := range p.latest {
		if age := now.Sub(r.At); r.Err == nil && age > staleAfter*p.interval {
			r.Err, r.HasPower = p.stale(age), false
		}
		good = good || r.Err == nil
		if firstErr == nil {
			firstErr = r.Err
		}
		dst = append(dst, r)
	}
	if !good {
		return dst, firstErr
	}
	return dst, nil
}

func (p *poller) absence() error {
	switch {
	case !p.polled:
		return &telemetry.Unavailable{Reason: "the controller was not polled yet", Mend: "the first poll takes a few seconds; --once does not wait for it"}
	case p.err != nil:
		return p.err
	}
	return &telemetry.Unavailable{Reason: "the controller shows no power"}
}

func (p *poller) stale(age time.Duration) error {
	u := &telemetry.Unavailable{Reason: fmt.Sprintf("the last answer is %s old", age.Round(time.Second)), Err: p.err}
	return u
}
