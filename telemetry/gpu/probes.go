package gpu

import (
	"fmt"

	"github.com/wattle-project/wattle/telemetry"
)

// Probes implements telemetry.Prober for the boards of the last Read.
func (m *Meter) Probes() []telemetry.Probe {
	var probes []telemetry.Probe
	for i := range m.boards {
		probes = append(probes, m.probe(&m.boards[i]))
	}
	return probes
}

func (m *Meter) probe(b *Board) telemetry.Probe {
	p := telemetry.Probe{Name: m.name + "/" + b.UUID, Used: b.Err == nil}
	switch {
	case b.Err != nil:
		p.Reason = b.Err.Error()
	case b.HasEnergy:
		p.Reason = "energy counter"
	default:
		p.Reason = "no energy counter on this board; its power is integrated between readings"
	}
	if n := len(b.Instances); n > 0 && b.Err == nil {
		_, basis := Shares(b.Instances)
		p.Reason += fmt.Sprintf("; %d MIG instances share it by %s", n, basis)
		if basis == BySlices {
			p.Mend = "profiling fields 1001/1002 are missing or 0: run DCGM with profiling allowed (CAP_SYS_ADMIN) to divide by activity"
		}
	}
	return p
}
