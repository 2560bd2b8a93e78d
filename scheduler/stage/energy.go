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
	c, f := b.Columns, b.Function
	for i := range b.Refused {
		t := b.Target(i)
		m, metered := f.Profile.Measured[t.Attributes.Hardware]
		if metered {
			c.ExecEnergy[i] = m.ExecEnergy
		} else {
			c.ExecEnergy[i] = t.Machine.Dynamic(f.Needs, f.Profile.Utilisation, f.Profile.AcceleratorUtilisation).For(c.Exec[i])
		}
		switch {
		case c.Sandbox[i] == wattle.Warm:
		case metered && c.Sandbox[i] == wattle.Cold:
			c.StartEnergy[i] = m.ColdEnergy
		default:
			c.StartEnergy[i] = t.Machine.Dynamic(f.Needs, e.StartUtilisation, 0).For(c.Start[i])
		}
		reserved := t.Machine.Reserved(f.Needs)
		c.IdleEnergy[i] = reserved.For(c.Start[i] + c.Exec[i])
		c.KeepEnergy[i] = reserved.For(b.Keep)
		c.NetEnergy[i] = e.Network.For(f.In + f.Out)
		c.Energy[i] = c.StartEnergy[i] + c.ExecEnergy[i] + c.IdleEnergy[i] + c.KeepEnergy[i] + c.NetEnergy[i]
	}
}
