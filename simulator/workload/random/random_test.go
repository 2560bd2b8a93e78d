package random_test

import (
	"fmt"
	"hash/fnv"
	"math"
	"slices"
	"testing"

	"github.com/wattle-project/wattle/simulator/workload/random"
	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

func relative(got, want float64) float64 {
	if want == 0 {
		return math.Abs(got)
	}
	return math.Abs(got-want) / math.Abs(want)
}

func TestFunctionsAgreeWithTheStandardLibrary(t *testing.T) {
	s := random.New(1, "functions")
	for range 200_000 {
		x := math.Ldexp(1+s.Float64(), int(s.Below(200))-100)
		if r := relative(random.Log(x), math.Log(x)); r > 5e-16 {
			t.Fatalf("Log(%g) = %g, want %g: off by %g", x, random.Log(x), math.Log(x), r)
		}
		y := (s.Float64() - 0.5) * 1400
		if r := relative(random.Exp(y), math.Exp(y)); r > 5e-16 {
			t.Fatalf("Exp(%g) = %g, want %g: off by %g", y, random.Exp(y), math.Exp(y), r)
		}
		u := (s.Float64() - 0.5) * 10
		if d := math.Abs(random.Cos(u) - math.Cos(2*math.Pi*u)); d > 1e-14 {
			t.Fatalf("Cos(%g turns) = %g, off by %g", u, random.Cos(u), d)
		}
		g := s.Float64() * 30
		if r := relative(random.Gamma1p(g), math.Gamma(1+g)); r > 1e-12 {
			t.Fatalf("Gamma1p(%g) = %g, want %g", g, random.Gamma1p(g), math.Gamma(1+g))
		}
	}
}

func TestLogNearOneAndAtTheEnds(t *testing.T) {
	for _, x := range []float64{1, math.Nextafter(1, 2), math.Nextafter(1, 0), 0x1p-54, math.MaxFloat64, math.Sqrt2, 0.5} {
		if r := relative(random.Log(x), math.Log(x)); r > 5e-16 {
			t.Errorf("Log(%g) = %g, want %g", x, random.Log(x), math.Log(x))
		}
	}
	if r := relative(random.Log(5e-324), -744.4400719213812); r > 5e-16 { // -1074·ln 2; some assembly versions answer -709
		t.Errorf("Log(5e-324) = %g", random.Log(5e-324))
	}
	if random.Exp(-800) != 0 || !math.IsInf(random.Exp(800), 1) || random.Exp(0) != 1 || !math.IsNaN(random.Exp(math.NaN())) {
		t.Error("Exp at the ends")
	}
}

func TestNormalQuantileInvertsTheDistribution(t *testing.T) {
	for _, p := range []float64{0x1p-54, 1e-12, 1e-6, 0.01, 0.0749, 0.0751, 0.3, 0.5, 0.77, 0.975, 1 - 1e-9} {
		want := distuv.UnitNormal.Quantile(p)
		if d := math.Abs(random.NormalQuantile(p) - want); d > 1e-8*(1+math.Abs(want)) {
			t.Errorf("NormalQuantile(%g) = %.12g, want %.12g", p, random.NormalQuantile(p), want)
		}
	}
}

func TestMoments(t *testing.T) {
	const n = 400_000
	s := random.New(7, "moments")
	draw := func(f func() float64) (mean, sd float64) {
		x := make([]float64, n)
		for i := range x {
			x[i] = f()
		}
		return stat.MeanStdDev(x, nil)
	}
	shape, tables := 0.7, random.NewTables()
	k := random.Gamma1p(1 / shape)
	tests := []struct {
		name     string
		f        func() float64
		mean, sd float64
	}{
		{"uniform", s.Float64, 0.5, math.Sqrt(1. / 12)},
		{"exponential", s.Exponential, 1, 1},
		{"normal", s.Normal, 0, 1},
		{"lognormal", func() float64 { return s.Lognormal(0.5) }, 1, math.Sqrt(math.Expm1(0.25))},
		{"ziggurat exponential", func() float64 { return tables.Exponential(&s) }, 1, 1},
		{"ziggurat normal", func() float64 { return tables.Normal(&s) }, 0, 1},
		{"ziggurat lognormal", func() float64 { return tables.Lognormal(&s, 0.5) }, 1, math.Sqrt(math.Expm1(0.25))},
		{"weibull", func() float64 { return s.Weibull(shape) }, k, math.Sqrt(random.Gamma1p(2/shape) - k*k)},
	}
	for _, tt := range tests {
		mean, sd := draw(tt.f)
		if math.Abs(mean-tt.mean) > 5*tt.sd/math.Sqrt(n) || math.Abs(sd-tt.sd) > 0.02*tt.sd {
			t.Errorf("%s: mean %g sd %g, want %g and %g", tt.name, mean, sd, tt.mean, tt.sd)
		}
	}
}

// The pinned hash is what makes results comparable between machines: it must
// be the same on every GOARCH.
func TestSameBytesEverywhere(t *testing.T) {
	h := fnv.New64a()
	s, tables := random.New(42, "portable"), random.NewTables()
	for range 10_000 {
		fmt.Fprintf(h, "%x %x %x %x %x %x\n", s.Uint64(), math.Float64bits(tables.Exponential(&s)), math.Float64bits(tables.Lognormal(&s, 0.7)), math.Float64bits(s.Lognormal(1.3)), math.Float64bits(s.Weibull(0.42)), math.Float64bits(random.Cos(s.Float64())))
	}
	const want = "057d84c73f8ae6e7"
	if got := fmt.Sprintf("%016x", h.Sum64()); got != want {
		t.Fatalf("hash of 10,000 draws is %s, want %s: results are no longer comparable with earlier ones", got, want)
	}
}

func TestStreamsAreIndependentOfEachOther(t *testing.T) {
	a, b := random.New(1, "a"), random.New(1, "b")
	if a.Uint64() == b.Uint64() || random.New(1, "a") == random.New(2, "a") {
		t.Fatal("streams of different names or seeds coincide")
	}
	f := random.New(1, "a")
	before := f
	if f.At(3) == f.At(4) || f != before {
		t.Fatal("At must fork without advancing")
	}
	var s random.Stream
	for range 1000 {
		if v := s.Below(7); v >= 7 {
			t.Fatalf("Below(7) = %d", v)
		}
	}
}

// Kolmogorov's distance to the exact distribution, whose 0.1 % point is 1.95/√n.
func TestZigguratsFollowTheirDistributions(t *testing.T) {
	const n = 200_000
	s, tables := random.New(3, "ks"), random.NewTables()
	tests := []struct {
		name string
		draw func(*random.Stream) float64
		cdf  func(float64) float64
	}{
		{"exponential", tables.Exponential, func(x float64) float64 { return -math.Expm1(-x) }},
		{"normal", tables.Normal, distuv.UnitNormal.CDF},
	}
	for _, tt := range tests {
		x := make([]float64, n)
		for i := range x {
			x[i] = tt.draw(&s)
		}
		slices.Sort(x)
		worst := 0.0
		for i, v := range x {
			worst = max(worst, math.Abs(tt.cdf(v)-(float64(i)+0.5)/n))
		}
		if worst > 1.95/math.Sqrt(n) {
			t.Errorf("%s: distance %g to its distribution, want under %g", tt.name, worst, 1.95/math.Sqrt(n))
		}
	}
}

func BenchmarkZigguratExponential(b *testing.B) {
	s, tables := random.New(1, "b"), random.NewTables()
	b.ReportAllocs()
	for b.Loop() {
		tables.Exponential(&s)
	}
}

func BenchmarkZigguratLognormal(b *testing.B) {
	s, tables := random.New(1, "b"), random.NewTables()
	b.ReportAllocs()
	for b.Loop() {
		tables.Lognormal(&s, 1.3)
	}
}

func BenchmarkExponential(b *testing.B) {
	s := random.New(1, "b")
	b.ReportAllocs()
	for b.Loop() {
		s.Exponential()
	}
}

func BenchmarkLognormal(b *testing.B) {
	s := random.New(1, "b")
	b.ReportAllocs()
	for b.Loop() {
		s.Lognormal(1.3)
	}
}
