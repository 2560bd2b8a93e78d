package rapl

import (
	"time"

	"github.com/wattle-project/wattle/telemetry"
)

// Verdicts on a die beyond the first of its package.
type verdict uint8

const (
	pending verdict = iota
	distinct
	mirrored
)

// Tolerances of the comparison. A register that is read twice within
// microseconds may move once in between (about 1 ms of energy).
const (
	mirrorTolerance = 0.001 // on the sum of all samples
	clearDifference = 0.02  // on one sample: two registers for certain
	mirrorInterval  = 100 * time.Millisecond
)

// mirrors finds dies whose register repeats that of the first die of their
// package: some AMD processors show one package register on every die. Until
// the verdict a further die is listed as overlapping, because joules that are
// counted twice cannot be taken back.
type mirrors struct {
	need int
	dies map[identity]*twin
}

// twin compares one die with the first of its package.
type twin struct {
	verdict    verdict
	last       time.Time
	own, first uint64 // registers at last
	sumOwn     float64
	sumFirst   float64
	samples    int
}

func dieOf(p identity) identity { return identity{p.pkg, p.die, ""} }

// undecided reports whether p belongs to a die that may be a mirror.
func (m *mirrors) undecided(p identity) bool {
	if p.die <= 0 {
		return false
	}
	if m.dies == nil {
		m.dies = map[identity]*twin{}
	}
	t := m.dies[dieOf(p)]
	if t == nil {
		t = &twin{}
		m.dies[dieOf(p)] = t
	}
	return t.verdict == pending
}

func (m *mirrors) dropped(p identity) bool {
	t := m.dies[dieOf(p)]
	return t != nil && t.verdict == mirrored
}

// observe compares the registers of one Read and reports whether a verdict fell.
func (m *mirrors) observe(zones []telemetry.Zone, regs []*register, readings []telemetry.Reading) bool {
	if len(m.dies) == 0 {
		return false
	}
	fell := false
	for i, g := range regs {
		t := m.dies[g.place]
		if t == nil || t.verdict != pending || g.place.domain != "" {
			continue
		}
		f := firstDie(regs, g.place)
		if f == i {
			t.verdict, fell = distinct, true // nothing to mirror
			continue
		}
		if readings[i].Err == nil && readings[f].Err == nil {
			t.add(readings[i], readings[f], zones[i].Range, zones[f].Range, m.need)
			fell = fell || t.verdict != pending
		}
	}
	return fell
}

func firstDie(regs []*register, p identity) int {
	for i, g := range regs {
		if g.place.pkg == p.pkg && g.place.domain == "" {
			return i
		}
	}
	return -1
}

// add takes one pair of readings.
func (t *twin) add(own, first telemetry.Reading, ownRange, firstRange uint64, need int) {
	started := !t.last.IsZero()
	if started && own.At.Sub(t.last) < mirrorInterval {
		return
	}
	a, b := grown(t.own, own.Energy, ownRange), grown(t.first, first.Energy, firstRange)
	t.last, t.own, t.first = own.At, own.Energy, first.Energy
	if !started || a == 0 && b == 0 {
		return
	}
	if apart(a, b) > clearDifference {
		t.verdict = distinct
		return
	}
	t.sumOwn, t.sumFirst, t.samples = t.sumOwn+a, t.sumFirst+b, t.samples+1
	if t.samples < need {
		return
	}
	t.verdict = distinct
	if apart(t.sumOwn, t.sumFirst) <= mirrorTolerance {
		t.verdict = mirrored
	}
}

// grown is the growth of a register that may have wrapped.
func grown(from, to, span uint64) float64 {
	if to < from {
		return float64(span - from + to + 1)
	}
	return float64(to - from)
}

// apart is the difference of a and b relative to the larger.
func apart(a, b float64) float64 {
	if a == b {
		return 0
	}
	return (max(a, b) - min(a, b)) / max(a, b)
}
