package workload_test

import (
	"fmt"
	"hash/fnv"
	"io"
	"math"
	"runtime"
	"testing"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/simulator/trace"
	"github.com/wattle-project/wattle/simulator/workload"
	"pgregory.net/rapid"
)

func spec(id string, p workload.Process, perSecond float64) workload.Spec {
	s := workload.DefaultSpec()
	s.Function.ID, s.Process, s.Rate = wattle.FunctionID(id), p, perSecond
	return s
}

func generate(t testing.TB, specs []workload.Spec, c workload.Config) []trace.Arrival {
	t.Helper()
	w, err := workload.New(specs, c)
	if err != nil {
		t.Fatal(err)
	}
	s, err := w.Open()
	if err != nil {
		t.Fatal(err)
	}
	all, err := trace.All(s)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func processes() []workload.Process {
	return []workload.Process{workload.Poisson, workload.MMPP, workload.Diurnal, workload.Timer, workload.Weibull}
}

func TestProcessesKeepTheirMeanRate(t *testing.T) {
	c := workload.DefaultConfig()
	c.Length = 40 * 24 * time.Hour
	for _, p := range processes() {
		s := spec("f", p, 0.05)
		s.Function.Sigma = 0.8
		all := generate(t, []workload.Spec{s}, c)
		want, sum := 0.05*c.Length.Seconds(), 0.0
		for _, a := range all {
			sum += float64(a.Scale)
		}
		if got := float64(len(all)); math.Abs(got-want) > 0.06*want {
			t.Errorf("%s: %g arrivals, want about %g", p, got, want)
		}
		if mean := sum / float64(len(all)); math.Abs(mean-1) > 0.02 {
			t.Errorf("%s: mean scale %g, want 1", p, mean)
		}
	}
}

// dispersion is the variance of counts per bin over their mean: 1 for Poisson.
func dispersion(all []trace.Arrival, length, bin time.Duration) float64 {
	counts := make([]float64, length/bin)
	for _, a := range all {
		counts[a.At/int64(bin)]++
	}
	mean, square := 0.0, 0.0
	for _, n := range counts {
		mean += n / float64(len(counts))
	}
	for _, n := range counts {
		square += (n - mean) * (n - mean) / float64(len(counts)-1)
	}
	return square / mean
}

func TestProcessesDifferInDispersion(t *testing.T) {
	c := workload.DefaultConfig()
	c.Length = 10 * 24 * time.Hour
	tests := []struct {
		process   workload.Process
		low, high float64
	}{
		{workload.Poisson, 0.93, 1.07},
		{workload.MMPP, 5, 200},
		{workload.Timer, 0, 0.05},
		{workload.Weibull, 2, 100},
	}
	for _, tt := range tests {
		all := generate(t, []workload.Spec{spec("f", tt.process, 0.5)}, c)
		if d := dispersion(all, c.Length, 2*time.Minute); d < tt.low || d > tt.high {
			t.Errorf("%s: index of dispersion %.3f, want in [%g, %g]", tt.process, d, tt.low, tt.high)
		}
	}
}

func TestDiurnalFollowsTheLocalDay(t *testing.T) {
	c := workload.DefaultConfig()
	c.Length, c.Start = 20*24*time.Hour, 6*time.Hour
	s := spec("f", workload.Diurnal, 0.2)
	s.Day.Amplitude, s.Day.Peak, s.Day.Zone = 0.8, 14.5, 9*time.Hour
	var hours [24]float64
	all := generate(t, []workload.Spec{s}, c)
	for _, a := range all {
		hours[(a.At/int64(time.Hour)+6)%24]++
	}
	// The peak of 14:30 local at UTC+9 lies in the UTC hour 5, the trough in hour 17.
	mean := float64(len(all)) / 24
	if hi, lo := hours[5]/mean, hours[17]/mean; math.Abs(hi-1.8) > 0.1 || math.Abs(lo-0.2) > 0.05 {
		t.Fatalf("hour 5 has %.2f and hour 17 %.2f of the mean, want 1.8 and 0.2", hi, lo)
	}
	s.Day.Hours[3] = 2 // all of it between 3 and 4 local = 18 and 19 UTC
	for _, a := range generate(t, []workload.Spec{s}, c) {
		if h := (a.At/int64(time.Hour) + 6) % 24; h != 18 {
			t.Fatalf("an arrival in hour %d UTC, want only 18", h)
		}
	}
}

func TestTimerKeepsItsPeriod(t *testing.T) {
	s := spec("f", workload.Timer, 1./300)
	all := generate(t, []workload.Spec{s}, workload.DefaultConfig())
	if len(all) != 288 || all[0].At >= int64(5*time.Minute) {
		t.Fatalf("%d arrivals from %d, want 288 within the first period", len(all), all[0].At)
	}
	for i := 1; i < len(all); i++ {
		if gap := all[i].At - all[i-1].At; gap < 3e11-1 || gap > 3e11+1 {
			t.Fatalf("gap %d ns, want 5 min", gap)
		}
	}
}

// A function's arrivals depend on nothing but the seed and its own spec, and
// the sequence is in order.
func TestFunctionsAreIndependent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 80).Draw(t, "functions")
		specs := make([]workload.Spec, n)
		for i := range specs {
			specs[i] = spec(fmt.Sprint("f", i), rapid.SampledFrom(processes()).Draw(t, "process"), rapid.Float64Range(0, 0.02).Draw(t, "rate"))
			specs[i].Function.Sigma = 0.5
		}
		c := workload.DefaultConfig()
		c.Length = time.Duration(rapid.Int64Range(1, int64(3*time.Hour)).Draw(t, "length"))
		c.Seed = rapid.Uint64().Draw(t, "seed")
		one := rapid.IntRange(0, n-1).Draw(t, "alone")
		w, _ := workload.New(specs, c)
		src, _ := w.Open()
		all, _ := trace.All(src)
		w, _ = workload.New(specs[one:one+1], c)
		src, _ = w.Open()
		alone, _ := trace.All(src)
		i := 0
		for k, a := range all {
			if k > 0 && (a.At < all[k-1].At || a.At == all[k-1].At && a.Function < all[k-1].Function) {
				t.Fatalf("arrival %d %+v is before %+v", k, a, all[k-1])
			}
			if a.At < 0 || a.At >= int64(c.Length) {
				t.Fatalf("arrival %+v outside the run of %s", a, c.Length)
			}
			if int(a.Function) == one {
				a.Function = 0
				if i >= len(alone) || alone[i] != a {
					t.Fatalf("arrival %d of function %d changes when it is alone", i, one)
				}
				i++
			}
		}
		if i != len(alone) {
			t.Fatalf("%d arrivals with others, %d alone", i, len(alone))
		}
	})
}

