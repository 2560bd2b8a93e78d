package wattle

import (
	"math"
	"time"
)

// Joules is an amount of energy in J.
type Joules float64

// Microjoules is an amount of energy in µJ. Accounting sums are kept in it
// because integer sums close exactly; the range is ±9.2 TJ.
type Microjoules int64

// Watts is a power in W.
type Watts float64

// GramsCO2e is a mass of greenhouse gas in grams of CO2 equivalent.
type GramsCO2e float64

// GramsPerKWh is the carbon intensity of electricity in gCO2e/kWh.
type GramsPerKWh float64

// USD is an amount of money in US dollars.
type USD float64

// Bytes is an amount of data or memory in bytes.
type Bytes int64

// KWhPerGB is the energy that moving data costs, in kWh per 10^9 bytes.
type KWhPerGB float64

// MilliCPU is processor capacity in thousandths of a vCPU.
type MilliCPU int64

// GramsPerSecond and GramsPerUSD are the exchange rates of an Objective.
type (
	// GramsPerSecond says how many grams one second of latency is worth.
	GramsPerSecond float64
	// GramsPerUSD says how many grams one dollar is worth.
	GramsPerUSD float64
)

// Binary multiples of a byte, and the decimal gigabyte that networks bill in.
const (
	KiB Bytes = 1 << 10
	MiB Bytes = 1 << 20
	GiB Bytes = 1 << 30
	GB  Bytes = 1_000_000_000
)

const (
	joulesPerKWh = 3.6e6
	microPerUnit = 1e6
)

// For returns the energy of running at w for d.
func (w Watts) For(d time.Duration) Joules { return Joules(float64(w) * d.Seconds()) }

// Over returns the mean power of spending j within d, and 0 when d is not positive.
func (j Joules) Over(d time.Duration) Watts {
	if d <= 0 {
		return 0
	}
	return Watts(float64(j) / d.Seconds())
}

// At returns the emissions of j drawn from a grid of intensity i.
func (j Joules) At(i GramsPerKWh) GramsCO2e {
	return GramsCO2e(float64(float64(j)/joulesPerKWh) * float64(i))
}

// Times scales j by a unit-less factor such as a PUE or a share.
func (j Joules) Times(f float64) Joules { return Joules(float64(j) * f) }

// Micro rounds j half away from zero to whole microjoules.
func (j Joules) Micro() Microjoules { return Microjoules(math.Round(float64(j) * microPerUnit)) }

// Joules converts µJ to J.
func (m Microjoules) Joules() Joules { return Joules(float64(m) / microPerUnit) }

// KWh converts J to kWh.
func (j Joules) KWh() float64 { return float64(j) / joulesPerKWh }

// JoulesOfKWh converts kWh to J.
func JoulesOfKWh(kwh float64) Joules { return Joules(kwh * joulesPerKWh) }

// Times scales w by a unit-less factor.
func (w Watts) Times(f float64) Watts { return Watts(float64(w) * f) }

// Times scales g by a unit-less factor.
func (g GramsCO2e) Times(f float64) GramsCO2e { return GramsCO2e(float64(g) * f) }

// Micrograms rounds g to whole µg, the unit of the policy contract.
func (g GramsCO2e) Micrograms() int64 { return saturate(float64(g) * microPerUnit) }

// Times scales u by a unit-less factor.
func (u USD) Times(f float64) USD { return USD(float64(u) * f) }

// Nano rounds u to whole nUSD, the unit of the policy contract.
func (u USD) Nano() int64 { return saturate(float64(u) * 1e9) }

// For returns the energy of moving b bytes.
func (k KWhPerGB) For(b Bytes) Joules {
	return Joules(float64(float64(k)*b.GB()) * joulesPerKWh)
}

// For returns what a wait of d is worth at rate r.
func (r GramsPerSecond) For(d time.Duration) GramsCO2e { return GramsCO2e(float64(r) * d.Seconds()) }

// For returns what u is worth at rate r.
func (r GramsPerUSD) For(u USD) GramsCO2e { return GramsCO2e(float64(r) * float64(u)) }

// GiB returns b in binary gigabytes.
func (b Bytes) GiB() float64 { return float64(b) / float64(GiB) }

// GB returns b in decimal gigabytes.
func (b Bytes) GB() float64 { return float64(b) / float64(GB) }

// VCPU returns m in whole vCPUs.
func (m MilliCPU) VCPU() float64 { return float64(m) / 1000 }

// Valid reports whether i can be an intensity of a grid: finite, above 0 and at
// most MaxIntensity. Feeds answer 0, null and negative numbers when they break.
func (i GramsPerKWh) Valid() bool {
	return i > 0 && i <= MaxIntensity // NaN fails both
}

// MaxIntensity is the highest plausible intensity: pure lignite plants stay
// under 1,400 g/kWh, so anything over 3,000 is a unit error.
const MaxIntensity GramsPerKWh = 3000

func saturate(f float64) int64 {
	f = math.Round(f)
	switch {
	case math.IsNaN(f):
		return 0
	case f >= math.MaxInt64:
		return math.MaxInt64
	case f <= math.MinInt64:
		return math.MinInt64
	}
	return int64(f)
}
