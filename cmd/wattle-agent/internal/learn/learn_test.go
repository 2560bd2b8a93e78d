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

func newLearner(t *testing.T) *Learner {
	t.Helper()
	l, err := New(disaggregate.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// TestLearnsFromIntervalsThatDoNotMeet: the meter's rounds begin a third of a
// second after the platform's, and a slow meter of constant power is beside it.
func TestLearnsFromIntervalsThatDoNotMeet(t *testing.T) {
	l := newLearner(t)
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
	l := newLearner(t)
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
	t.Run("scraped", func(t *testing.T) { silentSource(t, nil) })
	t.Run("beside what is pushed", func(t *testing.T) { silentSource(t, NewInbox()) })
}

// silentSource gives the batches to the learner, or to an inbox where others push.
func silentSource(t *testing.T, in *Inbox) {
	l := newLearner(t)
	begin := time.Unix(1000, 0)
	idle := func(attribution.Zone) (wattle.Watts, bool) { return 40, true }
	unknown, ended, late := 0, 0.0, invocations.Counts{}
	l.Watch = func(s *disaggregate.Step) {
		if s.Unknown {
			unknown++
		}
		for _, r := range s.Runs {
			if r.Function != "n/c" {
				ended += r.Warm
			}
		}
	}
	behind := false
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
			batch.Failed, behind = 1, true
		} else {
			batch.Late, behind = behind, false
			batch.Runs = append(batch.Runs, invocations.Run{Key: invocations.Key{Namespace: "n", Function: "b"}, Counts: late})
			late = invocations.Counts{}
		}
		c := 0.0
		if in == nil {
			l.Batch(batch)
		} else {
			c = float64(s%5) / 4
			in.Scraped(batch)
			in.Pushed(Batch{From: from, To: from.Add(time.Second), Runs: []invocations.Run{{Key: invocations.Key{Namespace: "n", Function: "c"}, Counts: invocations.Counts{Count: 1, Seconds: c}}}}, from.Add(time.Second))
			for _, b := range in.Drain(from.Add(time.Second + time.Duration(s/299)*time.Minute)) {
				l.Batch(b)
			}
		}
		energy := wattle.Joules(40 + 20*a + 10*b + 5*c)
		l.Energy([]wattle.Sample{{Component: wattle.Package, Device: "package-0", From: from, To: from.Add(time.Second), Energy: energy.Micro()}})
		l.Learn(from.Add(time.Second), idle, func(Done) {})
	}
	// 28 times for a second, each with the one after it, and a minute of the long
	// silence with the first second after it.
	if unknown != 2*28+61 || ended != 600 {
		t.Errorf("%d steps are unknown, %g invocations ended; want %d and 600", unknown, ended, 2*28+61)
	}
	for _, e := range l.Filter().AppendEstimates(nil) {
		if want := map[wattle.FunctionID]float64{"n/a": 20, "n/b": 10, "n/c": 5}[e.Function]; math.Abs(e.Power.Value-want) > 0.2 {
			t.Errorf("%s: %.2f W per busy second, want %g", e.Function, e.Power.Value, want)
		}
	}
}