func TestPopulationIsZipf(t *testing.T) {
	p := workload.DefaultPopulation()
	specs, err := p.Draw(1)
	if err != nil {
		t.Fatal(err)
	}
	total := 0.0
	for i, s := range specs {
		total += s.Rate * p.Length.Seconds()
		want := specs[0].Rate * math.Pow(float64(i+1), -p.Zipf)
		if math.Abs(s.Rate-want) > 1e-9*want {
			t.Fatalf("rank %d has rate %g, want %g", i+1, s.Rate, want)
		}
	}
	if math.Abs(total-p.Invocations) > 1e-6*total {
		t.Fatalf("expected invocations add up to %g, want %g", total, p.Invocations)
	}
	all := generate(t, specs, workload.DefaultConfig())
	if n := float64(len(all)); math.Abs(n-p.Invocations) > 0.1*p.Invocations {
		t.Fatalf("%g arrivals, want about %g", n, p.Invocations)
	}
}

func TestSameBytesEverywhere(t *testing.T) {
	p := workload.DefaultPopulation()
	p.Invocations, p.Mix = 50_000, [5]float64{1, 1, 1, 1, 1}
	specs, err := p.Draw(9)
	if err != nil {
		t.Fatal(err)
	}
	h := fnv.New64a()
	for _, a := range generate(t, specs, workload.DefaultConfig()) {
		fmt.Fprintf(h, "%d %d %x\n", a.At, a.Function, math.Float32bits(float32(a.Scale)))
	}
	const want = "9b94599d39212c00"
	if got := fmt.Sprintf("%016x", h.Sum64()); got != want {
		t.Fatalf("hash %s, want %s: results are no longer comparable with earlier ones", got, want)
	}
}

