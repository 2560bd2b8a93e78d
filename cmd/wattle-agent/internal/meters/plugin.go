package meters

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/wattle-project/wattle/plugins/host"
	"github.com/wattle-project/wattle/plugins/proto"
	"github.com/wattle-project/wattle/telemetry"
	"github.com/wattle-project/wattle/telemetry/gpu"
)

// Plugin is a meter process as a telemetry.Meter.
type Plugin struct {
	host  *host.Meter
	zones []telemetry.Zone
	uses  []gpu.Use
	parts []gpu.Instance
	buf   []proto.Reading
	// settled is closed when the process first serves or fails to.
	settled chan struct{}
}

// Name is what the process calls itself.
func (p *Plugin) Name() string { return p.host.Name() }

// Zones lists the zones as of the last Read.
func (p *Plugin) Zones() []telemetry.Zone { return p.zones }

// Uses lists who used the zones as of the last Read.
func (p *Plugin) Uses() []gpu.Use { return p.uses }

// Instances lists the MIG instances among what was used, as of the last Read.
func (p *Plugin) Instances() []gpu.Instance { return p.parts }

// Status is the state of the process.
func (p *Plugin) Status() host.Status { return p.host.Status() }

// Run keeps the process alive until ctx ends.
func (p *Plugin) Run(ctx context.Context) error { return p.host.Run(ctx) }

// Read asks the process. Readings that the host only repeats, because there is
// no process or its meter is sick, are left out: registers go on meanwhile, so
// nothing is lost when the next one comes, and that nobody answers shows.
func (p *Plugin) Read(ctx context.Context, dst []telemetry.Reading) ([]telemetry.Reading, error) {
	var err error
	before := p.host.Status().LastRead
	p.buf, err = p.host.Read(ctx, p.buf[:0])
	if s := p.host.Status(); err == nil && s.LastRead.Equal(before) {
		p.buf, err = p.buf[:0], silent(p.Name(), s)
	}
	p.zones, p.uses, p.parts = p.zones[:0], p.uses[:0], p.parts[:0]
	for _, z := range p.host.Zones() {
		p.zones = append(p.zones, telemetry.Zone(z))
	}
	for _, r := range p.buf {
		dst = append(dst, telemetry.Reading(r))
	}
	for _, u := range p.host.Uses() {
		p.uses = append(p.uses, gpu.Use{
			Board: u.Zone, Instance: u.Instance, PID: u.PID, Share: u.Share,
			Owner:  gpu.Owner{Namespace: u.Namespace, Pod: u.Pod, Container: u.Container, Instance: u.Instance},
			Slices: u.Slices, OfSlices: u.OfSlices,
		})
		if u.Instance != "" && u.Slices > 0 {
			p.parts = append(p.parts, gpu.Instance{Key: u.Instance, Slices: u.Slices, OfSlices: u.OfSlices})
		}
	}
	return dst, err
}

// notify closes settled in time and passes on.
func (p *Plugin) notify(next func(host.Status)) func(host.Status) {
	var once sync.Once
	return func(s host.Status) {
		next(s)
		if s.State != host.Starting {
			once.Do(func() { close(p.settled) })
		}
	}
}

// silent says why a process gave nothing new.
func silent(name string, s host.Status) error {
	err := s.LastError
	if err == nil {
		err = errors.New("its meter cannot be read")
	}
	return fmt.Errorf("plugin %s is %s: %w", name, s.State, err)
}

// announce returns a function that logs when a process begins to serve, and each
// new reason why it does not.
func announce(name string, log *slog.Logger) func(host.Status) {
	last := ""
	return func(s host.Status) {
		switch s.State {
		case host.Serving:
			last = ""
			log.Info("plugin serves", "plugin", name, "pid", s.PID)
		case host.Waiting, host.Open:
			if why := fmt.Sprint(s.LastError); why != last {
				last = why
				log.Warn("plugin does not serve; it is started again", "plugin", name, "state", s.State, "at", s.Next.Format(time.RFC3339), "error", s.LastError)
			}
		}
	}
}
