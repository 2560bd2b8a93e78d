package fake

import (
	"fmt"
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

// once integrates without repetition: each segment up to t is a trapezoid.
func (p *profile) once(t time.Duration) uint64 {
	var sum uint64
	for i, a := range p.points {
		if t <= a.at {
			break
		}
		end := t
		if i+1 < len(p.points) {
			end = min(end, p.points[i+1].at)
		}
		ends := a.micro + p.within(i, end)
		if end < t && i+1 < len(p.points) && p.points[i+1].ramp {
			ends = a.micro + p.points[i+1].micro
		}
		sum += scale(ends, uint64(end-a.at), 2*uint64(time.Second))
	}
	return sum
}

// scale returns x·num/den rounded down, through 128 bits. The quotient fits
// because Parse bounds power and time.
func scale(x, num, den uint64) uint64 {
	hi, lo := bits.Mul64(x, num)
	q, _ := bits.Div64(hi%den, lo, den)
	return q
}
