package lifecycle

import (
	"math"
	"math/bits"
)

// forecaster estimates whether a level is in use in a step, from adaptive
// probabilities in seven contexts of the level's recent course, mixed by
// logistic regression whose weights are learned as they go (context mixing:
// M. Mahoney, "Adaptive Weighing of Context Models for Lossless Data
// Compression", Florida Tech CS-2005-16). Integers throughout: the same
// forecasts on any CPU.
//
// Probabilities are in 1/65536; a stretched probability is 256·ln(p/(1−p)),
// within ±2047; weights are in 1/65536.
type forecaster struct {
	squash  [4096]uint16        // of stretched −2048…2047
	stretch [4096]int16         // of a probability in 1/4096
	prior   [65]int32           // in use e steps after the last use, before anything is known
	trust   [observations]int32 // share of the prior beside n observations, in 1/65536
	pace    [observations]int32 // step of an adaptive probability at its n-th observation
	x       [inputs]int32       // stretched inputs of the last estimate
	slots   [inputs]*chanceOf   // and where they come from
}

const (
	inputs       = 7
	settled      = 60          // observations after which an adaptive probability moves on evenly
	observations = settled + 1 // sizes of tables by observations
	doubt        = 0.4         // observations that the prior is worth
	// The weights begin at 1.8 together, over 1 because inputs agree more than
	// each of them knows.
	initial = 65536 * 18 / (10 * inputs)
	// learning is the rate of the weights, 0.007, for errors in 1/65536, inputs in
	// 1/256 and weights in 1/65536, as a numerator over 2^18.
	learning = 7
)

// chanceOf is the observed chance of use in one context.
type chanceOf struct {
	p uint16
	n uint16
}

// Sizes of the contexts, in the order of locate.
const (
	sizeElapsed = 64
	sizeGap     = 16 * 12
	sizeHour    = 4 * 4
	sizeQuarter = 4 * 4 * 4
	sizeRecent  = 256
	sizeBefore  = 128
	sizeAround  = 4 * 4 * 4
	sizeAll     = sizeElapsed + sizeGap + sizeHour + sizeQuarter + sizeRecent + sizeBefore + sizeAround
)

// recall is what is known of one level: 3.2 kB once it has been used twice.
type recall struct {
	// past has a bit per step, the latest lowest: was the level in use?
	past    uint64
	gap     uint8 // between the last two uses, in steps, at most 64
	uses    uint8
	weights [inputs]int32
	table   *[sizeAll]chanceOf
}

func newForecaster() *forecaster {
	f := &forecaster{}
	for i := range f.squash {
		f.squash[i] = uint16(min(max(math.Round(65536/(1+math.Exp(float64(2048-i)/256))), 65), 65536-65))
	}
	for i := range f.stretch {
		p := (float64(i) + 0.5) / 4096
		f.stretch[i] = int16(min(max(math.Round(256*math.Log(p/(1-p))), -1591), 1591))
	}
	for e := range f.prior {
		f.prior[e] = int32(65536 / (e + 1))
	}
	f.prior[0] = f.prior[1]
	for n := range f.trust {
		f.trust[n] = int32(math.Round(65536 * doubt / (float64(n) + doubt)))
		f.pace[n] = int32(65536 / max(n, 1))
	}
	return f
}

// since is the number of steps from the last use to the step after past.
func since(past uint64) int { return bits.TrailingZeros64(past) + 1 }

// coarse is a class of gaps, 0…11.
func coarse(gap int) int {
	switch {
	case gap < 7:
		return gap
	case gap < 10:
		return 7
	case gap < 16:
		return 8
	case gap < 32:
		return 9
	}
	return 10
}

// at is bit d of past, 1 being the latest.
func at(past uint64, d int) int { return int(past >> (d - 1) & 1) }

// locate fills the indexes into a table for the step after past. any and above
// are the pasts of the lowest level and of the next higher one.
func locate(past, any, above uint64, gap uint8, idx *[inputs]int) {
	e := since(past)
	near := min(e, 4) - 1
	// demand of a step: 0 none, 1 below the level, 2 up to it, 3 more.
	demand := func(d int) int { return at(any, d) + at(past, d) + at(above, d) }
	base := 0
	put := func(k, size, i int) { idx[k] = base + i; base += size }
	put(0, sizeElapsed, min(e, 63))
	put(1, sizeGap, min(e-1, 15)*12+coarse(int(gap)))
	put(2, sizeHour, demand(60)*4+near)
	put(3, sizeQuarter, (demand(15)*4+demand(30))*4+near)
	put(4, sizeRecent, int(past&255))
	put(5, sizeBefore, int(past>>1&7|past>>2&56|past>>5&64))
	put(6, sizeAround, (demand(1)*4+demand(2))*4+demand(3))
}

// estimate returns the chance that level l is in use in the step that comes
// after ahead more steps without any use.
func (f *forecaster) estimate(l *recall, any, above uint64, ahead int) int32 {
	past := l.past << ahead
	prior := f.prior[min(since(past), 64)]
	if l.table == nil {
		return prior
	}
	var idx [inputs]int
	locate(past, any<<ahead, above<<ahead, l.gap, &idx)
	sum := 0
	for k := range idx {
		s := &l.table[idx[k]]
		q := int32(s.p) + int32(int64(prior-int32(s.p))*int64(f.trust[s.n])>>16)
		x := int32(f.stretch[min(max(q, 0), 65535)>>4])
		f.x[k], f.slots[k] = x, s
		sum += int(l.weights[k]) * int(x)
	}
	return int32(f.squash[min(max(sum>>16, -2048), 2047)+2048])
}

// learn tells l whether it is in use in the step after its past.
func (f *forecaster) learn(l *recall, any, above uint64, used bool) {
	if l.table == nil {
		return
	}
	y := int32(0)
	if used {
		y = 65535
	}
	miss := int(y - f.estimate(l, any, above, 0))
	for k := range f.slots {
		l.weights[k] += int32((miss*int(f.x[k])*learning + 1<<17) >> 18)
		s := f.slots[k]
		s.n = min(s.n+1, settled)
		s.p = uint16(int32(s.p) + int32(int64(y-int32(s.p))*int64(f.pace[s.n])>>16))
	}
}

// pass appends n steps without use.
func (l *recall) pass(n int) {
	if n > 63 {
		l.past = 0
		return
	}
	l.past <<= n
}

// use appends a step in use.
func (l *recall) use() {
	if l.uses > 0 {
		l.gap = uint8(since(l.past))
	}
	l.past = l.past<<1 | 1
	if l.uses < 2 {
		if l.uses++; l.uses == 2 {
			l.table = new([sizeAll]chanceOf)
			for k := range l.weights {
				l.weights[k] = initial
			}
		}
	}
}
