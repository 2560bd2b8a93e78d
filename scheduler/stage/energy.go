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
	c, f, n, m := b.Columns, b.Function, b.Stride(), len(b.Refused)
	box, starting, running := c.Sandbox[:m], c.Start[:m], c.Exec[:m]
	startEnergy, execEnergy, idleEnergy := c.StartEnergy[:m], c.ExecEnergy[:m], c.IdleEnergy[:m]
	keepEnergy, netEnergy, total := c.KeepEnergy[:m], c.NetEnergy[:m], c.Energy[:m]
	net := e.Network.For(f.In + f.Out)
	for t := range n {
		target := b.Target(t)
		var measured wattle.Measurement
		metered := false
		if f.Profile.Measured != nil {
			measured, metered = f.Profile.Measured[target.Attributes.Hardware]
		}
		machine := &target.Machine
		busy := machine.Dynamic(f.Needs, f.Profile.Utilisation, f.Profile.AcceleratorUtilisation).Times(1 / float64(max(f.Concurrency, 1)))
		start, reserved := machine.Dynamic(f.Needs, e.StartUtilisation, 0), machine.Reserved(f.Needs)
		keep := reserved.For(b.Keep)
		for i := t; i < m; i += n {
			exec, started, idle := measured.ExecEnergy, wattle.Joules(0), reserved.For(starting[i]+running[i])
			if !metered {
				exec = busy.For(running[i])
			}
			switch {
			case box[i] == wattle.Warm:
			case metered && box[i] == wattle.Cold:
				started = measured.ColdEnergy
			default:
				started = start.For(starting[i])
			}
			startEnergy[i], execEnergy[i], idleEnergy[i], keepEnergy[i], netEnergy[i] = started, exec, idle, keep, net
			total[i] = started + exec + idle + keep + net
		}
	}
}
