package stage

import (
	"github.com/wattle-project/wattle"
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
	c, f := b.Columns, b.Function
	for i := range b.Refused {
		t := b.Target(i)
		z := &b.State.Signals.Zones[t.Cluster]
		run := c.Start[i] + c.Exec[i]
		intensity := z.Mean(b.Now.Add(c.Delay[i]), run)
		machine := (c.StartEnergy[i] + c.ExecEnergy[i] + c.IdleEnergy[i]).Times(t.PUE)
		if b.Keep > 0 {
			after := z.Mean(b.State.Signals.At.Add(c.Delay[i]+run), b.Keep)
			c.Carbon[i] = c.KeepEnergy[i].Times(t.PUE).At(after)
		}
		c.Carbon[i] += machine.At(intensity)
		if c.NetEnergy[i] > 0 {
			c.Carbon[i] += c.NetEnergy[i].At(between(b, t.Cluster, intensity))
		}
		c.Embodied[i] = t.Machine.Embodied.Share(t.Machine, f.Needs, run)
		c.Quality[i] = z.Current.Quality
		c.Age[i] = max(b.State.Signals.At.Sub(z.Current.FetchedAt), 0)
		if steps := int(z.Current.Quality) - int(wattle.Forecast); steps > 0 {
			c.Penalty[i] = c.Carbon[i].Times(s.StalePenalty * float64(steps))
		}
	}
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
