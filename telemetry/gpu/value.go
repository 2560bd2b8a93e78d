package gpu

import (
	"math"
	"time"

	"github.com/wattle-project/wattle"
)

// Kind is the type of a field value, spelt as DCGM spells it.
type Kind byte

// Kinds of values (DCGM_FT_* in dcgm_fields.h).
const (
	Double    Kind = 'd'
	Int64     Kind = 'i'
	Text      Kind = 's'
	Timestamp Kind = 't'
)

// Value is one field value as DCGM reported it, sentinels included.
type Value struct {
	Field  Field
	Kind   Kind
	Int    int64   // when Kind is Int64 or Timestamp
	Float  float64 // when Kind is Double
	Text   string  // when Kind is Text
	Status int     // DCGM_ST_*: 0 is success
	At     time.Time
}

// Blank values that stand for "no value" in dcgm_structs.h. Each is the first
// of four: blank, not found, not supported, not permitted.
const (
	blankInt32 = 0x7ffffff0
	blankInt64 = 0x7ffffffffffffff0
	blankFP64  = 140737488355328.0 // 2^47
	blankText  = "<<<NULL>>>"
)

// MissingInt reports whether v is one of DCGM's blanks, 32 or 64 bits wide.
// A 32-bit blank is looked for exactly, for counters grow past it.
func MissingInt(v int64) bool {
	return v >= blankInt64 || v >= blankInt32 && v <= math.MaxInt32
}

// MissingFloat reports whether v is a blank, NaN or infinite.
func MissingFloat(v float64) bool { return !(v < blankFP64) || math.IsInf(v, -1) }

// MissingText reports whether s is a blank: "<<<NULL>>>" and its variants
// ("<<<NOT_FOUND>>>", "<<<NOT_SUPPORTED>>>", "<<<NOT_PERM>>>"), or empty.
func MissingText(s string) bool {
	return s == "" || s == blankText || len(s) > 6 && s[:3] == "<<<" && s[len(s)-3:] == ">>>"
}

// Number returns the value in the unit of its field. It is false for blanks,
// failed reads, text and negative numbers, which no field here can have.
func (v Value) Number() (float64, bool) {
	switch {
	case v.Status != 0:
		return 0, false
	case v.Kind == Double && !MissingFloat(v.Float) && v.Float >= 0:
		return v.Float, true
	case v.Kind == Int64 && !MissingInt(v.Int) && v.Int >= 0:
		return float64(v.Int), true
	}
	return 0, false
}

// Microjoules returns the energy of an energy field in µJ: 156 counts mJ,
// 1611 J. It is false for other fields, blanks, and values beyond 64 bits.
func (v Value) Microjoules() (uint64, bool) {
	unit, ok := UnitOf(v.Field)
	n, known := v.Number()
	if !ok || !known || unit != Millijoules && unit != Joules {
		return 0, false
	}
	factor := uint64(1000)
	if unit == Joules {
		factor = 1_000_000
	}
	if n > math.MaxInt64/float64(factor) {
		return 0, false
	}
	if v.Kind == Int64 {
		return uint64(v.Int) * factor, true
	}
	return uint64(math.Round(n * float64(factor))), true
}

// Watts returns the power of a power field.
func (v Value) Watts() (wattle.Watts, bool) {
	unit, ok := UnitOf(v.Field)
	n, known := v.Number()
	return wattle.Watts(n), ok && known && unit == Watts
}

// Ratio returns an activity or utilisation in [0, 1]. Values up to 1.05 are
// clipped (samplers overshoot); larger ones are missing.
func (v Value) Ratio() Ratio {
	unit, ok := UnitOf(v.Field)
	n, known := v.Number()
	if !ok || !known {
		return Ratio{}
	}
	switch unit {
	case Percent:
		n /= 100
	case Ratios:
	default:
		return Ratio{}
	}
	return KnownRatio(n)
}

// Bytes returns the size of a memory field.
func (v Value) Bytes() (wattle.Bytes, bool) {
	unit, ok := UnitOf(v.Field)
	n, known := v.Number()
	if !ok || !known || unit != Mebibytes || n > 1<<40 {
		return 0, false
	}
	return wattle.Bytes(n * float64(wattle.MiB)), true
}

// Ratio is a share of time or cycles that may be missing. The zero Ratio is.
type Ratio struct {
	Value float64 // in [0, 1]
	Known bool
}

// KnownRatio makes a Ratio of v, missing when v is not in [0, 1.05].
func KnownRatio(v float64) Ratio {
	if !(v >= 0 && v <= 1.05) {
		return Ratio{}
	}
	return Ratio{Value: min(v, 1), Known: true}
}
