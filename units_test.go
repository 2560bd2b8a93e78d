package wattle_test

import (
	"encoding"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/scheduler/power"
)

// unit is a quantity that is printed and read back.
type unit interface {
	encoding.TextUnmarshaler
	fmt.Stringer
}

// units lists every unit with the texts that its reader must take and their value.
func units() map[string]struct {
	make  func() unit
	texts map[string]float64
} {
	type row = struct {
		make  func() unit
		texts map[string]float64
	}
	return map[string]row{
		"energy":    {func() unit { return new(wattle.Joules) }, map[string]float64{"250J": 250, "1.2kWh": 4.32e6, "3 µJ": 3e-6, "3uJ": 3e-6, "2MJ": 2e6, " 7Wh ": 25200, "1e3J": 1000, "-4J": -4, "1_000J": 1000}},
		"power":     {func() unit { return new(wattle.Watts) }, map[string]float64{"250W": 250, "1.2kW": 1200, "5mW": 5e-3, "1MW": 1e6}},
		"emissions": {func() unit { return new(wattle.GramsCO2e) }, map[string]float64{"2g": 2, "34.7kg": 34700, "1t": 1e6, "5µg": 5e-6, "5mg": 5e-3}},
		"intensity": {func() unit { return new(wattle.GramsPerKWh) }, map[string]float64{"40g/kWh": 40, "1000lb/MWh": 453.59237, "0.4kg/kWh": 400, "40kg/MWh": 40}},
		"money":     {func() unit { return new(wattle.USD) }, map[string]float64{"0.02USD": 0.02, "$0.02": 0.02, "300nUSD": 3e-7, "5µUSD": 5e-6, "5mUSD": 5e-3}},
		"size":      {func() unit { return new(wattle.Bytes) }, map[string]float64{"1.5GiB": 1.5 * (1 << 30), "300MB": 3e8, "12B": 12, "1kB": 1000, "1KiB": 1024}},
		"cpu":       {func() unit { return new(wattle.MilliCPU) }, map[string]float64{"500m": 500, "2vCPU": 2000, "0.5": 500, "4cores": 4000}},
		"network":   {func() unit { return new(wattle.KWhPerGB) }, map[string]float64{"0.001kWh/GB": 0.001, "1Wh/GB": 0.001}},
		"per s":     {func() unit { return new(wattle.GramsPerSecond) }, map[string]float64{"0.01g/s": 0.01, "5mg/s": 5e-3, "5µg/s": 5e-6}},
		"per USD":   {func() unit { return new(wattle.GramsPerUSD) }, map[string]float64{"500g/USD": 500, "2kg/USD": 2000}},
	}
}

// value is the number behind a unit.
func value(u unit) float64 {
	v := reflect.ValueOf(u).Elem()
	if v.CanInt() {
		return float64(v.Int())
	}
	return v.Float()
}

func TestUnitsAreRead(t *testing.T) {
	for name, u := range units() {
		for text, want := range u.texts {
			v := u.make()
			if err := v.UnmarshalText([]byte(text)); err != nil {
				t.Errorf("%s %q: %v", name, text, err)
			} else if got := value(v); math.Abs(got-want) > 1e-12*math.Abs(want) {
				t.Errorf("%s %q is %g, want %g", name, text, got, want)
			}
		}
		for _, bad := range []string{"", "J", "12", "12parsecs", "--3J", "1e", "abcW", "NaNg", "InfB", "12 34J", "$$1", "NaN", "-Inf", "1e999"} {
			if name == "cpu" && bad == "12" {
				continue // whole vCPUs
			}
			if err := u.make().UnmarshalText([]byte(bad)); err == nil {
				t.Errorf("%s: %q is accepted", name, bad)
			} else if !strings.Contains(err.Error(), "want") {
				t.Errorf("%s: %q: %v does not say what is wanted", name, bad, err)
			}
		}
	}
}

