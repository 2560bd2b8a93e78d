package stage

import (
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/scheduler/power"
	"github.com/wattle-project/wattle/scheduler/state"
)

// Carbon turns energy into operational grams over the intensities of the run,
// adds the embodied share and flags signals that are not fresh.
type Carbon struct {
	// StalePenalty is the share of carbon added to G per quality step below Forecast.
	StalePenalty float64
}

// Name returns "carbon".
func (Carbon) Name() string { return "carbon" }

// Apply fills Carbon, Embodied, Quality, Age and Penalty.
func (s Carbon) Apply(b *state.Batch) {
	c, n := b.Columns, b.Stride()
	for t := range n {
		target := b.Target(t)
		z := &b.State.Signals.Zones[target.Cluster]
		age := b.State.Signals.Age(target.Cluster)
		machine := &target.Machine
		making, life := machine.Embodied.Part(machine, b.Function.Needs), machine.Embodied.Lifetime
		steps := int(z.Current.Quality) - int(wattle.Forecast)
		for i := t; i < len(b.Refused); i += n {
			run := c.Start[i] + c.Exec[i]
			intensity := s.emit(b, z, target, i, run)
			if c.NetEnergy[i] > 0 {
				c.Carbon[i] += c.NetEnergy[i].At(between(b, target.Cluster, intensity))
			}
			c.Embodied[i] = making.Times(power.Lived(run, life))
			c.Quality[i], c.Age[i] = z.Current.Quality, age
			if steps > 0 {
				c.Penalty[i] = c.Carbon[i].Times(s.StalePenalty * float64(steps))
			}
		}
	}
}

// emit sets the carbon of candidate i's machine and returns the intensity of
// its run, which is the current one where nothing is forecast.
func (Carbon) emit(b *state.Batch, z *state.ZoneSignal, t *state.Target, i int, run time.Duration) wattle.GramsPerKWh {
	c := b.Columns
	now, after := z.Current.Intensity, z.Current.Intensity
	if len(z.Ahead) > 0 {
		now = z.Mean(b.Now.Add(c.Delay[i]), run)
		after = z.Mean(b.State.Signals.At.Add(c.Delay[i]+run), b.Keep)
	}
	machine := (c.StartEnergy[i] + c.ExecEnergy[i] + c.IdleEnergy[i]).Times(t.PUE)
	if b.Keep > 0 {
		c.Carbon[i] = c.KeepEnergy[i].Times(t.PUE).At(after)
	}
	c.Carbon[i] += machine.At(now)
	return now
}

// between is the mean intensity of both ends of a transfer.
func between(b *state.Batch, cluster int, here wattle.GramsPerKWh) wattle.GramsPerKWh {
	fleet := b.State.Fleet
	for i := range fleet.Clusters {
		if b.Origin >= 0 && fleet.Clusters[i].Region == fleet.Regions[b.Origin] && i != cluster {
			return (here + b.State.Signals.Zones[i].Current.Intensity) / 2
		}
	}
	return here
}
