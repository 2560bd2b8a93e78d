package fake

import (
	"fmt"
	"math/big"
	"math/bits"
	"time"
)

// point is a power from an instant on; with ramp the power moves linearly
// there from the point before.
type point struct {
	at    time.Duration
	micro uint64 // µW
	ramp  bool
}

// profile is power over time as a piecewise linear function.
type profile struct {
	points []point
	period time.Duration // 0 if it does not repeat
}

func (p *profile) add(q point) error {
	if n := len(p.points); n > 0 && q.at <= p.points[n-1].at {
		return fmt.Errorf("%s stands after %s", q.at, p.points[n-1].at)
	}
	if len(p.points) == 0 && q.at != 0 {
		return fmt.Errorf("the load has to start at 0s, not at %s", q.at)
	}
	p.points = append(p.points, q)
	return nil
}

func (p *profile) check() error {
	if len(p.points) == 0 {
		return fmt.Errorf("it has no load; add for example \"at 0s 40W\"")
	}
	if last := p.points[len(p.points)-1].at; p.period > 0 && p.period <= last {
		return fmt.Errorf("it repeats every %s, before its last point at %s", p.period, last)
	}
	return nil
}

// power returns the µW at t.
func (p *profile) power(t time.Duration) uint64 {
	if p.period > 0 {
		t %= p.period
	}
	for i := len(p.points) - 1; i >= 0; i-- {
		if t >= p.points[i].at {
			return p.within(i, t)
		}
	}
	return 0
}

// within returns the µW at t in the segment that starts at point i.
func (p *profile) within(i int, t time.Duration) uint64 {
	a := p.points[i]
	if i+1 >= len(p.points) || !p.points[i+1].ramp {
		return a.micro
	}
	b := p.points[i+1]
	into, all := uint64(t-a.at), uint64(b.at-a.at)
	if b.micro >= a.micro {
		return a.micro + scale(b.micro-a.micro, into, all)
	}
	return a.micro - scale(a.micro-b.micro, into, all)
}

// energy returns the µJ spent from 0 to t. It never falls as t grows.
func (p *profile) energy(t time.Duration) uint64 {
	if p.period <= 0 {
		return p.once(t)
	}
	return uint64(t/p.period)*p.once(p.period) + p.once(t%p.period)
}

// once integrates without repetition: each segment up to t is a rectangle or a
// trapezoid, rounded down by itself so that the sum never falls.
func (p *profile) once(t time.Duration) uint64 {
	var sum uint64
	for i, a := range p.points {
		if t <= a.at {
			break
		}
		if i+1 >= len(p.points) {
			return sum + scale(a.micro, uint64(t-a.at), uint64(time.Second))
		}
		b := p.points[i+1]
		into := min(t, b.at) - a.at
		if b.ramp {
			sum += slope(a.micro, b.micro, into, b.at-a.at)
		} else {
			sum += scale(a.micro, uint64(into), uint64(time.Second))
		}
	}
	return sum
}

// slope is the exact energy in µJ, rounded down, of the first into of a ramp
// from a to b µW over all: (2·a·all·into + (b−a)·into²) / (2·all·1 s).
func slope(a, b uint64, into, all time.Duration) uint64 {
	x, t := big.NewInt(int64(into)), big.NewInt(int64(all))
	twice := new(big.Int).Mul(big.NewInt(2), t)
	num := new(big.Int).Mul(new(big.Int).SetUint64(a), twice)
	rise := new(big.Int).Sub(new(big.Int).SetUint64(b), new(big.Int).SetUint64(a))
	num.Add(num, rise.Mul(rise, x)).Mul(num, x)
	return num.Quo(num, twice.Mul(twice, big.NewInt(int64(time.Second)))).Uint64()
}

// scale returns x·num/den rounded down, through 128 bits. The quotient fits
// because Parse bounds power and time.
func scale(x, num, den uint64) uint64 {
	hi, lo := bits.Mul64(x, num)
	q, _ := bits.Div64(hi%den, lo, den)
	return q
}
