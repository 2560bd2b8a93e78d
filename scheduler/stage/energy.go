package stage

import (
	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/scheduler/state"
)

// Energy fills the dynamic energy of start-up and execution, the share of idle
// power while the instance is reserved and while it is kept warm, and the energy
// of moving data.
type Energy struct {
	StartUtilisation float64
	Network          wattle.KWhPerGB
}

// Name returns "energy".
func (Energy) Name() string { return "energy" }

// Apply fills StartEnergy, ExecEnergy, IdleEnergy, KeepEnergy, NetEnergy and Energy.
func (e Energy) Apply(b *state.Batch) {
	c, f, n := b.Columns, b.Function, b.Stride()
	net := e.Network.For(f.In + f.Out)
	for t := range n {
		target := b.Target(t)
		measured, metered := f.Profile.Measured[target.Attributes.Hardware]
		machine := &target.Machine
		busy := machine.Dynamic(f.Needs, f.Profile.Utilisation, f.Profile.AcceleratorUtilisation)
		start, reserved := machine.Dynamic(f.Needs, e.StartUtilisation, 0), machine.Reserved(f.Needs)
		keep := reserved.For(b.Keep)
		for i := t; i < len(b.Refused); i += n {
			exec, started, idle := measured.ExecEnergy, wattle.Joules(0), reserved.For(c.Start[i]+c.Exec[i])
			if !metered {
				exec = busy.For(c.Exec[i])
			}
			switch {
			case c.Sandbox[i] == wattle.Warm:
			case metered && c.Sandbox[i] == wattle.Cold:
				started = measured.ColdEnergy
			default:
				started = start.For(c.Start[i])
			}
			c.StartEnergy[i], c.ExecEnergy[i], c.IdleEnergy[i], c.KeepEnergy[i], c.NetEnergy[i] = started, exec, idle, keep, net
			c.Energy[i] = started + exec + idle + keep + net
		}
	}
}
