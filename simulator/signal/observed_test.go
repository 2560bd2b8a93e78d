package signal_test

import (
	"math"
	"testing"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/simulator/signal"
	"pgregory.net/rapid"
)

// wave is days of a daily cosine around 300 g/kWh that drifts up by 1 g a day.
func wave(days int) []float64 {
	values := make([]float64, 24*days)
	for i := range values {
		values[i] = math.Round(300 + 100*math.Cos(2*math.Pi*float64(i%24)/24) + float64(i/24))
	}
	return values
}

// faded is an intensity hours after the last good one, which was g/kWh above the
// mean of the days before: 0.9 of that is left after each hour.
func faded(mean, above wattle.GramsPerKWh, hours int) wattle.GramsPerKWh {
	for range hours {
		above *= 0.9
	}
	return mean + above
}

func near(a, b wattle.GramsPerKWh) bool { return math.Abs(float64(a-b)) < 1e-9 }

func at(hours float64) time.Time {
	return start().Add(time.Duration(hours * float64(time.Hour)))
}

func observe(t testing.TB, a signal.Actual, v signal.View) *signal.Observed {
	t.Helper()
	o, err := signal.NewObserved(a, v)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestChainOfFallBacks(t *testing.T) {
	a := actual(t, wave(20)...)
	dead := func(from, to float64) []signal.Fault {
		return []signal.Fault{{Kind: signal.Dead, From: at(from), To: at(to)}}
	}
	truth := func(hours float64) wattle.GramsPerKWh { v, _ := a.At(at(hours)); return v }
	tests := []struct {
		name    string
		spoil   func(*signal.View)
		hours   float64
		quality wattle.Quality
		want    wattle.GramsPerKWh // 0: not checked
		age     time.Duration
	}{
		{"live", func(*signal.View) {}, 240.5, wattle.Measured, truth(240.5), 0},
		{"estimated", func(v *signal.View) { v.Quality = wattle.Estimated }, 240.5, wattle.Estimated, truth(240.5), 0},
		{"late", func(v *signal.View) { v.Delay = time.Hour }, 240.5, wattle.Measured, truth(239.5), time.Hour},
		{"forecast", func(v *signal.View) { v.Faults = dead(240, 300) }, 245, wattle.Forecast, 0, 11 * time.Hour},
		{"persisted", func(v *signal.View) { v.Faults, v.Method = dead(241, 300), signal.Persistence }, 245, wattle.Forecast, faded(truth(221), 1, 5), 5 * time.Hour},
		{"last good", func(v *signal.View) { v.Faults, v.Issue = dead(240, 300), 0 }, 241.5, wattle.LastGood, faded(truth(241.5)-4, 4, 2), 2 * time.Hour},
		{"historic", func(v *signal.View) { v.Faults, v.Issue = dead(240, 300), 0 }, 243, wattle.Historic, faded(truth(243-4*24), 4, 4), 24 * time.Hour},
		{"static", func(v *signal.View) { v.Faults, v.Issue, v.Static = dead(0, 400), 0, 321 }, 300, wattle.Static, 321, 300 * time.Hour},
		{"prior", func(v *signal.View) { v.Faults, v.Issue = dead(0, 400), 0 }, 300, wattle.Prior, wattle.UnknownIntensity, 300 * time.Hour},
	}
	for _, tt := range tests {
		v := signal.DefaultView()
		tt.spoil(&v)
		s := observe(t, a, v).At(at(tt.hours))
		if s.Quality != tt.quality || tt.want != 0 && !near(s.Intensity, tt.want) || at(tt.hours).Sub(s.FetchedAt) != tt.age {
			t.Errorf("%s: %g g/kWh, %s, %s old; want %g, %s, %s", tt.name, s.Intensity, s.Quality, at(tt.hours).Sub(s.FetchedAt), tt.want, tt.quality, tt.age)
		}
		if err := s.Validate(); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestFaults(t *testing.T) {
	a := actual(t, wave(20)...)
	truth := func(hours float64) wattle.GramsPerKWh { v, _ := a.At(at(hours)); return v }
	tests := []struct {
		fault   signal.Fault
		hours   float64
		quality wattle.Quality
		want    wattle.GramsPerKWh
		age     time.Duration
	}{
		{signal.Fault{Kind: signal.Zeros}, 245, wattle.Historic, faded(truth(245-4*24), 4, 6), 24 * time.Hour},
		{signal.Fault{Kind: signal.Nulls}, 245, wattle.Historic, faded(truth(245-4*24), 4, 6), 24 * time.Hour},
		{signal.Fault{Kind: signal.Quota}, 245, wattle.Historic, faded(truth(245-4*24), 4, 6), 24 * time.Hour},
		{signal.Fault{Kind: signal.Spike, Factor: 2}, 245, wattle.Measured, 2 * truth(245), 0},
		{signal.Fault{Kind: signal.Spike, Factor: 100}, 245, wattle.Historic, faded(truth(245-4*24), 4, 6), 24 * time.Hour},
		{signal.Fault{Kind: signal.Spike, Factor: 5}, 245, wattle.Historic, faded(truth(245-4*24), 4, 6), 24 * time.Hour},
		{signal.Fault{Kind: signal.Spike, Factor: 0.2}, 245, wattle.Historic, faded(truth(245-4*24), 4, 6), 24 * time.Hour},
		{signal.Fault{Kind: signal.Stale}, 241.5, wattle.Measured, truth(240), 90 * time.Minute},
		{signal.Fault{Kind: signal.Stale}, 245, wattle.Historic, faded(truth(245-4*24), 4, 5), 24 * time.Hour},
		{signal.Fault{Kind: signal.Frozen}, 245, wattle.Measured, truth(240), 0},
		{signal.Fault{Kind: signal.Delayed, Delay: 2 * time.Hour}, 245, wattle.Measured, truth(243), 2 * time.Hour},
	}
	for _, tt := range tests {
		v := signal.DefaultView()
		v.Issue = 0
		tt.fault.From, tt.fault.To = at(240), at(300)
		v.Faults = []signal.Fault{tt.fault}
		s := observe(t, a, v).At(at(tt.hours))
		if s.Quality != tt.quality || !near(s.Intensity, tt.want) || at(tt.hours).Sub(s.FetchedAt) != tt.age {
			t.Errorf("%s ×%g at %g h: %g g/kWh, %s, %s old; want %g, %s, %s", tt.fault.Kind, tt.fault.Factor, tt.hours, s.Intensity, s.Quality, at(tt.hours).Sub(s.FetchedAt), tt.want, tt.quality, tt.age)
		}
		if after := observe(t, a, v).At(at(301)); after.Quality != wattle.Measured || after.Intensity != truth(301) {
			t.Errorf("%s goes on after its end", tt.fault.Kind)
		}
	}
}

// A last good value is at most two periods past its own, however late the feed
// showed it: an old one that a feed repeats is not renewed by each repetition.
func TestLastGoodIsCountedFromWhenItWasMeasured(t *testing.T) {
	a := actual(t, 50, 60, 70, 80, 90, 100, 110, 120, 130)
	for _, tt := range []struct {
		fault signal.Fault
		want  []wattle.Quality // at 0.5 h, 1.5 h, …
	}{
		{signal.Fault{Kind: signal.Dead}, []wattle.Quality{wattle.Measured, wattle.LastGood, wattle.LastGood, wattle.Prior, wattle.Prior}},
		{signal.Fault{Kind: signal.Stale}, []wattle.Quality{wattle.Measured, wattle.Measured, wattle.Measured, wattle.LastGood, wattle.Prior, wattle.Prior}},
		{signal.Fault{Kind: signal.Delayed, Delay: 3 * time.Hour}, []wattle.Quality{wattle.Measured, wattle.LastGood, wattle.LastGood, wattle.Prior, wattle.Prior}},
	} {
		tt.fault.From, tt.fault.To = at(1), at(8)
		o := observe(t, a, signal.View{Faults: []signal.Fault{tt.fault}})
		for i, want := range tt.want {
			if s := o.At(at(float64(i) + 0.5)); s.Quality != want {
				t.Errorf("%s at %d.5 h: %s, want %s", tt.fault.Kind, i, s.Quality, want)
			}
		}
	}
}

// Whatever happens to a feed, what a scheduler sees is a valid signal, and does
// not change when only the future of the actual does.
func TestNothingLeaksFromTheFuture(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		values := wave(12)
		now := rapid.Float64Range(0, 11*24).Draw(r, "now")
		v := signal.DefaultView()
		v.Method = signal.Method(rapid.IntRange(0, 1).Draw(r, "method"))
		v.Delay = time.Duration(rapid.IntRange(0, 5).Draw(r, "delay")) * 30 * time.Minute
		for range rapid.IntRange(0, 4).Draw(r, "faults") {
			from := rapid.Float64Range(0, 250).Draw(r, "from")
			v.Faults = append(v.Faults, signal.Fault{
				Kind: signal.FaultKind(rapid.IntRange(0, 7).Draw(r, "kind")),
				From: at(from), To: at(from + rapid.Float64Range(0.1, 90).Draw(r, "hours")),
				Factor: 3, Delay: 3 * time.Hour,
			})
		}
		a, _ := signal.NewActual("DE", 0, start(), time.Hour, values)
		for i := int(now) + 1; i < len(values); i++ {
			values[i] = 999
		}
		b, _ := signal.NewActual("DE", 0, start(), time.Hour, values)
		x, err := signal.NewObserved(a, v)
		if err != nil {
			r.Fatal(err)
		}
		y, _ := signal.NewObserved(b, v)
		sx, sy := x.At(at(now)), y.At(at(now))
		if sx != sy {
			r.Fatalf("%+v becomes %+v with another future", sx, sy)
		}
		if err := sx.Validate(); err != nil || sx.FetchedAt.After(at(now)) {
			r.Fatalf("%v, fetched at %s", err, sx.FetchedAt)
		}
		fx, okx := x.Outlook(at(now))
		fy, oky := y.Outlook(at(now))
		if okx != oky || okx && fx.Issued.After(at(now)) {
			r.Fatalf("outlook issued at %s", fx.Issued)
		}
		for h := range 60 {
			vx, knownX := fx.At(at(now + float64(h)))
			vy, knownY := fy.At(at(now + float64(h)))
			if knownX != knownY || knownX && vx != vy {
				r.Fatalf("the outlook %d h ahead changes with the future", h)
			}
		}
	})
}

func TestForecastsOfAWave(t *testing.T) {
	a := actual(t, wave(20)...)
	history := a.Until(at(240))
	forecasts := map[string]signal.Forecast{
		"persistence":  signal.Persist(history, 48),
		"holt-winters": signal.Smooth(history, 48, signal.DefaultSmoothing()),
		"provider":     signal.Perturb(a, at(240), 48, signal.Err{Day: 0.01, Correlation: 0.5, Seed: 3}),
	}
	for name, f := range forecasts {
		if !f.Issued.Equal(at(240)) || f.Len() != 48 || f.Missing() != 0 {
			t.Errorf("%s: %d steps from %s, %d missing", name, f.Len(), f.Issued, f.Missing())
		}
		for h := range 24 {
			want, _ := a.At(at(240 + float64(h)))
			if got, _ := f.At(at(240 + float64(h))); math.Abs(float64(got-want)) > 0.05*float64(want) {
				t.Errorf("%s, %d h ahead: %g, want about %g", name, h, got, want)
			}
		}
	}
}

func TestProviderErrorGrowsAsStated(t *testing.T) {
	values := make([]float64, 24*400)
	for i := range values {
		values[i] = 500
	}
	a := actual(t, values...)
	e := signal.Err{Day: 0.1, Bias: 0.05, Correlation: 0.5, Seed: 1}
	var sum, square [2]float64
	const n = 390
	for d := 1; d <= n; d++ {
		f := signal.Perturb(a, at(float64(24*d)), 24, e)
		for i, lead := range []float64{5, 23} {
			v, _ := f.At(at(float64(24*d) + lead))
			x := float64(v)/500 - 1
			sum[i] += x / n
			square[i] += x * x / n
		}
	}
	for i, want := range []float64{0.05, 0.1} { // √(6/24) and √1 of a tenth
		sd := math.Sqrt(square[i] - sum[i]*sum[i])
		if math.Abs(sd-want) > 0.15*want || math.Abs(sum[i]-0.05) > 0.02 {
			t.Errorf("lead %d: error %.3f ± %.3f, want 0.05 ± %.3f", i, sum[i], sd, want)
		}
	}
}

func TestViewValidates(t *testing.T) {
	tests := []func(*signal.View){
		func(v *signal.View) { v.Delay = -1 },
		func(v *signal.View) { v.Method = 9 },
		func(v *signal.View) { v.Smoothing.Level = 2 },
		func(v *signal.View) { v.Err.Day = math.NaN() },
		func(v *signal.View) { v.Issue = time.Second },
		func(v *signal.View) { v.Horizon = time.Hour },
		func(v *signal.View) { v.Static = -3 },
		func(v *signal.View) { v.Faults = []signal.Fault{{Kind: signal.Dead, From: at(2), To: at(1)}} },
		func(v *signal.View) { v.Faults = []signal.Fault{{Kind: signal.Spike, From: at(1), To: at(2)}} },
		func(v *signal.View) { v.Faults = []signal.Fault{{Kind: signal.Delayed, From: at(1), To: at(2)}} },
	}
	for i, spoil := range tests {
		v := signal.DefaultView()
		if spoil(&v); v.Validate() == nil {
			t.Errorf("case %d: accepted", i)
		}
	}
	var k signal.FaultKind
	if k.UnmarshalText([]byte("stale")) != nil || k != signal.Stale || k.UnmarshalText([]byte("x")) == nil {
		t.Error("fault names")
	}
	var m signal.Method
	if m.UnmarshalText([]byte("provider")) != nil || m != signal.Provider || m.UnmarshalText([]byte("x")) == nil {
		t.Error("method names")
	}
}

func BenchmarkObservedAt(b *testing.B) {
	values := wave(30)
	a, _ := signal.NewActual("DE", 0, start(), time.Hour, values)
	o := observe(b, a, signal.DefaultView())
	b.ReportAllocs()
	for b.Loop() {
		o.At(at(300.5))
	}
}
