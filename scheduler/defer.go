package scheduler

import (
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/scheduler/state"
)

// waits is what the present request has waited and done. Only requests that are
// placed are deferred: estimates are of a run at once.
type waits struct {
	decide bool
	waited time.Duration
	done   float64
}

// leastSlack is the shortest time that is worth waiting.
const leastSlack = time.Millisecond

// slack is how long a request may wait: its own deadline within the policy's.
func slack(p *wattle.Params, in *wattle.Intent) time.Duration {
	d := p.Deadline
	if in.Lifecycle.DeferMax > 0 {
		d = min(d, in.Lifecycle.DeferMax)
	}
	return d
}

// defers reports whether the Deferrer is asked.
func (c *Core) defers(p *wattle.Params, in *wattle.Intent) bool {
	return c.cfg.Deferrer != nil && c.waits.decide && slack(p, in) >= leastSlack
}

// step is the distance between start slots; 0 where a Deferrer plans around what
// is full.
func (c *Core) step() time.Duration {
	if c.cfg.Deferrer != nil {
		return 0
	}
	return c.cfg.Slot
}

// later says why a start slot cannot be promised, or 0. How long f runs is taken
// from its profile.
func (p *plan) later(s *state.Snapshot, f *wattle.Function, k *key) wattle.Reasons {
	if p.step == 0 {
		return 0
	}
	t, q := &s.Fleet.Targets[k.target], &f.Profile
	run := q.Provision + q.Image + q.Runtime + q.Init + time.Duration(float64(q.Exec)/t.Speed)
	base := p.at.Truncate(state.PromiseStep)
	start := p.at.Add(time.Duration(k.slot) * p.step).Sub(base)
	first, last := int(start/state.PromiseStep), int(max(start+run-1, start)/state.PromiseStep)
	for _, full := range s.Full(nil, p.at, k.target, f.Needs, last+1)[first:] {
		if full {
			return wattle.ReasonCapacity
		}
	}
	return 0
}

// raster is the number of start slots to consider, at least one, and their
// distance. With a Deferrer there are two: now, and when it says.
func (c *Core) raster(p *wattle.Params, in *wattle.Intent) (slots int, step time.Duration) {
	if c.defers(p, in) {
		return 2, 0
	}
	if c.cfg.Deferrer != nil || c.cfg.Slot <= 0 || p.Deadline < c.cfg.Slot {
		return 1, 0
	}
	return 1 + min(int(slack(p, in)/c.cfg.Slot), c.cfg.MaxSlots), c.cfg.Slot
}

// shift asks the Deferrer for each target when f would run there. Candidates of
// another time are refused; the later ones are moved to theirs.
func (c *Core) shift(now time.Time, s *state.Snapshot, f *wattle.Function, slack time.Duration) {
	x, n := &c.scratch, len(s.Fleet.Targets)
	for t := range n {
		cold := n + t
		w := wattle.Task{
			Start: x.columns.Start[cold], Exec: time.Duration(float64(x.columns.Exec[cold]) * max(0, 1-c.waits.done)),
			Slack: slack, Waited: c.waits.waited, Interruptible: f.Interruptible,
		}
		if limit := x.batch.Intent.Limits.StartWithin; limit > 0 {
			w.Slack = max(0, min(w.Slack, limit-w.Start))
		}
		z := &s.Signals.Zones[s.Fleet.Targets[t].Cluster]
		st := c.cfg.Deferrer.First(now, c.open(now, s, f, int32(t), &w), &w)
		x.runs = append(x.runs, st.Run)
		later := 2*n + t
		if st.Wait = min(max(st.Wait, 0), w.Slack); st.Wait == 0 {
			x.refused[later] |= wattle.ReasonDeferral
			x.move(now, z, s.Fleet.Targets[t].PUE, t, st)
			x.move(now, z, s.Fleet.Targets[t].PUE, cold, st)
			continue
		}
		x.refused[t] |= wattle.ReasonDeferral
		x.refused[cold] |= wattle.ReasonDeferral
		x.move(now, z, s.Fleet.Targets[t].PUE, later, st)
	}
}

// open is z in steps of state.PromiseStep, without those in which target has no
// room left beside what is promised: they count as the dirtiest there can be. It
// reaches as far as w can use.
func (c *Core) open(now time.Time, s *state.Snapshot, f *wattle.Function, target int32, w *wattle.Task) *state.ZoneSignal {
	x, z := &c.scratch, &s.Signals.Zones[s.Fleet.Targets[target].Cluster]
	const step = state.PromiseStep
	period := z.Current.To.Sub(z.Current.From)
	if period <= 0 || period%step != 0 || z.Current.From.UnixNano()%int64(step) != 0 {
		return z // on another raster: only what is free now counts
	}
	w.Holds = z.Current.To.Sub(now)
	n := int((w.Slack+w.Start+w.Exec)/step) + 2
	x.full = s.Full(x.full, now, target, f.Needs, n)
	if s.Load.Warm(f.Index, target) > 0 || s.Load.Fits(s.Fleet, target, f.Needs) {
		x.full[0] = false
	}
	x.zone, x.ahead = *z, x.ahead[:0]
	first := now.Truncate(step)
	x.zone.Current.From, x.zone.Current.To, x.zone.Period = first, first.Add(step), step
	for i := range n {
		v, at := z.Current.Intensity, first.Add(time.Duration(i)*step).Sub(z.Current.To)
		if at >= 0 {
			k := int(at / period)
			if k >= len(z.Ahead) {
				break
			}
			v = z.Ahead[k]
		}
		if x.full[i] {
			v = wattle.MaxIntensity
		}
		x.ahead = append(x.ahead, v)
	}
	x.zone.Current.Intensity, x.zone.Ahead = x.ahead[0], x.ahead[1:]
	return &x.zone
}

// move puts candidate i, measured as a run at once, into the time of st.
func (x *scratch) move(now time.Time, z *state.ZoneSignal, pue float64, i int, st wattle.Stretch) {
	c := &x.columns
	c.Delay[i] = st.Wait
	c.Mean[i] += st.Wait
	c.P95[i] += st.Wait
	if st.Intensity <= 0 {
		return
	}
	machine := (c.StartEnergy[i] + c.ExecEnergy[i] + c.IdleEnergy[i]).Times(pue)
	before := c.Carbon[i]
	c.Carbon[i] = max(0, before+machine.At(st.Intensity)-machine.At(z.Mean(now, c.Start[i]+c.Exec[i])))
	if before > 0 {
		c.Penalty[i] = c.Penalty[i].Times(float64(c.Carbon[i] / before))
	}
}
