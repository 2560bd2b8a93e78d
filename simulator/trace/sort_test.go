package trace

import (
	"cmp"
	"fmt"
	"slices"
	"testing"

	"github.com/wattle-project/wattle/simulator/workload/random"
	"pgregory.net/rapid"
)

func TestSortIsStableAndSorts(t *testing.T) {
	var s Sorter
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.SampledFrom([]int{0, 1, 2, 47, 48, 700, 1535, 1536, 5000}).Draw(t, "n")
		span := rapid.SampledFrom([]uint64{1, 3, 1000, uint64(window)}).Draw(t, "span")
		origin := int64(rapid.IntRange(0, 100).Draw(t, "minute")) * window
		r := random.New(rapid.Uint64().Draw(t, "seed"), "sort")
		a := make([]Arrival, n)
		for i := range a {
			a[i] = Arrival{At: origin + int64(r.Below(span)), Function: int32(i)}
		}
		want := slices.Clone(a)
		slices.SortStableFunc(want, func(x, y Arrival) int { return cmp.Compare(x.At, y.At) })
		if s.Sort(a, origin); !slices.Equal(a, want) {
			t.Fatalf("%d arrivals over %d ns are out of order", n, span)
		}
	})
}

func TestSparseKeepsCounts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		count := rapid.OneOf(rapid.Just(uint64(0)), rapid.Uint64Range(0, 20), rapid.Uint64Range(0, maxCount))
		rows := rapid.SliceOfN(rapid.SliceOfN(count, 0, 120), 1, 5).Draw(t, "rows")
		var s sparse
		for _, row := range rows {
			w := s.row()
			for _, n := range row {
				w.add(n)
			}
			w.close()
		}
		order := []int32{int32(len(rows)) - 1, 0}
		kept := s.keep(order)
		for i, r := range order {
			got := make([]uint64, len(rows[r]))
			for c := kept.cursor(i); c.next(&kept, i); {
				got[c.minute] = uint64(c.count)
			}
			if !slices.Equal(got, rows[r]) {
				t.Fatalf("row %d reads %v, want %v", r, got, rows[r])
			}
		}
	})
}

func TestPercentilesHaveMeanOne(t *testing.T) {
	p := percentiles{1, 2, 10, 20, 40, 300, 900}
	if !p.unit() {
		t.Fatal("no mean")
	}
	r := random.New(1, "p")
	sum, last := 0.0, 0.0
	const n = 200_000
	for i := range n {
		sum += p.at(r.Float64())
		if q := p.at((float64(i) + 0.5) / n); q < last {
			t.Fatalf("the quantile falls at %d", i)
		} else {
			last = q
		}
	}
	if mean := sum / n; mean < 0.98 || mean > 1.02 {
		t.Fatalf("mean %g, want 1", mean)
	}
	if zero := (percentiles{}); zero.unit() {
		t.Fatal("a distribution of zeros has no unit mean")
	}
}

// Arrivals of one minute, uniform; each iteration is one arrival.
func BenchmarkSort(b *testing.B) {
	for _, n := range []int{100, 700, 7_000, 70_000} {
		b.Run(fmt.Sprint("arrivals=", n), func(b *testing.B) {
			var s Sorter
			r := random.New(1, "sort")
			from, a := make([]Arrival, n), make([]Arrival, n)
			for i := range from {
				from[i] = Arrival{At: int64(r.Below(uint64(window))), Function: int32(i)}
			}
			b.ReportAllocs()
			for i := 0; i < b.N; i += n {
				copy(a, from)
				s.Sort(a, 0)
			}
		})
	}
}