// TestLateCountsTeachNothing: somebody pushes now and then what ran in seconds
// that were given on already.
func TestLateCountsTeachNothing(t *testing.T) {
	l := newLearner(t)
	begin := time.Unix(1000, 0)
	idle := func(attribution.Zone) (wattle.Watts, bool) { return 40, true }
	ended := 0.0
	l.Watch = func(s *disaggregate.Step) {
		for _, r := range s.Runs {
			ended += r.Warm
		}
	}
	for s := range 300 {
		from := begin.Add(time.Duration(s) * time.Second)
		c := invocations.Counts{Count: 1, Seconds: float64(s%4) / 2}
		late := s%10 == 9
		if late {
			c = invocations.Counts{Count: 6, Seconds: c.Seconds + 3}
		}
		l.Batch(Batch{From: from, To: from.Add(time.Second), Late: late, Runs: []invocations.Run{{Key: invocations.Key{Namespace: "n", Function: "f"}, Counts: c}}})
		l.Energy([]wattle.Sample{{Component: wattle.Package, Device: "package-0", From: from, To: from.Add(time.Second), Energy: wattle.Joules(40 + 20*float64(s%4)/2).Micro()}})
		l.Learn(from.Add(time.Second), idle, func(Done) {})
	}
	if ended != 300+5*30 {
		t.Errorf("%g invocations ended, want 450", ended)
	}
	for _, e := range l.Filter().AppendEstimates(nil) {
		if math.Abs(e.Power.Value-20) > 0.2 {
			t.Errorf("%s: %.2f W per busy second, want 20", e.Function, e.Power.Value)
		}
	}
}

