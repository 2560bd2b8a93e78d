package emissions

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

// feed tells what it holds, whatever is asked.
type feed struct{ signals []wattle.Signal }

func (f *feed) Walk(_, _ time.Time, note func(wattle.Signal)) {
	for _, s := range f.signals {
		note(s)
	}
}

// rounds adds one kWh per second of [from, to) seconds and reports the last answer.
func rounds(b *Book, from, to int) (mean wattle.GramsPerKWh, ok bool) {
	for i := from; i < to; i++ {
		s := wattle.Sample{From: time.Unix(int64(i), 0), To: time.Unix(int64(i+1), 0), Energy: wattle.Joules(3.6e6).Micro()}
		mean, ok = b.Add([]wattle.Sample{s}, s.To)
	}
	return mean, ok
}

func zone(intensity wattle.GramsPerKWh, q wattle.Quality) wattle.Signal {
	return wattle.Signal{Zone: "DE", Intensity: intensity, Quality: q, From: time.Unix(0, 0), To: time.Unix(7200, 0)}
}

// TestEnergyWaitsForMoreThanAPrior: what was spent before the first answer of a
// feed is reckoned with that answer.
func TestEnergyWaitsForMoreThanAPrior(t *testing.T) {
	for name, first := range map[string][]wattle.Signal{"nothing": nil, "a prior": {zone(475, wattle.Prior)}} {
		f := &feed{first}
		b := New(f, 1)
		if _, ok := rounds(b, 0, 5); ok || len(b.Totals()) > 0 || b.Waiting() != wattle.Joules(5*3.6e6).Micro() {
			t.Errorf("%s: ok %v, totals %v, waiting %s", name, ok, b.Totals(), b.Waiting())
		}
		f.signals = []wattle.Signal{zone(50, wattle.Measured)}
		mean, ok := rounds(b, 5, 6)
		if x := b.Totals(); !ok || mean != 50 || len(x) != 1 || x[0].Quality != wattle.Measured || math.Abs(float64(x[0].Grams)-300) > 1e-9 || b.Waiting() != 0 {
			t.Errorf("%s: mean %g, ok %v, totals %v", name, float64(mean), ok, x)
		}
	}
}

// TestPatienceEnds: a zone of which nothing is ever known costs the prior, for
// the node and for those who share, and says so.
func TestPatienceEnds(t *testing.T) {
	b, shared := New(&feed{}, 2), wattle.GramsCO2e(0)
	paid := 0
	for i := range 3 * int(Patience/time.Second) {
		if mean, ok := rounds(b, i, i+1); ok {
			shared += wattle.Joules(float64(i+1-paid) * 3.6e6).At(mean)
			paid = i + 1
		}
	}
	x := b.Totals()
	want := 2 * float64(wattle.UnknownIntensity) * float64(paid)
	if len(x) != 1 || x[0].Quality != wattle.Prior || math.Abs(float64(x[0].Grams)/want-1) > 1e-9 || math.Abs(float64(shared)/want-1) > 1e-9 {
		t.Errorf("totals %v, shared %g, want %g", x, float64(shared), want)
	}
	if paid < 2*int(Patience/time.Second) {
		t.Errorf("only %d s of %d are paid for", paid, 3*int(Patience/time.Second))
	}
}
