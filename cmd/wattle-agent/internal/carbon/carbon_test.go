package carbon

import (
	"math"
	"testing"
	"time"

	"github.com/wattle-project/wattle"
)

// steps is an intensity that changes each hour.
type steps struct{ begin time.Time }

func (s steps) Walk(from, to time.Time, note func(wattle.Signal)) {
	for h := s.begin; h.Before(to); h = h.Add(time.Hour) {
		if h.Add(time.Hour).After(from) {
			g := wattle.GramsPerKWh(100 * (1 + h.Sub(s.begin).Hours()))
			note(wattle.Signal{Zone: "DE", Intensity: g, From: h, To: h.Add(time.Hour), Quality: wattle.Measured})
		}
	}
}

// TestEnergyIsReckonedWhenItWasSpent: one sample over a change of intensity is
// cut there, and a later round does not change what was booked.
func TestEnergyIsReckonedWhenItWasSpent(t *testing.T) {
	begin := time.Unix(0, 0)
	b := New(steps{begin}, 1.5)
	kWh := wattle.Joules(3.6e6).Micro()
	at := func(h float64) time.Time { return begin.Add(time.Duration(h * float64(time.Hour))) }
	mean, ok := b.Add([]wattle.Sample{{From: at(0.5), To: at(1.5), Energy: 2 * kWh}}, at(1.5))
	if want := 1.5 * (100 + 200) / 2; !ok || math.Abs(float64(mean)-want) > 1e-9 {
		t.Errorf("mean intensity %g, want %g", float64(mean), want)
	}
	b.Add([]wattle.Sample{{From: at(1.5), To: at(2), Energy: kWh}, {From: at(1.5), To: at(2), Energy: kWh, Unknown: true}}, at(2))
	sum := wattle.GramsCO2e(0)
	for _, x := range b.Totals() {
		sum += x.Grams
	}
	if want := 1.5 * (100 + 200 + 200); math.Abs(float64(sum)-want) > 1e-9 {
		t.Errorf("%g g, want %g", float64(sum), want)
	}
}
