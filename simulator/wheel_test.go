package simulator

import (
	"math"
	"math/big"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// instant draws times at every scale of the wheel: this tick, block, round, and far beyond.
func instant(t *rapid.T, from int64) int64 {
	bits := rapid.IntRange(0, 57).Draw(t, "bits")
	return from + rapid.Int64Range(0, 1<<bits).Draw(t, "after")
}

// The wheel hands out events in exactly the order of a sorted list, whatever
// their distance and however many share an instant.
func TestWheelKeepsTheOrderOfASortedList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWheel()
		var pending []event
		var now int64
		var id uint64
		push := func(at int64) {
			id++
			e := event{at: at, id: id, kind: rapid.SampledFrom([]kind{finished, expiry}).Draw(t, "kind")}
			w.push(e)
			i, _ := slices.BinarySearchFunc(pending, e, func(a, b event) int {
				if a.before(&b) {
					return -1
				}
				return 1
			})
			pending = slices.Insert(pending, i, e)
		}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			for range rapid.IntRange(0, 6).Draw(t, "pushes") {
				at := instant(t, now)
				for range rapid.IntRange(1, 3).Draw(t, "same") {
					push(at)
				}
			}
			to, k := instant(t, now), rapid.SampledFrom([]kind{finished, arrival, expiry}).Draw(t, "limit")
			if to-now > 1<<52 {
				to = now + 1<<52 // a walk over empty years is slow, and told elsewhere
			}
			limit := event{at: to, kind: k}
			for {
				e, ok := w.next(to, k)
				want := len(pending) > 0 && pending[0].before(&limit)
				if ok != want {
					t.Fatalf("next(%d, %d) = %v, want %v", to, k, ok, want)
				}
				if !ok {
					break
				}
				if e != pending[0] {
					t.Fatalf("got %+v, want %+v", e, pending[0])
				}
				pending = pending[1:]
				if now = e.at; rapid.IntRange(0, 3).Draw(t, "more") == 0 {
					push(instant(t, now))
				}
			}
			now = to
		}
		if w.count != len(pending) {
			t.Fatalf("%d events counted, %d pending", w.count, len(pending))
		}
	})
}

func TestWheelReachesEventsYearsAhead(t *testing.T) {
	w := newWheel()
	var want []int64
	for _, d := range []time.Duration{52 * 24 * time.Hour, 53 * 24 * time.Hour, 54 * 24 * time.Hour, 105 * 24 * time.Hour, 400 * 24 * time.Hour} {
		want = append(want, int64(d))
		w.push(event{at: int64(d), kind: expiry, id: uint64(d)})
	}
	for _, at := range want {
		e, ok := w.next(math.MaxInt64>>1, finished)
		if !ok || e.at != at {
			t.Fatalf("got %v %v, want %v", time.Duration(e.at), ok, time.Duration(at))
		}
	}
}

func TestMuldivIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := rapid.Uint64Min(1).Draw(t, "c")
		b := rapid.Uint64Range(0, c).Draw(t, "b") // so that the result fits
		a := rapid.Uint64().Draw(t, "a")
		n := new(big.Int).Mul(new(big.Int).SetUint64(a), new(big.Int).SetUint64(b))
		if want := n.Div(n, new(big.Int).SetUint64(c)).Uint64(); muldiv(a, b, c) != want {
			t.Fatalf("%d·%d/%d = %d, want %d", a, b, c, muldiv(a, b, c), want)
		}
	})
}

func TestHistogramQuantilesAreWithinAPercent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var h Histogram
		values := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) time.Duration {
			return time.Duration(rapid.Int64Range(0, 1<<rapid.IntRange(0, 62).Draw(t, "bits")).Draw(t, "ns"))
		}), 1, 300).Draw(t, "values")
		var sum int64
		for _, v := range values {
			h.Add(v)
			sum += int64(v / time.Microsecond)
		}
		slices.Sort(values)
		q := rapid.Float64Range(0, 1).Draw(t, "q")
		want := float64(values[int(q*float64(len(values)-1))] / time.Microsecond)
		got := float64(h.Quantile(q) / time.Microsecond)
		if math.Abs(got-want) > 0.008*want {
			t.Fatalf("quantile %g is %g µs, want %g µs", q, got, want)
		}
		if h.Count() != int64(len(values)) {
			t.Fatalf("%d counted", h.Count())
		}
		if sum < math.MaxInt64/1000 && h.Sum() != time.Duration(sum)*time.Microsecond {
			t.Fatalf("sum %s, want %d µs", h.Sum(), sum)
		}
	})
	var h Histogram
	h.Add(-time.Second)
	if h.Quantile(1) != 0 || h.Mean() != 0 {
		t.Error("a negative duration counts as something")
	}
}

// A ring that grows keeps its order.
func TestFifoIsFirstInFirstOut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var q fifo
		var want []uint64
		next := uint64(0)
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			if q.n > 0 && rapid.Bool().Draw(t, "pop") {
				if q.peek().seq != want[0] {
					t.Fatalf("got %d, want %d", q.peek().seq, want[0])
				}
				q.pop()
				want = want[1:]
				continue
			}
			next++
			q.push(waiting{seq: next})
			want = append(want, next)
		}
		if q.n != len(want) {
			t.Fatalf("%d in the ring, want %d", q.n, len(want))
		}
	})
}
