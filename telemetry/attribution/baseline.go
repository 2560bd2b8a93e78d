package attribution

import (
	"time"

	"github.com/wattle-project/wattle"
)

// baseline is the idle power of one zone: fixed, or learned as the least mean
// over a window. Two generations of the minimum let it rise again: a minimum is
// forgotten one to two horizons after it was seen.
type baseline struct {
	fixed   bool
	watts   wattle.Watts // of a fixed one
	window  time.Duration
	horizon time.Duration

	energy wattle.Microjoules // of the window so far
	length time.Duration
	age    time.Duration // of the current generation
	now    wattle.Watts  // least of the current generation, 0 if none
	before wattle.Watts  // least of the one before
}

// observe takes in an interval. No energy at all is a stuck meter, not idleness.
func (b *baseline) observe(e wattle.Microjoules, d time.Duration) {
	if b.fixed || e <= 0 || d <= 0 {
		return
	}
	b.energy += e
	b.length += d
	if b.length < b.window {
		return
	}
	p := b.energy.Joules().Over(b.length)
	b.now = least(b.now, p)
	b.age += b.length
	b.energy, b.length = 0, 0
	if b.age >= b.horizon {
		b.before, b.now, b.age = b.now, 0, 0
	}
}

func least(a, b wattle.Watts) wattle.Watts {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// power is the idle power as known now; 0 until the first window is over, so
// that all energy counts as dynamic rather than as idle.
func (b *baseline) power() wattle.Watts {
	if b.fixed {
		return b.watts
	}
	return least(b.now, b.before)
}
