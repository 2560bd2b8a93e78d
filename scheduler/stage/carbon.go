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
	c, n, m := b.Columns, b.Stride(), len(b.Refused)
	starting, running, keep := c.Start[:m], c.Exec[:m], c.KeepEnergy[:m]
	startEnergy, execEnergy, idleEnergy, netEnergy := c.StartEnergy[:m], c.ExecEnergy[:m], c.IdleEnergy[:m], c.NetEnergy[:m]
	carbon, embodied, qualities, ages := c.Carbon[:m], c.Embodied[:m], c.Quality[:m], c.Age[:m]
	signals := b.Signals()
	for t := range n {
		target := b.Target(t)
		z, quality := signals.Zone(target.Cluster, b.Now)
		age := signals.Age(target.Cluster)
		machine := &target.Machine
		making, life := machine.Embodied.Part(machine, b.Function.Needs), machine.Embodied.Lifetime
		stale := s.StalePenalty * float64(max(int(quality)-int(wattle.Forecast), 0))
		for i := t; i < m; i += n {
			run := starting[i] + running[i]
			now, after := intensities(b, z, target.Cluster, c.Delay[i], run)
			grams := wattle.GramsCO2e(0)
			if b.Keep > 0 {
				grams = keep[i].Times(target.PUE).At(after)
			}
			grams += (startEnergy[i] + execEnergy[i] + idleEnergy[i]).Times(target.PUE).At(now)
			if netEnergy[i] > 0 {
				grams += power.Transfer(netEnergy[i], now, far(b, target, now))
			}
			carbon[i], embodied[i] = grams, making.Times(power.Lived(run, life))
			qualities[i], ages[i] = quality, age
			if stale > 0 {
				c.Penalty[i] = grams.Times(stale)
			}
		}
	}
}

// intensities are those of a run that begins after delay and of the time that
// the instance is kept afterwards: the present one where nothing is forecast.
func intensities(b *state.Batch, z *state.ZoneSignal, cluster int, delay, run time.Duration) (now, after wattle.GramsPerKWh) {
	now, after = z.Current.Intensity, z.Current.Intensity
	if len(z.Ahead) == 0 {
		return now, after
	}
	signals := b.Signals()
	if !signals.Within(cluster, b.Now, delay, run) {
		now = z.Mean(b.Now.Add(delay), run)
	}
	if b.Keep > 0 && !signals.Within(cluster, signals.At, delay+run, b.Keep) {
		after = z.Mean(signals.At.Add(delay+run), b.Keep)
	}
	return now, after
}

// far is the intensity at the caller's end of a transfer.
func far(b *state.Batch, t *state.Target, here wattle.GramsPerKWh) wattle.GramsPerKWh {
	if end := b.State.Fleet.FarEnd(b.Origin, t); end != t.Cluster {
		z, _ := b.Signals().Zone(end, b.Now)
		return z.Current.Intensity
	}
	return here
}
