package simulator

import (
	"math"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/scheduler/power"
	"github.com/wattle-project/wattle/scheduler/state"
)

// meter turns integrated reservations of one pool into energy and carbon.
type meter struct {
	// Idle power of all nodes in µW, by component.
	cpu, memory, devices uint64
	// Capacity that the holds are shares of.
	milli, mebi uint64
	// A slice holds part ÷ (of × number of devices) of all devices.
	part, slices uint64
	pue          float64
	embodied     power.Embodied
	nodes        float64
}

func newMeter(p *state.PoolCapacity, pue float64) meter {
	micro := func(w wattle.Watts) uint64 { return uint64(math.Round(float64(w) * 1e6 * float64(p.Nodes))) }
	part, of := power.Held(&p.Machine.Accelerator)
	return meter{
		cpu: micro(p.Machine.IdleCPU()), memory: micro(p.Machine.IdleDRAM()), devices: micro(p.Machine.IdleDevices()),
		milli: uint64(p.Capacity.CPU), mebi: uint64(p.Capacity.Memory / wattle.MiB), part: part, slices: of * uint64(p.Nodes*p.Machine.Accelerators),
		pue: pue, embodied: p.Machine.Embodied, nodes: float64(p.Nodes),
	}
}

// idle is what the pool draws at rest in us microseconds.
func (m *meter) idle(us uint64) wattle.Microjoules {
	return wattle.Microjoules(muldiv(m.cpu+m.memory+m.devices, us, 1e6))
}

// share is the idle energy of a hold: its share of each component by time,
// rounded down, so that the rest stays with the unallocated.
func (m *meter) share(h *hold) wattle.Microjoules {
	e := muldiv(m.cpu, h.cpu, m.milli*1e6) + muldiv(m.memory, h.memory, m.mebi*1e6)
	if m.slices > 0 {
		e += muldiv(m.devices*m.part, h.slices, m.slices*1e6)
	}
	return wattle.Microjoules(e)
}

// read adds one cell to the pool's energy of a slot and its embodied share to c.
func (m *meter) read(c *cell, e *Energy, sum *Carbon) {
	keep, start, busy := m.share(&c.holds[keeping]), m.share(&c.holds[starting]), m.share(&c.holds[running])
	e.KeepAlive += keep
	e.IdleShare += start + busy
	e.Exec += c.exec
	e.Startup += c.startup
	e.Network += c.network
	e.Metered += c.exec + c.startup
	e.Unallocated -= keep + start + busy
	for p := range c.holds {
		sum.Embodied += m.making(&c.holds[p])
	}
}

// making is the embodied footprint of a hold: M = TE·(TiR/EL)·(RR/ToR) per
// component, time and share being multiplied in the hold already.
func (m *meter) making(h *hold) wattle.GramsCO2e {
	life := float64(m.embodied.Lifetime) / 1e3 // µs
	if life <= 0 {
		return 0
	}
	g := (m.embodied.CPU + m.embodied.Rest).Times(m.nodes * float64(h.cpu) / (float64(m.milli) * life))
	g += m.embodied.DRAM.Times(m.nodes * float64(h.memory) / (float64(m.mebi) * life))
	if m.slices > 0 {
		g += m.embodied.Devices.Times(m.nodes * float64(h.slices*m.part) / (float64(m.slices) * life))
	}
	return g
}

// emit is the operational carbon of a slot's energy, but for that of moving data.
func (m *meter) emit(e *Energy, grid wattle.GramsPerKWh) Carbon {
	at := func(v wattle.Microjoules) wattle.GramsCO2e { return v.Joules().Times(m.pue).At(grid) }
	return Carbon{
		Exec: at(e.Exec), Startup: at(e.Startup), KeepAlive: at(e.KeepAlive), IdleShare: at(e.IdleShare),
		Unallocated: at(e.Unallocated),
	}
}
