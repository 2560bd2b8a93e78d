package scheduler

import (
	"cmp"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// Sorting by hand is sorting.
func TestRanksAreSorted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var x scratch
		for range 2 { // the second time in the memory of the first
			n := rapid.IntRange(0, 100).Draw(t, "n")
			x.ranks = x.ranks[:0]
			for i := range n {
				x.ranks = append(x.ranks, rank{g: rapid.Uint64Range(0, 9).Draw(t, "g"), row: uint32(rapid.Permutation([]int{0, 1, 2}).Draw(t, "tie")[0]*1000 + i)})
			}
			want := slices.Clone(x.ranks)
			slices.SortFunc(want, func(a, b rank) int { return cmp.Or(cmp.Compare(a.g, b.g), cmp.Compare(a.row, b.row)) })
			if x.sort(); !slices.Equal(x.ranks, want) {
				t.Fatalf("got %v, want %v", x.ranks, want)
			}
		}
	})
}

func TestOrdinalsKeepTheOrderOfFloats(t *testing.T) {
	values := []float64{math.Inf(-1), -1e300, -2, -1, -5e-324, 0, 5e-324, 1e-9, 1, 2, 1e300, math.Inf(1), math.NaN()}
	for i := 1; i < len(values); i++ {
		if ordinal(values[i-1]) >= ordinal(values[i]) {
			t.Errorf("%g is not before %g", values[i-1], values[i])
		}
	}
	if ordinal(math.Copysign(0, -1)) != ordinal(0) || ordinal(-math.NaN()) != ordinal(math.NaN()) {
		t.Error("zeros or NaNs differ by their sign")
	}
}
