package lifecycle

import (
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/wattle-project/wattle"
)

// twoServers is a slow clean and a fast dirty place with a 4 s cold start.
func twoServers() []Option {
	return []Option{
		{Cold: 12 * time.Second, Warm: 8 * time.Second, ColdGrams: 0.030, WarmGrams: 0.020, StartGrams: 0.010, Hold: 5e-5},
		{Cold: 9 * time.Second, Warm: 6 * time.Second, ColdGrams: 0.034, WarmGrams: 0.025, StartGrams: 0.009, Hold: 7e-5},
	}
}

func usage(minute, n int) *Case {
	o := twoServers()
	at := time.Duration(minute) * time.Minute
	return &Case{Arrived: at, Now: at, Invocations: int32(n), Held: int32(n), Memory: wattle.GiB, Intensity: 200, Options: o, Worst: o}
}

func policy(t testing.TB, name string) Keeper {
	t.Helper()
	k, err := New(name, DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestSpansAreSound(t *testing.T) {
	for _, name := range Names() {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				k, minute := policy(t, name), 0
				for range rapid.IntRange(1, 60).Draw(rt, "uses") {
					minute += rapid.IntRange(1, 90).Draw(rt, "gap")
					c := usage(minute, rapid.IntRange(1, 9).Draw(rt, "n"))
					now, ahead := int32(0), false
					for _, s := range k.Decide(c, nil) {
						if s.From < c.Now || s.Until < s.From || s.Copies < 1 || s.Option < 0 || int(s.Option) >= len(c.Options) {
							rt.Fatalf("minute %d: span %+v", minute, s)
						}
						if s.From == c.Now {
							now += s.Copies
						} else {
							ahead = true
						}
					}
					if !Policies()[name].Prewarm && (ahead || now > c.Invocations) {
						rt.Fatalf("minute %d: %d copies held after a use of %d, some ahead: %v", minute, now, c.Invocations, ahead)
					}
				}
			})
		})
	}
}

func TestSameUsesSameDecisions(t *testing.T) {
	for _, name := range Names() {
		a, b := policy(t, name), policy(t, name)
		for m := 1; m < 400; m += 1 + m%7 {
			c := usage(m, 1+m%4)
			if x, y := a.Decide(c, nil), b.Decide(c, nil); !slices.Equal(x, y) {
				t.Fatalf("%s at %d: %v and %v", name, m, x, y)
			}
		}
	}
}

func TestExpectedLearnsAPeriod(t *testing.T) {
	keep, ahead := policy(t, "expected"), policy(t, "expected-prewarm")
	var kept, started []Span
	for m := 0; m <= 40*30; m += 30 {
		kept, started = keep.Decide(usage(m, 1), nil), ahead.Decide(usage(m, 1), nil)
	}
	if len(kept) != 0 {
		t.Errorf("a copy that is needed in 30 min does not pay, but %v is held", kept)
	}
	want := time.Duration(40*30+30) * time.Minute
	if len(started) != 1 || started[0].From != want || started[0].Until != want {
		t.Errorf("started ahead: %v, want one copy at %s", started, want)
	}
	for m := 0; m <= 60; m++ {
		kept = keep.Decide(usage(40*30+m, 1), nil)
	}
	if len(kept) != 1 || kept[0].Until < kept[0].From+time.Minute {
		t.Errorf("used every minute: %v, want one copy held for at least a minute", kept)
	}
}

func TestExpectedCountsCopies(t *testing.T) {
	k := policy(t, "expected")
	var spans []Span
	for m := range 200 {
		n := 1
		if m%40 == 39 {
			n = 4
		}
		spans = k.Decide(usage(m, n), nil)
	}
	copies := int32(0)
	for _, s := range spans {
		copies += s.Copies
	}
	if copies != 1 {
		t.Errorf("after 4 instances that are seldom needed %d copies are held, want 1: %v", copies, spans)
	}
}

