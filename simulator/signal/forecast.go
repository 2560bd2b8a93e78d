package signal

import (
	"fmt"
	"math"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/simulator/workload/random"
)

// Method names a way of forecasting.
type Method uint8

// Methods of forecasting.
const (
	// Persistence says that every step is as it was 24 h earlier.
	Persistence Method = iota
	// HoltWinters smooths level and a season of 24 h, additively and without
	// trend (Winters, Management Science 6, 1960), over the last 7 days.
	HoltWinters
	// Provider is a bought forecast: the actual with an error that grows with
	// the lead time. It exists in simulation only.
	Provider
)

func methodNames() []string { return []string{"persistence", "holt-winters", "provider"} }

// String returns the name used in experiment files.
func (m Method) String() string {
	if names := methodNames(); int(m) < len(names) {
		return names[m]
	}
	return fmt.Sprintf("invalid(%d)", uint8(m))
}

// UnmarshalText reads a name printed by String.
func (m *Method) UnmarshalText(b []byte) error {
	for i, n := range methodNames() {
		if n == string(b) {
			*m = Method(i)
			return nil
		}
	}
	return fmt.Errorf("forecast method %q: want one of %q", b, methodNames())
}

const (
	day         = int64(24 * time.Hour)
	historyDays = 7
)

// newForecast makes a series of n steps that begins where history ends.
func newForecast(history *Series, n int, at func(i int) float64) Forecast {
	values := make([]float64, n)
	for i := range values {
		values[i] = at(i)
	}
	s := *history
	s.steps = newSteps(history.End(), history.Period(), values, validIntensity)
	return Forecast{Series: s, Issued: s.Start()}
}

// Persist forecasts n steps from the end of history, which must reach back 24 h
// for every step to have a value. A gap 24 h earlier is looked for a day earlier
// still, up to 7 days.
func Persist(history Actual, n int) Forecast {
	season := int(day / max(history.period, 1))
	return newForecast(&history.Series, n, func(i int) float64 {
		for back := 1; back <= historyDays && season > 0; back++ {
			j := len(history.values) + i%season - back*season
			if j >= 0 && j < len(history.values) && history.values[j] == history.values[j] {
				return history.values[j]
			}
		}
		return math.NaN()
	})
}

// Smoothing holds the weights of HoltWinters, each in [0, 1].
type Smoothing struct{ Level, Season float64 }

// DefaultSmoothing follows the level slowly and the season slower.
func DefaultSmoothing() Smoothing { return Smoothing{Level: 0.3, Season: 0.2} }

// Smooth forecasts n steps from the end of history by additive exponential
// smoothing of a level ℓ and a season s of 24 h:
//
//	ℓ ← α(x − s) + (1 − α)ℓ,   s ← γ(x − ℓ) + (1 − γ)s,   forecast = ℓ + s.
//
// Gaps leave both as they are. Without two days of history it persists.
func Smooth(history Actual, n int, w Smoothing) Forecast {
	season := int(day / max(history.period, 1))
	from := max(0, len(history.values)-historyDays*season)
	x := history.values[from:]
	if season == 0 || len(x) < 2*season {
		return Persist(history, n)
	}
	level, known := 0.0, 0
	for _, v := range x[:season] {
		if v == v {
			level += v
			known++
		}
	}
	if known == 0 {
		return Persist(history, n)
	}
	level /= float64(known)
	seasonal := make([]float64, season)
	for i, v := range x[:season] {
		if v == v {
			seasonal[i] = v - level
		}
	}
	for i, v := range x[season:] {
		if v == v {
			s := &seasonal[i%season]
			level = float64(w.Level*(v-*s)) + float64((1-w.Level)*level)
			*s = float64(w.Season*(v-level)) + float64((1-w.Season)**s)
		}
	}
	return newForecast(&history.Series, n, func(i int) float64 {
		return max(level+seasonal[(len(x)+i)%season], 1)
	})
}

// Err says how wrong a Provider's forecast is.
type Err struct {
	// Day is the relative standard deviation of the error at a lead of 24 h; it
	// grows with the square root of the lead. 0.1 is typical of published day-ahead
	// forecasts of carbon intensity (Maji et al., CarbonCast, BuildSys 2022).
	Day float64
	// Bias is a relative offset at every lead, such as 0.05 for 5 % too much.
	Bias float64
	// Correlation is that of the errors of neighbouring steps, in [0, 1).
	Correlation float64
	Seed        uint64
}

// DefaultErr is 10 % a day ahead, unbiased, correlated over a few hours.
func DefaultErr() Err { return Err{Day: 0.1, Correlation: 0.8, Seed: 1} }

// Perturb makes the forecast of n steps that a provider with error e issues at
// a time, from the actual. What it draws depends on the seed, the zone and the
// time of issue alone.
func Perturb(a Actual, issued time.Time, n int, e Err) Forecast {
	history := a.Until(issued)
	stream := random.New(e.Seed, string(a.Zone))
	stream = stream.At(uint64(history.End().UnixNano()))
	fresh := math.Sqrt(1 - float64(e.Correlation*e.Correlation))
	z, first := stream.Normal(), len(history.values)
	return newForecast(&history.Series, n, func(i int) float64 {
		if i > 0 {
			z = float64(e.Correlation*z) + float64(fresh*stream.Normal())
		}
		if first+i >= len(a.values) {
			return math.NaN()
		}
		lead := float64(int64(i+1)*a.period) / float64(day)
		factor := 1 + e.Bias + float64(float64(e.Day*math.Sqrt(lead))*z)
		v := float64(a.values[first+i] * max(factor, 0.05))
		if v > float64(wattle.MaxIntensity) {
			return float64(wattle.MaxIntensity)
		}
		return v
	})
}
