package minute

import (
	"testing"

	"github.com/wattle-project/wattle/simulator/bound"
)

// TestMemoryCapOfTheDay bounds EcoLife's day when idle copies share little
// memory, and holds the duality gap to half a per cent of the bound.
func TestMemoryCapOfTheDay(t *testing.T) {
	r := replay(t, day(t, "US-CAL-CISO", "i3", "m5zn"))
	space := bound.Space{Rate: 0.005}
	holds, base, err := r.Holds(traces(t, dayMinutes), space)
	if err != nil {
		t.Fatal(err)
	}
	free, err := r.Bound(traces(t, dayMinutes), space)
	if err != nil {
		t.Fatal(err)
	}
	alone := float64(base.Grams() + space.Rate.For(base.Seconds))
	least := float64(free.Grams() + space.Rate.For(free.Seconds))
	for _, gb := range []float64{20} {
		b, err := bound.Capped(holds, gb, DefaultConfig().Minutes, bound.DefaultCapConfig())
		if err != nil {
			t.Fatal(err)
		}
		low, high := alone-b.Upper, alone-b.Lower
		t.Logf("%g GB: bound %.1f g, feasible %.1f g, gap %.3f %%; without cap %.1f g, nothing kept %.1f g", gb, low, high, 100*(high/low-1), least, alone)
		if high/low-1 > 0.005 || low < least*(1-1e-9) {
			t.Errorf("%g GB: [%g, %g] g, want a gap of at most 0.5 %% above %g g", gb, low, high, least)
		}
	}
}
