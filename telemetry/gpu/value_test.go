package gpu

import (
	"math"
	"testing"

	"github.com/wattle-project/wattle"
	"pgregory.net/rapid"
)

func TestBlanksAreMissing(t *testing.T) {
	for _, v := range []int64{0x7ffffff0, 0x7ffffff1, 2147483634, 2147483635, math.MaxInt64, 9223372036854775792, 9223372036854775794, 9223372036854775795} {
		if !MissingInt(v) {
			t.Errorf("int %d is a value", v)
		}
	}
	for _, v := range []int64{0, -1, 0x7fffffef, 0x80000000, 9223372036854775791} {
		if MissingInt(v) {
			t.Errorf("int %d is missing", v)
		}
	}
	for _, v := range []float64{140737488355328, 140737488355329, 140737488355331, math.NaN(), math.Inf(1), math.Inf(-1)} {
		if !MissingFloat(v) {
			t.Errorf("float %g is a value", v)
		}
	}
	if MissingFloat(140737488355327) || MissingFloat(0) {
		t.Error("ordinary floats are missing")
	}
	for s, want := range map[string]bool{"<<<NULL>>>": true, "<<<NOT_FOUND>>>": true, "<<<NOT_SUPPORTED>>>": true, "": true, "GPU-1": false, "<<<": false} {
		if MissingText(s) != want {
			t.Errorf("text %q missing = %v", s, !want)
		}
	}
}

func TestUnitsByFieldNumber(t *testing.T) {
	mj, ok1 := Value{Field: EnergyMillijoules, Kind: Int64, Int: 5_000_000_123}.Microjoules()
	j, ok2 := Value{Field: EnergyJoules, Kind: Double, Float: 5_000_000.123}.Microjoules()
	if mj != 5_000_000_123_000 || j != mj || !ok1 || !ok2 {
		t.Errorf("156 = %d µJ (%v), 1611 = %d µJ (%v)", mj, ok1, j, ok2)
	}
	w, ok := Value{Field: PowerUsage, Kind: Double, Float: 301.5}.Watts()
	if w != 301.5 || !ok {
		t.Errorf("155 = %v, %v", w, ok)
	}
	m, ok := Value{Field: FramebufferUsed, Kind: Int64, Int: 3}.Bytes()
	if m != 3*wattle.MiB || !ok {
		t.Errorf("252 = %v, %v", m, ok)
	}
	if r := (Value{Field: Utilisation, Kind: Int64, Int: 50}).Ratio(); r != (Ratio{0.5, true}) {
		t.Errorf("203 = %+v", r)
	}
	if r := (Value{Field: GraphicsActive, Kind: Double, Float: 1.01}).Ratio(); r != (Ratio{1, true}) {
		t.Errorf("1001 = %+v", r)
	}
}

func TestValuesWithoutMeaning(t *testing.T) {
	for name, v := range map[string]Value{
		"blank":            {Field: EnergyMillijoules, Kind: Int64, Int: 9223372036854775794},
		"failed":           {Field: EnergyMillijoules, Kind: Int64, Int: 5, Status: -6},
		"text":             {Field: EnergyMillijoules, Kind: Text, Text: "5"},
		"negative":         {Field: EnergyMillijoules, Kind: Int64, Int: -5},
		"too large":        {Field: EnergyJoules, Kind: Int64, Int: 1 << 62},
		"power as energy":  {Field: PowerUsage, Kind: Double, Float: 5},
		"unknown field":    {Field: 9999, Kind: Double, Float: 5},
		"float blank":      {Field: EnergyJoules, Kind: Double, Float: 140737488355330},
		"unset kind":       {Field: EnergyJoules},
		"activity of 7000": {Field: SMActive, Kind: Double, Float: 7000},
		"activity of 1.06": {Field: SMActive, Kind: Double, Float: 1.06},
	} {
		if e, ok := v.Microjoules(); ok {
			t.Errorf("%s: %d µJ", name, e)
		}
		if r := v.Ratio(); r.Known {
			t.Errorf("%s: ratio %v", name, r)
		}
	}
}

