package bound

import (
	"math"
	"slices"
	"time"
)

// emission is the g/kWh·s of a cluster's grid from the beginning to t, up to the
// horizon.
func (m *model) emission(cluster int, t int64) float64 {
	t = min(t, int64(m.cfg.Horizon))
	k := min(t/m.slot, int64(m.slots-1))
	return m.emitted[cluster][k] + float64(float64(m.cfg.Grid[cluster][k])*time.Duration(t-k*m.slot).Seconds())
}

// emissions are the sums of emission at the beginnings of slots.
func (m *model) emissions() (out [][]float64) {
	for _, grid := range m.cfg.Grid {
		sums := make([]float64, m.slots+1)
		for k := range m.slots {
			sums[k+1] = sums[k] + float64(float64(grid[k])*time.Duration(m.slot).Seconds())
		}
		out = append(out, sums)
	}
	return out
}

// spend is the grams of joules drawn evenly over [from, to) at a cluster, beside
// watts all the while, up to the horizon.
func (m *model) spend(cluster int, joules, watts float64, from, to int64) float64 {
	horizon := int64(m.cfg.Horizon)
	if from >= horizon {
		return 0
	}
	k, span := from/m.slot, time.Duration(to-from).Seconds()
	if to <= min((k+1)*m.slot, horizon) {
		return float64((joules + float64(watts*span)) * float64(m.cfg.Grid[cluster][k]) * perKWh)
	}
	return float64((watts + joules/span) * (m.emission(cluster, to) - m.emission(cluster, from)) * perKWh)
}

// group sorts the targets that a function can start on by the time that it takes.
func (m *model) group(f *function, starts []hosting) {
	for _, h := range starts {
		i := slices.IndexFunc(f.hosts, func(g hosts) bool { return g.time == h.time })
		if i < 0 {
			i = len(f.hosts)
			f.hosts = append(f.hosts, hosts{time: h.time, start: slices.Repeat([]float64{math.Inf(1)}, m.slots)})
		}
		g := &f.hosts[i]
		g.each = append(g.each, h)
		joules := h.start + float64(h.hold*time.Duration(h.time).Seconds())
		for k := range g.start {
			g.start[k] = min(g.start[k], float64(joules*float64(m.cfg.Grid[h.cluster][k])*perKWh))
		}
	}
}

// least is the least grams of a start over [from, to).
func (m *model) least(g *hosts, from, to int64) float64 {
	horizon := int64(m.cfg.Horizon)
	if from >= horizon {
		return 0
	}
	if k := from / m.slot; to <= min((k+1)*m.slot, horizon) {
		return g.start[k]
	}
	least := math.Inf(1)
	for i := range g.each {
		h := &g.each[i]
		least = min(least, m.spend(h.cluster, h.start, h.hold, from, to))
	}
	return least
}

// ahead is the least grams of an instance that is started to be there at t just in
// time; of a start before the beginning, or longer than a slot, what it is at least.
func (m *model) ahead(g *hosts, t int64) float64 {
	if g.time <= min(t, m.slot) {
		return m.least(g, t-g.time, t)
	}
	least := math.Inf(1)
	for k := max(t/m.slot*m.slot-g.time, 0) / m.slot; k <= min(t/m.slot, int64(m.slots-1)); k++ {
		least = min(least, g.start[k])
	}
	return least
}

// early is the least grams of having an instance at t that was not there before:
// started just in time, or by the beginning of the slot and held since. It is one of
// these, for what a start takes is linear between the beginning of a slot and a
// start later, and constant from there.
func (f *function) early(m *model, t int64) float64 {
	k := min(t/m.slot, int64(m.slots))
	least := f.eve[k] + f.until(m, t) - f.until(m, k*m.slot)
	for h := range f.hosts {
		least = min(least, m.ahead(&f.hosts[h], t))
	}
	return least
}

// eves fills the least grams of having an instance at the beginning of each slot.
func (f *function) eves(m *model) {
	f.eve = make([]float64, m.slots+1)
	f.eve[0] = math.Inf(1)
	f.eve[0] = f.early(m, 0)
	for k := 1; k <= m.slots; k++ {
		t := int64(k) * m.slot
		f.eve[k] = f.eve[k-1] + f.until(m, t) - f.until(m, t-m.slot)
		f.eve[k] = f.early(m, t)
	}
}