// What is printed is read back to three digits.
func TestPrintedUnitsAreReadBack(t *testing.T) {
	for name, u := range units() {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				v := u.make()
				x := math.Pow(10, rapid.Float64Range(-9, 13).Draw(t, "exponent")) * rapid.SampledFrom([]float64{1, -1}).Draw(t, "sign")
				r := reflect.ValueOf(v).Elem()
				if r.CanInt() {
					r.SetInt(int64(x))
				} else {
					r.SetFloat(x)
				}
				text := v.String()
				back := u.make()
				if err := back.UnmarshalText([]byte(text)); err != nil {
					t.Fatalf("%g prints as %q: %v", value(v), text, err)
				}
				if a, b := value(v), value(back); math.Abs(a-b) > 0.0051*math.Abs(a) && !(name == "money" && math.Abs(a-b) <= 0.0051) {
					t.Fatalf("%g prints as %q, which is %g", a, text, b)
				}
			})
		})
	}
}

// No text makes a reader panic, and what it accepts is printed.
func FuzzUnits(f *testing.F) {
	for _, u := range units() {
		for text := range u.texts {
			f.Add(text)
		}
	}
	for _, s := range []string{"", "1e400J", "NaN", "inf", "0x1p4", "9e18GiB", "-1e30TiB", "µ", "\xff", "1e-400W", "$", "$-1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for name, u := range units() {
			v := u.make()
			if v.UnmarshalText([]byte(text)) == nil && (math.IsNaN(value(v)) || v.String() == "") {
				t.Errorf("%s %q is %g, printed %q", name, text, value(v), v.String())
			}
		}
		if d, err := wattle.ParseDuration(text); err == nil && d.String() == "" {
			t.Errorf("duration %q", text)
		}
	})
}

// named is a set of names that is printed and read back.
func TestNamesAreReadBack(t *testing.T) {
	read := func(name string, n int, at func(int) fmt.Stringer, into interface {
		encoding.TextUnmarshaler
		fmt.Stringer
	}) {
		for i := range n {
			s := at(i).String()
			if err := into.UnmarshalText([]byte(s)); err != nil || into.String() != s || strings.HasPrefix(s, "invalid") {
				t.Errorf("%s %d prints %q: %v", name, i, s, err)
			}
		}
		if s := at(n).String(); !strings.HasPrefix(s, "invalid") {
			t.Errorf("%s %d prints %q", name, n, s)
		}
		if err := into.UnmarshalText([]byte("neverland")); err == nil {
			t.Errorf("%s: neverland is accepted", name)
		}
	}
	read("sharing", 6, func(i int) fmt.Stringer { return wattle.Sharing(i) }, new(wattle.Sharing))
	read("isolation", 6, func(i int) fmt.Stringer { return wattle.Isolation(i) }, new(wattle.Isolation))
	read("quality", 7, func(i int) fmt.Stringer { return wattle.Quality(i) }, new(wattle.Quality))
	read("kind", 2, func(i int) fmt.Stringer { return wattle.SignalKind(i) }, new(wattle.SignalKind))
	read("scope", 2, func(i int) fmt.Stringer { return wattle.SignalScope(i) }, new(wattle.SignalScope))
	read("component", 7, func(i int) fmt.Stringer { return wattle.Component(i) }, new(wattle.Component))
	for _, s := range []fmt.Stringer{wattle.Warm, wattle.Snapshot, wattle.Cold, wattle.Finished, wattle.Due, wattle.Keep, wattle.Defer} {
		if strings.HasPrefix(s.String(), "invalid") {
			t.Errorf("%#v has no name", s)
		}
	}
}

func TestReasonsAreNamed(t *testing.T) {
	all := wattle.Reasons(1<<11 - 1)
	if n := len(all.Names()); n != 11 {
		t.Errorf("%d names for 11 reasons", n)
	}
	r := wattle.ReasonCost | wattle.ReasonCapacity
	if got := strings.Join(r.Names(), "; "); got != "cost limit; capacity" || !r.Has(wattle.ReasonCost) || r.Has(wattle.ReasonCost|wattle.ReasonPolicy) {
		t.Errorf("%s", got)
	}
}

