package lifecycle

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/wattle-project/wattle"
)

func midnight() time.Time { return time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC) }

func hourly(values ...wattle.GramsPerKWh) *Outlook {
	return &Outlook{Start: midnight(), Period: time.Hour, Values: values}
}

// hours prints a plan in hours since midnight.
func hours(plan []Stretch) string {
	out := ""
	for _, s := range plan {
		out += fmt.Sprintf("[%g,%g)", s.Start.Sub(midnight()).Hours(), s.End.Sub(midnight()).Hours())
	}
	return out
}

func TestDeferralPlans(t *testing.T) {
	at := func(h float64) time.Time { return midnight().Add(time.Duration(h * float64(time.Hour))) }
	job := func(release, length, deadline float64) Work {
		return Work{Release: at(release), Length: at(length).Sub(midnight()), Deadline: at(deadline), Interruptible: true}
	}
	nan := wattle.GramsPerKWh(math.NaN())
	day := hourly(500, 300, 400, 100, 350, 150, 600, 50)
	for _, c := range []struct {
		name, policy string
		work         Work
		outlook      *Outlook
		want         string
	}{
		{"at release", "run-now", job(1.5, 2, 8), day, "[1.5,3.5)"},
		{"first slot below", "threshold", job(0, 2, 8), day, "[3,5)"},
		{"below at once", "threshold", job(3.25, 1, 8), day, "[3.25,4.25)"},
		{"never below: maximum delay", "threshold", job(0, 1, 100), hourly(slices.Repeat([]wattle.GramsPerKWh{337}, 90)...), "[24,25)"},
		{"never below: deadline first", "threshold", job(0, 2, 5), hourly(900, 900, 900, 900, 900), "[3,5)"},
		{"nothing known: no wait", "threshold", job(0, 2, 20), hourly(nan, 0, -1), "[0,2)"},
		{"unknown is not below", "threshold", job(0, 1, 20), hourly(900, nan, 0, 150), "[3,4)"},
		{"lowest", "lowest-window", job(0, 2, 8), day, "[3,5)"},
		{"lowest before its deadline", "lowest-window", job(0, 2, 4), day, "[2,4)"},
		{"end on a boundary", "lowest-window", job(0, 1.5, 3), hourly(900, 100, 500), "[1,2.5)"},
		{"start inside a slot", "lowest-window", job(0, 1.5, 3), hourly(500, 100, 900), "[0.5,2)"},
		{"equals: the earliest", "lowest-window", job(0, 1, 6), hourly(2, 1, 3, 1, 1, 1), "[1,2)"},
		{"zero does not win", "lowest-window", job(0, 1, 4), hourly(400, 0, 300, nan), "[2,3)"},
		{"unknown is as dirty as known", "lowest-window", job(0, 1, 3), hourly(900, nan, nan), "[0,1)"},
		{"beyond the outlook", "lowest-window", job(0, 1, 30), hourly(400), "[0,1)"},
		{"no time to choose", "lowest-window", job(2, 3, 4), day, "[2,5)"},
		{"slots", "cheapest-slots", job(0, 3, 8), day, "[3,4)[5,6)[7,8)"},
		{"adjacent slots are one", "cheapest-slots", job(0, 2.5, 4), hourly(900, 10, 20, 30), "[1,3.5)"},
		{"earliest of equals", "cheapest-slots", job(0, 1.5, 4), hourly(9, 7, 7, 7), "[1,2.5)"},
		{"nothing known: slots", "cheapest-slots", job(0, 2, 9), &Outlook{}, "[0,2)"},
		// Saving 100 g in 2 h is better than 120 g in 4 h.
		{"sooner for less", "carbon-time", job(0, 1, 8), hourly(500, 400, 450, 380), "[1,2)"},
		{"worth the wait", "carbon-time", job(0, 1, 8), hourly(500, 400, 450, 200), "[3,4)"},
		{"nothing to save", "carbon-time", job(0, 1, 8), hourly(100, 400, 450, 200), "[0,1)"},
	} {
		d, err := NewDeferral(c.policy, DefaultDeferralConfig())
		if err != nil {
			t.Fatal(err)
		}
		if got := hours(d.Plan(nil, &c.work, c.outlook)); got != c.want {
			t.Errorf("%s: %s: %s, want %s", c.policy, c.name, got, c.want)
		}
	}
	whole := job(0, 3, 8)
	whole.Interruptible = false
	slots, _ := NewDeferral("cheapest-slots", DefaultDeferralConfig())
	if got := hours(slots.Plan(nil, &whole, day)); got != "[3,6)" {
		t.Errorf("work that cannot be interrupted runs in %s", got)
	}
}