// TestInboxOfAScraperWithoutAnswers: while one of several sources is gone, all of
// them falling silent is another matter.
func TestInboxOfAScraperWithoutAnswers(t *testing.T) {
	in := NewInbox()
	at := func(second int) time.Time { return time.Unix(1000+int64(second), 0) }
	for s := range 20 {
		in.Pushed(Batch{From: at(s), To: at(s + 1)}, at(s+1))
		if s < 10 {
			in.Scraped(Batch{From: at(s), To: at(s + 1), Failed: 1})
		}
	}
	for s, b := range in.Drain(at(60)) {
		if want := 1 + s/10; b.Failed != want {
			t.Errorf("second %d: %d sources did not answer, want %d", s, b.Failed, want)
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
		if b.Failed != 0 || b.Late {
			t.Errorf("second %s: %+v, but nobody was asked who did not answer", b.From, b)
		}
		got = append(got, b.Runs[0].Count)
		sum += b.Runs[0].Count
	}
	if len(got) != 4 || got[1] != 5 || math.Abs(sum-11) > 1e-9 {
		t.Errorf("seconds hold %v, want 2 5 2 2", got)
	}
}

// TestInboxSaysWhatIsMissing: once counts are pushed too, the seconds for which
// the scraper has not told all, or tells what it counted before, are marked.
func TestInboxSaysWhatIsMissing(t *testing.T) {
	in := NewInbox()
	begin := time.Unix(1000, 0)
	at := func(seconds float64) time.Time { return begin.Add(time.Duration(seconds * float64(time.Second))) }
	run := func(count float64) []invocations.Run {
		return []invocations.Run{{Key: invocations.Key{Function: "f"}, Counts: invocations.Counts{Count: count}}}
	}
	type seen struct {
		failed int
		late   bool
	}
	var got []seen
	sum, second := 0.0, 0
	scrapes := map[int]Batch{ // by the second in which they come
		1: {From: at(0.3), To: at(1.3)}, 2: {From: at(1.3), To: at(2.3)},
		3: {From: at(2.3), To: at(3.3), Failed: 1}, 4: {From: at(3.3), To: at(4.3), Late: true},
		5: {From: at(4.3), To: at(5.3)}, 12: {From: at(5.3), To: at(12.3)}, // nobody answered in between
		13: {From: at(12.3), To: at(13.3)}, 14: {From: at(13.3), To: at(14.3)},
	}
	for s := range 40 {
		in.Pushed(Batch{From: at(float64(s)), To: at(float64(s) + 0.2), Runs: run(1)}, at(float64(s)+0.2))
		if b, ok := scrapes[s]; ok {
			b.Runs = run(b.To.Sub(b.From).Seconds())
			in.Scraped(b)
		}
		for _, b := range in.Drain(at(float64(s) + 0.5)) {
			if !b.From.Equal(at(float64(second))) || b.To.Sub(b.From) != time.Second {
				t.Fatalf("second %d is from %s to %s", second, b.From, b.To)
			}
			got = append(got, seen{b.Failed, b.Late})
			for _, r := range b.Runs {
				sum += r.Count
			}
			second++
		}
	}
	want := []seen{
		0: {0, false}, 1: {0, false}, 2: {1, false}, 3: {1, true}, 4: {0, true}, 5: {1, false},
		6: {1, false}, 7: {1, false}, 8: {1, false}, // told of too late
		9:  {0, true}, // where that stands
		10: {0, false}, 11: {0, false}, 12: {0, false}, 13: {0, false}, 14: {1, false}, 15: {1, false},
	}
	for s := range min(len(got), len(want)) {
		if got[s] != want[s] {
			t.Errorf("second %d: %+v, want %+v", s, got[s], want[s])
		}
	}
	if len(got) < len(want) || math.Abs(sum-float64(len(got))-14) > 1e-9 {
		t.Errorf("%d seconds with %g invocations, want 14 more than seconds", len(got), sum)
	}
}

// TestInboxLosesNothing: all that is told of runs comes out, also of pushes that
// come an hour late, which are waited for no longer than for two minutes.
func TestInboxLosesNothing(t *testing.T) {
	in := NewInbox()
	at := func(second int) time.Time { return time.Unix(10000+int64(second), 0) }
	want := invocations.Counts{Count: 7, Seconds: 5, Cold: 2, ColdSeconds: 3, Untold: 4}
	runs := []invocations.Run{{Key: invocations.Key{Function: "f"}, Counts: want}}
	in.Pushed(Batch{From: at(0), To: at(3600), Runs: runs}, at(3600))
	in.Pushed(Batch{From: at(3599), To: at(3600), Runs: runs}, at(3600))
	var got invocations.Counts
	n := 0
	for _, b := range in.Drain(at(3600).Add(maxLag)) {
		n++
		for _, r := range b.Runs {
			got.Count, got.Seconds, got.Cold = got.Count+r.Count, got.Seconds+r.Seconds, got.Cold+r.Cold
			got.ColdSeconds, got.Untold = got.ColdSeconds+r.ColdSeconds, got.Untold+r.Untold
		}
	}
	near := func(a, b float64) bool { return math.Abs(a-2*b) < 1e-9 }
	if n != 3600 || !near(got.Count, want.Count) || !near(got.Seconds, want.Seconds) || !near(got.Cold, want.Cold) || !near(got.ColdSeconds, want.ColdSeconds) || !near(got.Untold, want.Untold) {
		t.Errorf("%d seconds hold %+v, want 3600 with twice %+v", n, got, want)
	}
}

// TestNothingGrowsForEver: neither batches that no energy comes for, nor those that
// nobody drains, nor energy that nothing is invoked for.
func TestNothingGrowsForEver(t *testing.T) {
	l := newLearner(t)
	in := NewInbox()
	at := func(second int) time.Time { return time.Unix(10000+int64(second), 0) }
	for s := range 5000 {
		b := Batch{From: at(s), To: at(s + 1)}
		l.Batch(b)
		in.Scraped(b)
		l.Energy([]wattle.Sample{{Component: wattle.Package, Device: "p", From: at(s), To: at(s + 1), Energy: 1}})
		l.ControlPlane(at(s), at(s+1), time.Millisecond)
	}
	passed := in.Drain(at(5000))
	if len(l.waiting) > maxWaiting || len(passed) > maxPassed || len(l.zones[l.order[0]].spans) > keepSpans || len(l.control.spans) > keepSpans {
		t.Errorf("%d batches wait, %d were passed, %d and %d spans are kept", len(l.waiting), len(passed), len(l.zones[l.order[0]].spans), len(l.control.spans))
	}
	if last := passed[len(passed)-1]; !last.To.Equal(at(5000)) || !l.waiting[len(l.waiting)-1].To.Equal(at(5000)) {
		t.Error("the newest were dropped, and not the oldest")
	}
}

// TestStepsOfASlowMeter are as long as its figures. A gateway that did not answer
// makes the step unknown that it is in, with what it tells after.
func TestStepsOfASlowMeter(t *testing.T) {
	l := newLearner(t)
	steps, unknown := 0, 0
	l.Watch = func(s *disaggregate.Step) {
		steps++
		if s.Unknown {
			unknown++
		}
		if d := s.To.Sub(s.From); d != 2*time.Second {
			t.Errorf("a step of %s, want 2 s", d)
		}
	}
	idle := func(attribution.Zone) (wattle.Watts, bool) { return 0, true }
	at := func(second int) time.Time { return time.Unix(10000+int64(second), 0) }
	for s := -1; s < 400; s++ {
		if s%2 != 0 {
			l.Energy([]wattle.Sample{{Component: wattle.Platform, Device: "bmc", From: at(s - 1), To: at(s + 1), Energy: 4e6}})
		}
		if b := (Batch{From: at(s), To: at(s + 1)}); s >= 0 {
			if s%40 == 4 {
				b.Failed = 1
			}
			l.Batch(b)
		}
		l.Learn(at(s+1), idle, func(Done) {})
	}
	if steps != 200 || unknown != 10 {
		t.Errorf("%d of %d steps are unknown, want 10 of 200", unknown, steps)
	}
}

// TestMetersThatAreNotThere: without any energy nothing is known, and a meter that
// has been silent for a minute is waited for no more.
func TestMetersThatAreNotThere(t *testing.T) {
	at := func(second int) time.Time { return time.Unix(10000+int64(second), 0) }
	idle := func(attribution.Zone) (wattle.Watts, bool) { return 0, true }
	for _, meters := range []int{0, 1, 2} {
		l := newLearner(t)
		known, last := 0, time.Time{}
		l.Watch = func(s *disaggregate.Step) {
			if last = s.To; !s.Unknown {
				known++
			}
		}
		for s := range 300 {
			l.Batch(Batch{From: at(s), To: at(s + 1)})
			for m := range meters {
				if m == 0 || s < 100 { // the second is pulled out
					l.Energy([]wattle.Sample{{Component: wattle.Package, Device: wattle.DeviceID(rune('0' + m)), From: at(s), To: at(s + 1), Energy: 1e6}})
				}
			}
			l.Learn(at(s+1), idle, func(Done) {})
		}
		if want := min(meters, 1) * 300; known != want || !last.Equal(at(300)) {
			t.Errorf("%d meters: %d steps are known, the last ends at %s; want %d", meters, known, last, want)
		}
	}
}

// TestHalfOfAnInterval that is known is not the whole, and a machine that draws
// less than at rest leaves nothing below zero for what ran.
func TestHalfOfAnInterval(t *testing.T) {
	var l timeline
	at := func(second int) time.Time { return time.Unix(10000+int64(second), 0) }
	l.add(span{from: at(0), to: at(1), amount: 3})
	for to, want := range map[int]bool{1: true, 2: false} {
		if sum, known := l.between(at(0), at(to)); sum != 3 || known != want {
			t.Errorf("of %d s: %g, known %v; want 3 and %v", to, sum, known, want)
		}
	}
	x := newLearner(t)
	x.Watch = func(s *disaggregate.Step) {
		if s.Dynamic != 0 || s.Idle != 30 {
			t.Errorf("%v J dynamic and %v J idle, want 0 and all 30", s.Dynamic, s.Idle)
		}
	}
	x.Batch(Batch{From: at(0), To: at(1)})
	x.Energy([]wattle.Sample{{Component: wattle.Package, Device: "p", From: at(0), To: at(1), Energy: 30e6}})
	done := 0
	x.Learn(at(1), func(attribution.Zone) (wattle.Watts, bool) { return 40, true }, func(Done) { done++ })
	if done != 1 {
		t.Errorf("%d steps", done)
	}
}