func TestBoardSlices(t *testing.T) {
	for model, want := range map[string]int{"NVIDIA A30": 4, "NVIDIA A100-SXM4-80GB": 7, "NVIDIA H100 80GB HBM3": 7, "": 7} {
		if got := BoardSlices(model); got != want {
			t.Errorf("%q has %d slices, want %d", model, got, want)
		}
	}
}

func TestFieldNames(t *testing.T) {
	for name, want := range map[string]Field{
		"DCGM_FI_DEV_POWER_USAGE": PowerUsage, "DCGM_FI_DEV_BOARD_POWER_WATTS": PowerUsage, "dcgm_power_usage": PowerUsage,
		"DCGM_FI_PROF_GR_ENGINE_ACTIVE": GraphicsActive, "dcgm_fi_prof_sm_active": SMActive, "DCGM_FI_DEV_GPU_ENERGY_JOULES_TOTAL": EnergyJoules,
	} {
		if f, ok := FieldOf(name); f != want || !ok {
			t.Errorf("%s = %d, %v", name, f, ok)
		}
	}
	for _, name := range []string{"POWER_USAGE", "DCGM_FI_DEV_POWER_USAGE_TOTAL", "", "node_power_usage"} {
		if f, ok := FieldOf(name); ok {
			t.Errorf("%q = %d", name, f)
		}
	}
}

func TestParseProfile(t *testing.T) {
	for s, want := range map[string]Profile{
		"1g.10gb": {1, 1, 10}, "MIG 2g.20gb": {2, 2, 20}, "1c.3g.40gb": {1, 3, 40}, "1g.10gb+me": {1, 1, 10}, "7g.141gb": {7, 7, 141}, "4g": {4, 4, 0},
	} {
		if got, err := ParseProfile(s); got != want || err != nil {
			t.Errorf("%q = %+v, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "g", "0g.5gb", "3c.1g.5gb", "10gb", "1x.5gb", "-1g.5gb", "99999999999999999999g"} {
		if got, err := ParseProfile(s); err == nil {
			t.Errorf("%q = %+v", s, got)
		}
	}
}

func FuzzParseProfile(f *testing.F) {
	f.Add("1c.3g.40gb+me")
	f.Fuzz(func(t *testing.T, s string) {
		if p, err := ParseProfile(s); err == nil && (p.Compute < 1 || p.Compute > p.GPU || p.Memory < 0) {
			t.Fatalf("%q = %+v", s, p)
		}
	})
}

func FuzzValue(f *testing.F) {
	f.Add(uint16(156), byte('i'), int64(math.MaxInt64), 1e300, 0)
	f.Fuzz(func(t *testing.T, field uint16, kind byte, i int64, x float64, status int) {
		v := Value{Field: Field(field), Kind: Kind(kind), Int: i, Float: x, Status: status}
		if w, ok := v.Watts(); ok && !(w >= 0 && w < blankFP64*65536*65536) {
			t.Fatalf("%+v: %v", v, w)
		}
		if r := v.Ratio(); r.Known && !(r.Value >= 0 && r.Value <= 1) {
			t.Fatalf("%+v: %+v", v, r)
		}
		if e, ok := v.Microjoules(); ok && e > math.MaxInt64 {
			t.Fatalf("%+v: %d µJ", v, e)
		}
	})
}

func TestSplitIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := rapid.SliceOfN(rapid.Float64Range(-1, 100), 1, 14).Draw(t, "weights")
		total := rapid.Uint64Range(0, 1<<60).Draw(t, "total")
		parts := make([]uint64, len(w))
		ok := Split(total, w, parts)
		sum := uint64(0)
		for i, p := range parts {
			sum += p
			if w[i] <= 0 && p != 0 {
				t.Fatalf("weight %g got %d", w[i], p)
			}
		}
		if ok && sum != total || !ok && sum != 0 {
			t.Fatalf("parts sum to %d of %d (ok %v)", sum, total, ok)
		}
		if ok != positive(w) {
			t.Fatalf("ok = %v for %v", ok, w)
		}
	})
}
