// Package power holds the energy, carbon and embodied models: the only place
// in which those formulas live. Every function is pure.
package power

import (
	"time"

	"github.com/wattle-project/wattle"
)

// Machine is the power model of one node of a pool.
type Machine struct {
	VCPU   int          // hardware threads that are sold as vCPUs
	Memory wattle.Bytes // installed
	// IdlePerVCPU and MaxPerVCPU are watts per vCPU at rest and at full load,
	// CPU package alone.
	IdlePerVCPU, MaxPerVCPU wattle.Watts
	// DRAMPerGiB is the power of installed memory, drawn whether used or not.
	DRAMPerGiB wattle.Watts
	// Accelerators is the number of devices in a node and Accelerator one of them.
	Accelerators int
	Accelerator  wattle.Accelerator
	// Embodied is the footprint of making the node, per component.
	Embodied Embodied
}

// Idle is the draw of the whole node at rest: packages, memory and devices.
func (m Machine) Idle() wattle.Watts {
	return m.IdleCPU() + m.IdleDRAM() + m.IdleDevices()
}

// IdleCPU is the draw of the packages at rest.
func (m Machine) IdleCPU() wattle.Watts { return m.IdlePerVCPU.Times(float64(m.VCPU)) }

// IdleDRAM is the draw of the installed memory.
func (m Machine) IdleDRAM() wattle.Watts { return m.DRAMPerGiB.Times(m.Memory.GiB()) }

// IdleDevices is the draw of all accelerators at rest.
func (m Machine) IdleDevices() wattle.Watts {
	return m.Accelerator.Idle.Times(float64(m.Accelerators))
}

// Dynamic is the power above idle of an instance that reserves r and keeps the
// given shares of it busy. It is linear between idle and maximum, as Cloud
// Carbon Footprint's average-watts formula: min + u·(max − min).
func (m *Machine) Dynamic(r wattle.Resources, cpu, device float64) wattle.Watts {
	w := (m.MaxPerVCPU - m.IdlePerVCPU).Times(float64(cpu * r.CPU.VCPU()))
	if r.Slices > 0 && m.Accelerator.Present() {
		share := float64(r.Slices) * m.Accelerator.Share()
		w += (m.Accelerator.Max - m.Accelerator.Idle).Times(float64(device * share))
	}
	return w
}

// Held is the part of a whole device that holding one part of it reserves, as a
// fraction: the larger of its shares of compute and of memory, for what is left
// of the other is of no use to anybody. By this rule idle power and embodied
// carbon are charged, in decisions and in the ledger; dynamic power goes by
// compute alone. The parts that fit a device never hold more than all of it.
func Held(a *wattle.Accelerator) (part, of uint64) {
	part, of = uint64(max(a.Slices, 1)), uint64(max(a.OfSlices, 1))
	memory, ofMemory := uint64(max(a.MemorySlices, 0)), uint64(max(a.OfMemorySlices, 1))
	if memory*of > part*ofMemory {
		return memory, ofMemory
	}
	return part, of
}

// held is Held as a number in (0, 1].
func held(a *wattle.Accelerator) float64 {
	part, of := Held(a)
	return float64(part) / float64(of)
}

// Reserved is the idle power attributed to an instance that reserves r: its
// share of the packages by vCPU, of the memory by size, of a device by Held.
func (m *Machine) Reserved(r wattle.Resources) wattle.Watts {
	w := m.IdlePerVCPU.Times(r.CPU.VCPU()) + m.DRAMPerGiB.Times(r.Memory.GiB())
	if r.Slices > 0 && m.Accelerator.Present() {
		w += m.Accelerator.Idle.Times(float64(float64(r.Slices) * held(&m.Accelerator)))
	}
	return w
}

// Transfer is the carbon of the energy of moving data: at the mean intensity of
// both ends, so half of it on either grid.
func Transfer(e wattle.Joules, here, there wattle.GramsPerKWh) wattle.GramsCO2e {
	half := e.Times(0.5)
	return half.At(here) + half.At(there)
}

// Halves splits the energy of a transfer between its ends for Transfer's rule in
// integers; the parts add up to e.
func Halves(e wattle.Microjoules) (here, there wattle.Microjoules) { return e - e/2, e / 2 }

// Embodied is the footprint of manufacturing, by component of one node.
type Embodied struct {
	CPU, DRAM, Devices, Rest wattle.GramsCO2e
	Lifetime                 time.Duration
}

// Total is TE of the SCI specification for the node.
func (e Embodied) Total() wattle.GramsCO2e { return e.CPU + e.DRAM + e.Devices + e.Rest }

// Share is M = TE·(TiR/EL)·(RR/ToR) of the SCI specification (Green Software
// Foundation, SCI 1.1), per component: packages and the rest of the server by
// vCPU, memory by size, devices by Held.
func (e Embodied) Share(m Machine, r wattle.Resources, d time.Duration) wattle.GramsCO2e {
	return e.Part(&m, r).Times(Lived(d, e.Lifetime))
}

// Lived is TiR/EL, the part of a lifetime that d is; 0 without a lifetime.
func Lived(d, lifetime time.Duration) float64 {
	if lifetime <= 0 {
		return 0
	}
	return float64(d) / float64(lifetime)
}

// Part is TE·(RR/ToR), what r has of the footprint over the whole lifetime.
func (e *Embodied) Part(m *Machine, r wattle.Resources) wattle.GramsCO2e {
	var g wattle.GramsCO2e
	if m.VCPU > 0 {
		g += (e.CPU + e.Rest).Times(r.CPU.VCPU() / float64(m.VCPU))
	}
	if m.Memory > 0 {
		g += e.DRAM.Times(float64(r.Memory) / float64(m.Memory))
	}
	if m.Accelerators > 0 && r.Slices > 0 {
		g += e.Devices.Times(float64(float64(r.Slices)*held(&m.Accelerator)) / float64(m.Accelerators))
	}
	return g
}

// SCI is (O + M) per R of the SCI specification, and 0 when nothing was run.
func SCI(operational, embodied wattle.GramsCO2e, units int64) wattle.GramsCO2e {
	if units <= 0 {
		return 0
	}
	return (operational + embodied).Times(1 / float64(units))
}
