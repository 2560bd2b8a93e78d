package experiment

import (
	"math"
	"testing"
)

// The quantiles 4.302653 (2 degrees of freedom) and 2.776445 (4) are those of
// printed tables of Student's t.
func TestIntervalsAreStudents(t *testing.T) {
	for _, c := range []struct {
		values     []float64
		mean, half float64
	}{
		{[]float64{1, 2, 3}, 2, 4.302653 / math.Sqrt(3)},
		{[]float64{2, 4, 4, 4, 6}, 4, 2.776445 * math.Sqrt(2.0/5)},
	} {
		x := interval(c.values)
		if math.Abs(x.Mean-c.mean) > 1e-12 || math.Abs(x.Hi-c.mean-c.half) > 1e-5 || math.Abs(c.mean-c.half-x.Lo) > 1e-5 {
			t.Errorf("%v: %+v, want %g ± %g", c.values, *x, c.mean, c.half)
		}
	}
	if intervals(make([]Outcome, 1)) != nil {
		t.Error("one seed has an interval")
	}
}
