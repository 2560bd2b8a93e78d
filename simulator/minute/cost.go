package minute

import (
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/scheduler/lifecycle"
)

// Server is one generation of hardware.
type Server struct {
	Name   string
	Cores  float64
	Memory float64 // GB
	// CPU and RAM are the embodied emissions of each.
	CPU, RAM wattle.GramsCO2e
	// CPUIdle and RAMIdle are drawn at rest.
	CPUIdle, RAMIdle wattle.Watts
}

// Measured is what a meter saw of one function on one server: start-up alone
// and execution alone, processor package and memory.
type Measured struct {
	Cold, Exec       time.Duration
	ColdCPU, ColdRAM wattle.Joules
	ExecCPU, ExecRAM wattle.Joules
}

// lifetime of a server in EcoLife's accounting: four years of 360 days.
const lifetime = 4 * 12 * 30 * 24 * time.Hour

// Cost is what one function costs on one server, apart from the intensity.
type Cost struct {
	Cold, Warm             time.Duration
	ColdEnergy, WarmEnergy wattle.Joules
	StartEnergy            wattle.Joules
	ColdEmbodied           wattle.GramsCO2e
	WarmEmbodied           wattle.GramsCO2e
	StartEmbodied          wattle.GramsCO2e
	HoldPower              wattle.Watts          // of one idle copy
	HoldEmbodied           wattle.GramsPerSecond // of one idle copy
}

// NewCost combines a measurement with the server it was made on; memory is
// what the function holds, in GB.
func NewCost(m Measured, s Server, memory float64) Cost {
	q := memory / s.Memory
	board := wattle.GramsCO2e(s.CPU + s.RAM.Times(q))
	per := func(d time.Duration) wattle.GramsCO2e { return board.Times(d.Seconds() / lifetime.Seconds()) }
	start := m.ColdCPU + m.ColdRAM.Times(q)
	warm := m.ExecCPU + m.ExecRAM.Times(q)
	slot := s.RAM.Times(q) + s.CPU.Times(1/s.Cores)
	return Cost{
		Cold: m.Cold + m.Exec, Warm: m.Exec,
		ColdEnergy: start + warm, WarmEnergy: warm, StartEnergy: start,
		ColdEmbodied: per(m.Cold + m.Exec), WarmEmbodied: per(m.Exec), StartEmbodied: per(m.Cold),
		HoldPower:    s.RAMIdle.Times(q) + s.CPUIdle.Times(1/s.Cores),
		HoldEmbodied: wattle.GramsPerSecond(float64(slot) / lifetime.Seconds()),
	}
}

// At prices c on a grid of intensity ci. Starting ahead of demand is charged
// only when charge is set.
func (c *Cost) At(ci wattle.GramsPerKWh, charge bool) lifecycle.Option {
	o := lifecycle.Option{
		Cold: c.Cold, Warm: c.Warm,
		ColdGrams: c.ColdEnergy.At(ci) + c.ColdEmbodied,
		WarmGrams: c.WarmEnergy.At(ci) + c.WarmEmbodied,
		Hold:      c.HoldEmbodied + wattle.GramsPerSecond(c.HoldPower.For(time.Second).At(ci)),
	}
	if charge {
		o.StartGrams = c.StartEnergy.At(ci) + c.StartEmbodied
	}
	return o
}