func TestValidation(t *testing.T) {
	good := spec("f", workload.Poisson, 1)
	tests := map[string]func(*workload.Spec, *workload.Config){
		"no id":           func(s *workload.Spec, _ *workload.Config) { s.Function.ID = "" },
		"negative rate":   func(s *workload.Spec, _ *workload.Config) { s.Rate = -1 },
		"rate NaN":        func(s *workload.Spec, _ *workload.Config) { s.Rate = math.NaN() },
		"sigma":           func(s *workload.Spec, _ *workload.Config) { s.Function.Sigma = 5 },
		"process":         func(s *workload.Spec, _ *workload.Config) { s.Process = 99 },
		"burst factor":    func(s *workload.Spec, _ *workload.Config) { s.Process, s.Burst.Factor = workload.MMPP, 0.5 },
		"jitter":          func(s *workload.Spec, _ *workload.Config) { s.Process, s.Jitter = workload.Timer, 2 },
		"shape":           func(s *workload.Spec, _ *workload.Config) { s.Process, s.Shape = workload.Weibull, 0 },
		"amplitude":       func(s *workload.Spec, _ *workload.Config) { s.Process, s.Day.Amplitude = workload.Diurnal, 2 },
		"peak":            func(s *workload.Spec, _ *workload.Config) { s.Process, s.Day.Peak = workload.Diurnal, 24 },
		"negative weight": func(s *workload.Spec, _ *workload.Config) { s.Process, s.Day.Hours[2] = workload.Diurnal, -1 },
		"length":          func(_ *workload.Spec, c *workload.Config) { c.Length = 0 },
		"start":           func(_ *workload.Spec, c *workload.Config) { c.Start = 25 * time.Hour },
	}
	for name, spoil := range tests {
		s, c := good, workload.DefaultConfig()
		spoil(&s, &c)
		if _, err := workload.New([]workload.Spec{s}, c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := workload.New([]workload.Spec{good, good}, workload.DefaultConfig()); err == nil {
		t.Error("two functions of one id: accepted")
	}
	var p workload.Process
	if p.UnmarshalText([]byte("mmpp")) != nil || p != workload.MMPP || p.UnmarshalText([]byte("x")) == nil {
		t.Error("process names")
	}
}

func large(t testing.TB, invocations float64) *workload.Workload {
	p := workload.DefaultPopulation()
	p.Functions, p.Invocations = 80_000, invocations
	specs, err := p.Draw(1)
	if err != nil {
		t.Fatal(err)
	}
	w, err := workload.New(specs, workload.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestNextAllocatesNothing(t *testing.T) {
	w := large(t, 10e6)
	s, _ := w.Open()
	buf := make([]trace.Arrival, 0, 40_000)
	for range 30 {
		buf, _ = s.Next(buf)
	}
	if n := testing.AllocsPerRun(100, func() { buf, _ = s.Next(buf) }); n != 0 {
		t.Fatalf("%g allocations per window, want 0", n)
	}
}

// 80,000 functions and 100 M invocations in 24 h; each iteration is one arrival.
func BenchmarkGenerate(b *testing.B) {
	for _, total := range []float64{1e6, 10e6, 100e6} {
		b.Run(fmt.Sprintf("functions=80000/invocations=%.0e", total), func(b *testing.B) {
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			w := large(b, total)
			s, _ := w.Open()
			var buf []trace.Arrival
			b.ReportAllocs()
			b.ResetTimer()
			n := 0
			for n < b.N {
				var err error
				if buf, err = s.Next(buf); err == io.EOF {
					s, _ = w.Open()
				}
				n += len(buf)
			}
			b.StopTimer()
			runtime.GC()
			runtime.ReadMemStats(&after)
			b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/(1<<20), "MiB")
			runtime.KeepAlive(w)
			runtime.KeepAlive(s)
			runtime.KeepAlive(buf)
		})
	}
}
