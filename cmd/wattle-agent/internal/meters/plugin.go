package meters

import (
	"context"

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
	buf   []proto.Reading
}

// Name is what the process calls itself.
func (p *Plugin) Name() string { return p.host.Name() }

// Zones lists the zones as of the last Read.
func (p *Plugin) Zones() []telemetry.Zone { return p.zones }

// Uses lists who used the zones as of the last Read.
func (p *Plugin) Uses() []gpu.Use { return p.uses }

// Status is the state of the process.
func (p *Plugin) Status() host.Status { return p.host.Status() }

// Run keeps the process alive until ctx ends.
func (p *Plugin) Run(ctx context.Context) error { return p.host.Run(ctx) }

// Read asks the process.
func (p *Plugin) Read(ctx context.Context, dst []telemetry.Reading) ([]telemetry.Reading, error) {
	var err error
	p.buf, err = p.host.Read(ctx, p.buf[:0])
	p.zones, p.uses = p.zones[:0], p.uses[:0]
	for _, z := range p.host.Zones() {
		p.zones = append(p.zones, telemetry.Zone(z))
	}
	for _, r := range p.buf {
		dst = append(dst, telemetry.Reading(r))
	}
	for _, u := range p.host.Uses() {
		p.uses = append(p.uses, gpu.Use{
			Board: u.Zone, Instance: u.Instance, PID: u.PID, Share: u.Share,
			Owner: gpu.Owner{Namespace: u.Namespace, Pod: u.Pod, Container: u.Container, Instance: u.Instance},
		})
	}
	return dst, err
}
