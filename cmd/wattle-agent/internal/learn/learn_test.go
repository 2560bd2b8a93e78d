package learn

import (
	"math"
	"testing"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/telemetry/attribution"
	"github.com/wattle-project/wattle/telemetry/disaggregate"
	"github.com/wattle-project/wattle/telemetry/invocations"
)

// TestLearnsFromIntervalsThatDoNotMeet: the meter's rounds begin a third of a
// second after the platform's, and a slow meter of constant power is beside it.
func TestLearnsFromIntervalsThatDoNotMeet(t *testing.T) {
	l, err := New(disaggregate.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Unix(1000, 0)
	idle := func(attribution.Zone) (wattle.Watts, bool) { return 40, true }
	power := func(s int) float64 { return 40 + 10*float64(s%4) } // 20 W per busy second
	done := 0
	for s := range 240 {
		from := begin.Add(time.Duration(s) * time.Second)
		l.Batch(Batch{From: from, To: from.Add(time.Second), Runs: []invocations.Run{{
			Key: invocations.Key{Namespace: "n", Function: "f"}, Counts: invocations.Counts{Count: float64(s%4) + 1, Seconds: float64(s%4) / 2},
		}}})
		third := time.Second / 3 // of this second's power the first part ends the round before
		l.Energy([]wattle.Sample{
			{Component: wattle.Package, Device: "package-0", From: from, To: from.Add(third), Energy: wattle.Joules(power(s) / 3).Micro()},
			{Component: wattle.Package, Device: "package-0", From: from.Add(third), To: from.Add(time.Second), Energy: wattle.Joules(power(s) * 2 / 3).Micro()},
		})
		l.Learn(from.Add(time.Second), idle, func(Done) { done++ })
	}
	if done < 235 {
		t.Errorf("%d steps were learned from, want nearly all of 240", done)
	}
	for _, e := range l.Filter().AppendEstimates(nil) {
		if e.Function == "n/f" && !e.Cold && math.Abs(e.Power.Value-20) > 1 {
			t.Errorf("%s: %.2f W per busy second, want 20", e.Function, e.Power.Value)
		}
	}
}

// TestUnknownEnergyTeachesNothing: intervals whose energy could not be told, or
// was not told at all, count their invocations and leave the powers alone.
func TestUnknownEnergyTeachesNothing(t *testing.T) {
	l, err := New(disaggregate.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Unix(1000, 0)
	idle := func(attribution.Zone) (wattle.Watts, bool) { return 40, true }
	unknown, steps, ended := 0, 0, 0.0
	l.Watch = func(s *disaggregate.Step) {
		steps++
		if s.Unknown {
			unknown++
		}
		for _, r := range s.Runs {
			ended += r.Warm
		}
	}
	for s := range 300 {
		from := begin.Add(time.Duration(s) * time.Second)
		l.Batch(Batch{From: from, To: from.Add(time.Second), Runs: []invocations.Run{{
			Key: invocations.Key{Namespace: "n", Function: "f"}, Counts: invocations.Counts{Count: 1, Seconds: float64(s%4) / 2},
		}}})
		sample := wattle.Sample{Component: wattle.Package, Device: "package-0", From: from, To: from.Add(time.Second), Energy: wattle.Joules(40 + 10*float64(s%4)).Micro()}
		switch {
		case s%5 == 1: // a register was reset
			sample.Energy, sample.Unknown = 0, true
			fallthrough
		case s%5 != 3: // or one round is missed
			l.Energy([]wattle.Sample{sample})
		}
		l.Learn(from.Add(time.Second), idle, func(Done) {})
	}
	if steps < 295 || unknown != 120 || math.Abs(ended-float64(steps)) > 1e-9 {
		t.Errorf("%d steps with %g invocations, %d of them unknown; want nearly 300 with one each, 120 unknown", steps, ended, unknown)
	}
	for _, e := range l.Filter().AppendEstimates(nil) {
		if math.Abs(e.Power.Value-20) > 0.2 {
			t.Errorf("%s: %.2f W per busy second, want 20", e.Function, e.Power.Value)
		}
	}
}

// TestSilentSourceTeachesNothing: of two gateways one does not answer now and
// then, and once for long, and tells its counts later. The other's functions do
// not pay for that, and are learned of meanwhile.
func TestSilentSourceTeachesNothing(t *testing.T) {
	l, err := New(disaggregate.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Unix(1000, 0)
	idle := func(attribution.Zone) (wattle.Watts, bool) { return 40, true }
	unknown, ended, late := 0, 0.0, invocations.Counts{}
	l.Watch = func(s *disaggregate.Step) {
		if s.Unknown {
			unknown++
		}
		for _, r := range s.Runs {
			ended += r.Warm
		}
	}
	for s := range 300 {
		from := begin.Add(time.Duration(s) * time.Second)
		a, b := float64(s%4)/2, float64(s/4%3)/2 // busy seconds
		gone := s >= 100 && s < 200
		if gone {
			b = 0
		}
		batch := Batch{From: from, To: from.Add(time.Second), Runs: []invocations.Run{{Key: invocations.Key{Namespace: "n", Function: "a"}, Counts: invocations.Counts{Count: 1, Seconds: a}}}}
		late.Count, late.Seconds = late.Count+1, late.Seconds+b
		if s%7 == 3 || gone {
			batch.Failed = 1
		} else {
			batch.Runs = append(batch.Runs, invocations.Run{Key: invocations.Key{Namespace: "n", Function: "b"}, Counts: late})
			late = invocations.Counts{}
		}
		l.Batch(batch)
		l.Energy([]wattle.Sample{{Component: wattle.Package, Device: "package-0", From: from, To: from.Add(time.Second), Energy: wattle.Joules(40 + 20*a + 10*b).Micro()}})
		l.Learn(from.Add(time.Second), idle, func(Done) {})
	}
	// 28 times for a second, each with the one after it, and a minute of the long
	// silence with the first second after it.
	if unknown != 2*28+61 || ended != 600 {
		t.Errorf("%d steps are unknown, %g invocations ended; want %d and 600", unknown, ended, 2*28+61)
	}
	for _, e := range l.Filter().AppendEstimates(nil) {
		if want := map[wattle.FunctionID]float64{"n/a": 20, "n/b": 10}[e.Function]; math.Abs(e.Power.Value-want) > 0.2 {
			t.Errorf("%s: %.2f W per busy second, want %g", e.Function, e.Power.Value, want)
		}
	}
}

func TestInboxAddsUpOverlappingSources(t *testing.T) {
	in := NewInbox()
	begin := time.Unix(1000, 0)
	run := func(count float64) []invocations.Run {
		return []invocations.Run{{Key: invocations.Key{Function: "f"}, Counts: invocations.Counts{Count: count}}}
	}
	in.Pushed(Batch{From: begin, To: begin.Add(4 * time.Second), Runs: run(8)}, begin.Add(4*time.Second))
	in.Pushed(Batch{From: begin.Add(time.Second), To: begin.Add(2 * time.Second), Runs: run(3)}, begin.Add(4*time.Second))
	var got []float64
	sum := 0.0
	for _, b := range in.Drain(begin.Add(time.Minute)) {
		got = append(got, b.Runs[0].Count)
		sum += b.Runs[0].Count
	}
	if len(got) != 4 || got[1] != 5 || math.Abs(sum-11) > 1e-9 {
		t.Errorf("seconds hold %v, want 2 5 2 2", got)
	}
}