func TestSkiRentalBreaksEven(t *testing.T) {
	c := usage(0, 1)
	s := policy(t, "ski-rental").Decide(c, nil)[0]
	o := &c.Options[s.Option]
	rate := DefaultConfig().Rate
	saving := c.Options[Cheapest(c.Options, rate)].ColdCost(rate) - o.WarmCost(rate)
	if waited := o.Hold.For(s.Until - s.From); math.Abs(float64(waited-saving)) > 1e-9 {
		t.Errorf("waiting costs %v, a warm start saves %v", waited, saving)
	}
}

func TestEvictionOrders(t *testing.T) {
	idle := []Victim{
		{ID: 1, Used: 30, Expires: 100, Uses: 50, Start: 4 * time.Second, Memory: wattle.GiB},
		{ID: 2, Used: 10, Expires: 90, Uses: 9, Start: 9 * time.Second, Memory: wattle.GiB},
		{ID: 3, Used: 20, Expires: 80, Uses: 2, Start: time.Second, Memory: 2 * wattle.GiB},
	}
	for order, want := range map[Order]wattle.InstanceID{LeastRecent: 2, SoonestExpiry: 3, GreedyDual: 3} {
		e := Evictor{Order: order}
		if got := idle[e.Choose(idle)].ID; got != want {
			t.Errorf("%s evicts %d, want %d", order, got, want)
		}
	}
	e := Evictor{Order: GreedyDual}
	e.Choose(idle)
	if e.Clock() != 1 { // 2 uses · 1 s / 2 GiB
		t.Errorf("clock %g after the first victim, want its priority 1", e.Clock())
	}
	if e.Choose(nil) != -1 {
		t.Error("a victim among none")
	}
}

func TestBoundAppliesThePolicy(t *testing.T) {
	c := usage(10, 1)
	c.Bounds = wattle.LifecycleBounds{KeepAliveMin: 2 * time.Minute, KeepAliveMax: 5 * time.Minute, NoPrewarm: true}
	got := Bound(c, []Span{
		{0, 1, c.Now, c.Now}, {0, 1, c.Now, c.Now + time.Hour}, {1, 1, c.Now + time.Minute, c.Now + time.Hour},
	})
	want := []Span{{0, 1, c.Now, c.Now + 2*time.Minute}, {0, 1, c.Now, c.Now + 5*time.Minute}}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestNewNamesWhatIsWrong(t *testing.T) {
	if _, err := New("none-such", DefaultConfig()); err == nil {
		t.Error("an unknown policy was made")
	}
	for _, c := range []Config{{Step: 0}, {Step: 1, Keep: -1}, {Step: 1, Option: -1}, {Step: 1, Rate: wattle.GramsPerSecond(math.NaN())}} {
		if _, err := New("expected", c); err == nil {
			t.Errorf("%+v was accepted", c)
		}
	}
}

// mixed is a day-like stream: busy, periodic and rare series in turn.
func mixed() []*Case {
	var cases []*Case
	for m := 1; m < 1440; m++ {
		for s, period := range []int{1, 1, 2, 5, 17, 60} {
			if m%period == 0 {
				c := usage(m, 1+(m*(s+3))%(1+s%4))
				c.Series = int32(s)
				cases = append(cases, c)
			}
		}
	}
	return cases
}

func TestDecidesWithoutAllocating(t *testing.T) {
	for _, name := range Names() {
		k, dst := policy(t, name), make([]Span, 0, 64)
		cases := mixed()
		for _, c := range cases {
			k.Decide(c, dst[:0])
		}
		last, i := cases[len(cases)-1].Now, 0
		n := testing.AllocsPerRun(500, func() {
			c := cases[i%len(cases)]
			c.Arrived, c.Now = c.Arrived+last, c.Now+last
			dst = k.Decide(c, dst[:0])
			i++
		})
		if n != 0 {
			t.Errorf("%s: %g allocations a decision", name, n)
		}
	}
}

func BenchmarkDecide(b *testing.B) {
	for _, name := range Names() {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			k, cases, dst := policy(b, name), mixed(), make([]Span, 0, 64)
			last, i := cases[len(cases)-1].Now, 0
			for b.Loop() {
				c := cases[i]
				dst = k.Decide(c, dst[:0])
				c.Arrived, c.Now = c.Arrived+last, c.Now+last
				if i++; i == len(cases) {
					i = 0
				}
			}
		})
	}
}