func drawWork(t *rapid.T) (Work, *Outlook) {
	minutes := func(low, high int, name string) time.Duration {
		return time.Duration(rapid.IntRange(low, high).Draw(t, name)) * time.Minute
	}
	o := &Outlook{Start: midnight().Add(minutes(-100, 100, "start")), Period: minutes(1, 90, "period")}
	for range rapid.IntRange(0, 20).Draw(t, "slots") {
		o.Values = append(o.Values, wattle.GramsPerKWh(rapid.SampledFrom([]float64{0, 1, 20, 35, 180, 220, 400, 999, math.NaN()}).Draw(t, "value")))
	}
	w := Work{Release: midnight().Add(minutes(0, 60, "release")), Length: minutes(0, 300, "length"), Interruptible: rapid.Bool().Draw(t, "interruptible")}
	w.Deadline = w.Release.Add(minutes(0, 1500, "window"))
	return w, o
}

// Every plan is as long as the work, in order and inside the window; none of
// the searching policies finds less than a search over every minute.
func TestDeferralPlansAreSoundAndLeast(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, o := drawWork(t)
		var c course
		c.lay(o, w.Release, w.Deadline)
		carbon := func(plan []Stretch) (sum float64) {
			for _, s := range plan {
				sum += c.until(s.End) - c.until(s.Start)
			}
			return sum
		}
		fits := w.Deadline.Sub(w.Release) >= w.Length
		least, rate := math.Inf(1), 0.0
		now := carbon([]Stretch{{w.Release, w.Release.Add(w.Length)}})
		for s := w.Release; !s.After(w.latest()); s = s.Add(time.Minute) {
			x := carbon([]Stretch{{s, s.Add(w.Length)}})
			least = min(least, x)
			if d := s.Add(w.Length).Sub(w.Release).Hours(); d > 0 {
				rate = max(rate, (now-x)/d)
			}
		}
		got := map[string]float64{}
		for _, name := range DeferralNames() {
			d, err := NewDeferral(name, DefaultDeferralConfig())
			if err != nil {
				t.Fatal(err)
			}
			plan := d.Plan(nil, &w, o)
			sum, end := time.Duration(0), w.Release
			for _, s := range plan {
				if s.Start.Before(end) || s.End.Before(s.Start) || fits && s.End.After(w.Deadline) {
					t.Fatalf("%s: unsound plan %s", name, hours(plan))
				}
				sum, end = sum+s.End.Sub(s.Start), s.End
			}
			if sum != w.Length || !w.Interruptible && len(plan) != 1 {
				t.Fatalf("%s: %s is not %s of work", name, hours(plan), w.Length)
			}
			got[name] = carbon(plan)
			if r := (now - got[name]) / max(end.Sub(w.Release).Hours(), 1e-9); name == "carbon-time" && r < rate-1e-6*max(rate, 1) {
				t.Fatalf("carbon-time saves %g an hour, %g is possible", r, rate)
			}
		}
		if got["lowest-window"] > least+1e-6 || got["cheapest-slots"] > got["lowest-window"]+1e-6 {
			t.Fatalf("least %g, plans %v", least, got)
		}
	})
}

func TestDeferralSettings(t *testing.T) {
	for name, c := range map[string]DeferralConfig{"zero": {}, "negative delay": {Threshold: 100, MaxDelay: -1}, "beyond": {Threshold: 4000}} {
		if _, err := NewDeferral("run-now", c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := NewDeferral("later", DefaultDeferralConfig()); err == nil {
		t.Error("an unknown name is accepted")
	}
}

func ExampleDeferral() {
	at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	o := &Outlook{Start: at, Period: time.Hour, Values: []wattle.GramsPerKWh{500, 300, 400, 100, 350}}
	w := &Work{Release: at, Deadline: at.Add(5 * time.Hour), Length: 2 * time.Hour, Interruptible: true}
	for _, name := range DeferralNames() {
		d, _ := NewDeferral(name, DefaultDeferralConfig())
		fmt.Print(name, ":")
		for _, s := range d.Plan(nil, w, o) {
			fmt.Print(" ", s.Start.Format("15:04"), "–", s.End.Format("15:04"))
		}
		fmt.Println()
	}
	// Output:
	// carbon-time: 02:00–04:00
	// cheapest-slots: 01:00–02:00 03:00–04:00
	// lowest-window: 03:00–05:00
	// run-now: 00:00–02:00
	// threshold: 03:00–05:00
}

func benchmarkDeferral(b *testing.B, name string) {
	o := hourly()
	for i := range 7 * 24 {
		o.Values = append(o.Values, wattle.GramsPerKWh(300+200*math.Sin(float64(i)/24*2*math.Pi)+float64(i%7)))
	}
	w := &Work{Release: midnight().Add(30 * time.Minute), Length: 6 * time.Hour, Deadline: midnight().Add(30*time.Hour + time.Minute), Interruptible: true}
	d, err := NewDeferral(name, DefaultDeferralConfig())
	if err != nil {
		b.Fatal(err)
	}
	plan := d.Plan(nil, w, o)
	b.ReportAllocs()
	for b.Loop() {
		plan = d.Plan(plan[:0], w, o)
	}
	if n := testing.AllocsPerRun(10, func() { plan = d.Plan(plan[:0], w, o) }); n > 0 {
		b.Fatalf("%g allocations", n)
	}
}

func BenchmarkDeferral(b *testing.B) {
	for _, name := range DeferralNames() {
		b.Run(name, func(b *testing.B) { benchmarkDeferral(b, name) })
	}
}