// Worked numbers: watts for seconds, grams of a kilowatt-hour, moved bytes.
func TestConversionsByHand(t *testing.T) {
	near := func(what string, got, want float64) {
		if math.Abs(got-want) > 1e-12*math.Abs(want) {
			t.Errorf("%s is %g, want %g", what, got, want)
		}
	}
	near("1 kW for an hour", float64(wattle.Watts(1000).For(time.Hour)), 3.6e6)
	near("in kWh", wattle.Joules(3.6e6).KWh(), 1)
	near("back", float64(wattle.JoulesOfKWh(1)), 3.6e6)
	near("1 kWh at 475 g/kWh", float64(wattle.Joules(3.6e6).At(475)), 475)
	near("1 kWh in an hour", float64(wattle.Joules(3.6e6).Over(time.Hour)), 1000)
	near("5 GB at 1 Wh/GB", float64(wattle.KWhPerGB(0.001).For(5*wattle.GB)), 18000)
	near("3 s at 2 g/s", float64(wattle.GramsPerSecond(2).For(3*time.Second)), 6)
	near("2 USD at 500 g/USD", float64(wattle.GramsPerUSD(500).For(2)), 1000)
	near("1,000 kg over 4 years, one hour", float64(power.Embodied{Rest: 1e6, Lifetime: 35040 * time.Hour}.Share(power.Machine{VCPU: 1}, wattle.Resources{CPU: 1000}, time.Hour)), 1e6/35040)
	if wattle.Joules(1).Over(0) != 0 || wattle.Joules(1).Over(-1) != 0 {
		t.Error("power over no time")
	}
}

func TestIntegersSaturate(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	for _, c := range []struct {
		in   float64
		want int64
	}{{1e300, math.MaxInt64}, {-1e300, math.MinInt64}, {inf, math.MaxInt64}, {-inf, math.MinInt64}, {nan, 0}, {1.5, 1_500_000}, {4e-7, 0}, {5e-7, 1}} {
		if got := wattle.GramsCO2e(c.in).Micrograms(); got != c.want {
			t.Errorf("%g g is %d µg, want %d", c.in, got, c.want)
		}
	}
	if got := wattle.USD(1e300).Nano(); got != math.MaxInt64 {
		t.Errorf("%d nUSD", got)
	}
	var b wattle.Bytes
	if err := b.UnmarshalText([]byte("1e30TiB")); err != nil || b != math.MaxInt64 {
		t.Errorf("%d bytes, %v", b, err)
	}
	if wattle.Joules(-0.0000015).Micro() != -2 || wattle.Microjoules(1_500_000).Joules() != 1.5 {
		t.Error("microjoules round half away from zero")
	}
}

func TestIntensitiesThatAreNone(t *testing.T) {
	for _, v := range []float64{0, -1, math.NaN(), math.Inf(1), 3000.1} {
		if wattle.GramsPerKWh(v).Valid() {
			t.Errorf("%g g/kWh is valid", v)
		}
	}
	if !wattle.GramsPerKWh(1e-9).Valid() || !wattle.MaxIntensity.Valid() {
		t.Error("a plausible intensity is refused")
	}
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	good := wattle.Signal{Zone: "FR", Intensity: 52, From: at, To: at.Add(time.Hour)}
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
	for _, bad := range []wattle.Signal{{Intensity: 52, From: at, To: at.Add(1)}, {Zone: "FR", From: at, To: at.Add(1)}, {Zone: "FR", Intensity: 52, From: at, To: at}} {
		if bad.Validate() == nil {
			t.Errorf("%+v is accepted", bad)
		}
	}
	marginal := good
	marginal.Kind = wattle.Marginal
	if good.Comparable(marginal) || !good.Comparable(good) {
		t.Error("kinds are mixed")
	}
}

