package gpu

import (
	"maps"
	"slices"
	"time"

	"github.com/wattle-project/wattle"
)

// ledger keeps the software registers of a board's MIG instances. They start
// at 0 when an instance is first seen and only grow.
type ledger struct {
	last      Board // previous observation; only its figures are used
	seen      bool
	lowest    wattle.Watts      // lowest mean power of an interval so far, 0 before
	instances map[string]uint64 // µJ by instance key
}

// advance books the energy since the previous observation on the instances.
func (l *ledger) advance(b *Board, bound wattle.Watts, shares []float64, c Config) {
	spent, ok := l.spent(b, bound, c.MaxGap)
	if ok && len(shares) == len(b.Instances) && len(shares) > 0 {
		d := b.At.Sub(l.last.At)
		l.learn(wattle.Microjoules(spent).Joules().Over(d))
		l.book(b, spent, shares, l.idle(b, c).For(d))
	}
	maps.DeleteFunc(l.instances, func(key string, _ uint64) bool {
		return !slices.ContainsFunc(b.Instances, func(in Instance) bool { return in.Key == key })
	})
	l.last = Board{At: b.At, Energy: b.Energy, HasEnergy: b.HasEnergy, Power: b.Power, HasPower: b.HasPower}
	l.seen = true
}

// spent returns the board's energy in µJ since the previous observation. It is
// false for the first one, a gap, a counter that went back (driver reload or
// GPU reset) and more power than the board can draw.
func (l *ledger) spent(b *Board, bound wattle.Watts, gap time.Duration) (uint64, bool) {
	d := b.At.Sub(l.last.At)
	if !l.seen || d <= 0 || d > gap {
		return 0, false
	}
	var spent uint64
	switch {
	case b.HasEnergy && l.last.HasEnergy && b.Energy >= l.last.Energy:
		spent = b.Energy - l.last.Energy
	case !b.HasEnergy && b.HasPower && l.last.HasPower:
		spent = Trapezoid(l.last.Power, b.Power, d)
	default:
		return 0, false
	}
	if bound > 0 && float64(spent) > float64(bound.For(d).Micro()) {
		return 0, false
	}
	return spent, true
}

// Trapezoid is the energy in µJ of a power that went from a to b within d.
// Boards before Volta have no energy counter, so this is what is known.
func Trapezoid(a, b wattle.Watts, d time.Duration) uint64 {
	j := ((a + b) / 2).For(d)
	if d <= 0 || !(j > 0) {
		return 0
	}
	return uint64(j.Micro())
}

// idleOfLimit is the idle power of data-centre GPUs as a part of their limit:
// T4 8/71, V100 35/306, A100 46/407, A10G 18/153 W (Cloud Carbon Footprint,
// GPU coefficients).
const idleOfLimit = 0.115

func (l *ledger) learn(mean wattle.Watts) {
	if l.lowest == 0 || mean < l.lowest {
		l.lowest = mean
	}
}

// idle is the configured power at rest, else the lowest power seen, at most
// idleOfLimit of the limit, for a board may never have been at rest.
func (l *ledger) idle(b *Board, c Config) wattle.Watts {
	if c.Idle > 0 {
		return c.Idle
	}
	return min(l.lowest, b.Limit.Times(idleOfLimit))
}

// book divides spent: idle energy by slices over the whole board, of which the
// part of free slices stays with the board, and the rest by shares.
func (l *ledger) book(b *Board, spent uint64, shares []float64, idle wattle.Joules) {
	rest := min(uint64(idle.Micro()), spent)
	reserved := make([]float64, len(b.Instances)+1)
	free := 0.0
	for i, in := range b.Instances {
		reserved[i] = in.weight()
		free = max(free, float64(in.OfSlices))
	}
	for _, in := range b.Instances {
		free -= in.weight()
	}
	reserved[len(b.Instances)] = max(free, 0)
	l.add(b.Instances, rest, reserved)
	l.add(b.Instances, spent-rest, shares)
}

func (l *ledger) add(instances []Instance, energy uint64, weights []float64) {
	parts := make([]uint64, len(weights))
	Split(energy, weights, parts)
	for i, in := range instances {
		l.instances[in.Key] += parts[i]
	}
}
