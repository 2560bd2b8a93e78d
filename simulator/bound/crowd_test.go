package bound

import (
	"math"
	"math/rand/v2"
	"testing"
)

// least tries every choice of waits that fits into the room of both resources at
// every moment.
func least(w *crowd, v weights) float64 {
	best := math.Inf(1)
	for mask := range 1 << len(w.stays) {
		cost, ok := 0.0, true
		kept := func(i int) bool { return mask>>i&1 == 1 }
		for i := range w.stays {
			s := &w.stays[i]
			if ok = ok && (!kept(i) || s.found); kept(i) {
				cost += v.grams * s.together
			} else {
				cost += v.grams*s.apart + v.seconds*w.starts[s.fn]
			}
		}
		for i := range w.stays {
			for r := range w.room {
				used := 0.0
				for j := range w.stays {
					s, t := &w.stays[j], w.stays[i].at
					if s.at <= t && t < s.end || kept(j) && s.since <= t && t < s.at {
						used += w.needs[r][s.fn]
					}
				}
				ok = ok && used <= w.room[r]+1e-9
			}
		}
		if ok {
			best = min(best, cost)
		}
	}
	return best
}

// The toll of a crowd encloses the least that any choice of waits takes, with one
// resource or both.
func TestTollEnclosesTheLeast(t *testing.T) {
	r, bound, tight := rand.New(rand.NewPCG(5, 6)), 0, 0
	for n := range 3000 {
		w := &crowd{horizon: 2_000_000}
		one := r.IntN(2) == 0
		for range 3 {
			cpu, memory := float64(1+r.IntN(4)), float64(1+r.IntN(4))
			if one {
				memory = 0
			}
			w.needs[0], w.needs[1], w.starts = append(w.needs[0], cpu), append(w.needs[1], memory), append(w.starts, r.Float64())
		}
		last := map[int32]int64{}
		for at := int64(0); len(w.stays) < 8; at += int64(r.IntN(150_000)) {
			s := stay{at: at, end: at + int64(r.IntN(20_000)), fn: int32(r.IntN(3))}
			s.apart, s.together = r.Float64(), r.Float64()*0.8
			if end, ok := last[s.fn]; ok && end <= at {
				s.since, s.found = end, true
			}
			last[s.fn] = s.end
			w.stays = append(w.stays, s)
		}
		w.room = [2]float64{float64(4 + r.IntN(8)), float64(4 + r.IntN(8))}
		for _, v := range []weights{{1, 0}, {1, 0.5}, {0, 1}} {
			want := least(w, v)
			got, err := w.toll(v)
			if err != nil {
				t.Fatal(err)
			}
			if math.IsInf(want, 1) {
				continue // not even what runs fits
			}
			if got.low > want+1e-9 || got.high < want-1e-9 {
				t.Fatalf("case %d: [%g, %g] does not enclose the least %g", n, got.low, got.high, want)
			}
			bound++
			if got.high-got.low < 1e-6 {
				tight++
			}
		}
	}
	t.Logf("%d tolls, %d without a gap", bound, tight)
	if tight < bound/2 {
		t.Errorf("only %d of %d tolls have no gap", tight, bound)
	}
}