func TestDurations(t *testing.T) {
	for text, want := range map[string]time.Duration{"12d": 288 * time.Hour, "1.5d": 36 * time.Hour, "15m": 15 * time.Minute, "1h30m": 90 * time.Minute, " 300ms ": 300 * time.Millisecond} {
		if got, err := wattle.ParseDuration(text); err != nil || got != want {
			t.Errorf("%q is %s, %v", text, got, err)
		}
	}
	for _, bad := range []string{"", "12", "d", "-1d", "NaNd", "1e9d", "later"} {
		if _, err := wattle.ParseDuration(bad); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

func TestP95OfALognormal(t *testing.T) {
	// The 95th percentile of a lognormal with mean 1 and σ is exp(1.6449σ − σ²/2).
	for sigma, want := range map[float64]float64{0: 1, 0.5: 2.00858, 1: 3.14198} {
		if got := (wattle.Profile{Sigma: sigma}).P95Ratio(); math.Abs(got-want) > 1e-4 {
			t.Errorf("σ %g: %g, want %g", sigma, got, want)
		}
	}
}

func TestFunctionsThatCannotBe(t *testing.T) {
	good := wattle.Function{ID: "f", Concurrency: 1, Needs: wattle.Resources{CPU: 1, Memory: 1}}
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	for name, bend := range map[string]func(*wattle.Function){
		"no id":           func(f *wattle.Function) { f.ID = "" },
		"no cpu":          func(f *wattle.Function) { f.Needs.CPU = 0 },
		"no memory":       func(f *wattle.Function) { f.Needs.Memory = 0 },
		"exec":            func(f *wattle.Function) { f.Profile.Exec = -1 },
		"sigma":           func(f *wattle.Function) { f.Profile.Sigma = 5 },
		"utilisation":     func(f *wattle.Function) { f.Profile.Utilisation = 1.1 },
		"concurrency":     func(f *wattle.Function) { f.Concurrency = 0 },
		"provision":       func(f *wattle.Function) { f.Profile.Provision = -1 },
		"image":           func(f *wattle.Function) { f.Profile.Image = -1 },
		"runtime":         func(f *wattle.Function) { f.Profile.Runtime = -1 },
		"init":            func(f *wattle.Function) { f.Profile.Init = -1 },
		"restore":         func(f *wattle.Function) { f.Profile.Restore = -1 },
		"sigma no number": func(f *wattle.Function) { f.Profile.Sigma = math.NaN() },
		"busy no number":  func(f *wattle.Function) { f.Profile.Utilisation = math.NaN() },
		"device":          func(f *wattle.Function) { f.Profile.AcceleratorUtilisation = 2 },
		"max instances":   func(f *wattle.Function) { f.MaxInstances = -1 },
		"data":            func(f *wattle.Function) { f.Out = -1 },
		"measured":        func(f *wattle.Function) { f.Profile.Measured = map[string]wattle.Measurement{"x": {Cold: -1}} },
		"energy":          func(f *wattle.Function) { f.Profile.Measured = map[string]wattle.Measurement{"x": {ExecEnergy: -1}} },
		"deadline":        func(f *wattle.Function) { f.Params.Deadline = -1 },
		"gpu, no slices":  func(f *wattle.Function) { f.Accelerator = "any" },
	} {
		f := good
		if bend(&f); f.Validate() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestPartsOfDevices(t *testing.T) {
	if s := (wattle.Accelerator{Slices: 2, OfSlices: 7}).Share(); s != 2.0/7 {
		t.Errorf("share %g", s)
	}
	if (wattle.Accelerator{}).Share() != 1 || (wattle.Accelerator{}).Present() {
		t.Error("the zero accelerator")
	}
	for s, want := range map[wattle.Sharing]wattle.Isolation{
		wattle.SharingNone: wattle.IsolationGPU, wattle.SharingPassthrough: wattle.IsolationNode, wattle.SharingMIG: wattle.IsolationMIG,
		wattle.SharingVGPU: wattle.IsolationMIG, wattle.SharingMPS: wattle.IsolationMPS, wattle.SharingTimeSlice: wattle.IsolationTimeSlice,
	} {
		if got := (wattle.Accelerator{Product: "x", Sharing: s}).Isolation(); got != want {
			t.Errorf("%s isolates as %s, want %s", s, got, want)
		}
	}
}
