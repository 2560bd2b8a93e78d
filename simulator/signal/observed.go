package signal

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/wattle-project/wattle"
)

// View says how a scheduler comes to know a zone's intensity.
type View struct {
	// Delay is how long after the start of its period a live value can be read.
	// Default 0: the value of the current period is known.
	Delay time.Duration
	// Quality is that of live values. Default Measured.
	Quality wattle.Quality
	// Method, Smoothing and Err say how forecasts are made.
	Method    Method
	Smoothing Smoothing
	Err       Err
	// Issue is how often a forecast is made, Horizon how far it reaches. Default
	// 6 h and 48 h. An Issue of 0 means that there are no forecasts.
	Issue, Horizon time.Duration
	// Static is a yearly figure for when all else fails; 0 means that none is known.
	Static wattle.GramsPerKWh
	// Faults spoil what is read; they never touch the actual.
	Faults []Fault
}

// DefaultView reads live values at once and forecasts by Holt–Winters.
func DefaultView() View {
	return View{Method: HoltWinters, Smoothing: DefaultSmoothing(), Err: DefaultErr(), Issue: 6 * time.Hour, Horizon: 48 * time.Hour}
}

// longest is the furthest that a forecast reaches.
const longest = 31 * 24 * time.Hour

// Validate says which field of v is unusable.
func (v *View) Validate() error {
	share := func(x float64) bool { return x >= 0 && x <= 1 }
	switch {
	case v.Delay < 0:
		return fmt.Errorf("signal view: delay %s: want at least 0", v.Delay)
	case int(v.Method) >= len(methodNames()):
		return fmt.Errorf("signal view: method %s: want one of %q", v.Method, methodNames())
	case !share(v.Smoothing.Level) || !share(v.Smoothing.Season):
		return fmt.Errorf("signal view: smoothing %+v: want shares from 0 to 1", v.Smoothing)
	case !(v.Err.Day >= 0 && v.Err.Day <= 10) || !(v.Err.Bias > -1 && v.Err.Bias <= 10) || !share(v.Err.Correlation):
		return fmt.Errorf("signal view: error %+v: want day from 0 to 10, bias above -1, correlation from 0 to 1", v.Err)
	case v.Issue != 0 && (v.Issue < time.Minute || v.Horizon < v.Issue || v.Horizon > longest):
		return fmt.Errorf("signal view: issue every %s with a horizon of %s: want at least 1m, or 0 for none, and a horizon from there to %s", v.Issue, v.Horizon, longest)
	case v.Static != 0 && !v.Static.Valid():
		return fmt.Errorf("signal view: static %g g/kWh: want a value above 0 up to %g, or 0 for none", float64(v.Static), float64(wattle.MaxIntensity))
	}
	for i := range v.Faults {
		if err := v.Faults[i].Validate(); err != nil {
			return err
		}
	}
	return nil
}

// Observed is what a scheduler sees of one zone. It answers as of a moment and
// never reads a step of the actual that is not over or due by then, but for a
// Provider's forecast, whose error is its model. It caches one forecast and one
// history: it is not safe for concurrent use.
type Observed struct {
	actual   Actual
	view     View
	issued   int64 // Unix ns of the cached forecast; 0 for none
	forecast Forecast
}

// NewObserved returns the view of an actual series, which must not be empty.
func NewObserved(a Actual, v View) (*Observed, error) {
	if err := v.Validate(); err != nil {
		return nil, err
	}
	if a.Len() == 0 {
		return nil, errors.New("signal view: the series is empty")
	}
	return &Observed{actual: a, view: v}, nil
}

// At returns what the scheduler knows at t of the intensity at t: the live
// value; else the latest forecast; else the last good value, at most two periods
// old; else the mean of the same time of day over the last 7 days; else the
// static figure; else the world mean as a flagged prior. A last good value is
// carried on along the course of earlier days, and what repeats earlier days is
// moved by what the last good value differed from them, which fades. A live value
// that is out of all proportion to those days is not taken for one.
// FetchedAt is when the value was fresh, so t − FetchedAt is its age.
func (o *Observed) At(t time.Time) wattle.Signal {
	ns := t.UnixNano()
	if v, stamp, ok := o.live(ns); ok && !o.leaps(v, ns) {
		return o.signal(v, o.view.Quality, ns, stamp)
	}
	if f := o.issue(ns); f != nil {
		if v := f.value(ns); v == v {
			if o.view.Method == Persistence {
				v = o.moved(v, ns, func(at int64) float64 {
					v, _, ok := o.live(at - day)
					return orNaN(v, ok)
				})
			}
			return o.signal(v, wattle.Forecast, ns, f.Issued.UnixNano())
		}
	}
	past, n := o.sameHour(ns)
	if n > 0 {
		past = o.moved(past, ns, func(at int64) float64 { v, _ := o.sameHour(at); return v })
	}
	if v, at, ok := o.lastGood(ns, 2); ok && o.recent(at, ns) {
		if n == 0 {
			past = v
		}
		return o.signal(past, wattle.LastGood, ns, at)
	}
	if n > 0 {
		return o.signal(past, wattle.Historic, ns, ns-day)
	}
	if o.view.Static != 0 {
		return o.signal(float64(o.view.Static), wattle.Static, ns, o.actual.start)
	}
	return o.signal(float64(wattle.UnknownIntensity), wattle.Prior, ns, o.actual.start)
}

// recent reports whether a value measured at at may stand in at ns: its period
// ended less than two periods before. A feed may have shown it later than that.
func (o *Observed) recent(at, ns int64) bool {
	p := o.actual.period
	ended := at - floorMod(at-o.actual.start, p) + p
	return ns-ended < 2*p
}

// lastGood is the latest live value of the periods before ns, and its time.
func (o *Observed) lastGood(ns int64, periods int) (v float64, at int64, ok bool) {
	for range periods {
		ns -= o.actual.period
		if v, at, ok = o.live(ns); ok && !o.leaps(v, ns) {
			return v, at, true
		}
	}
	return 0, 0, false
}

// leap is how many times more or less than at the same time of the last 7 days a
// live value must be to be taken for an error of the feed: grids change their mix
// over days, feeds their units over night. It takes leapDays of them to tell.
const (
	leap     = 4
	leapDays = 3
)

func (o *Observed) leaps(v float64, ns int64) bool {
	mean, n := o.sameHour(ns)
	return n >= leapDays && (v > float64(mean*leap) || float64(v*leap) < mean)
}

// fade is the share of a departure from earlier days that is left an hour later.
const fade = 0.9

// moved is what base, a repetition of earlier days at ns, comes to if the
// departure of the last good value of the day from them fades.
func (o *Observed) moved(base float64, ns int64, earlier func(int64) float64) float64 {
	v, at, ok := o.lastGood(ns, int(day/o.actual.period))
	if !ok {
		return base
	}
	departure, hours := v-earlier(at), int((ns-at)/int64(time.Hour))
	for range hours {
		departure *= fade
	}
	if moved := base + departure; validIntensity(moved) {
		return moved
	}
	return base
}

func orNaN(v float64, ok bool) float64 {
	if !ok {
		return math.NaN()
	}
	return v
}

// Outlook returns the latest forecast that was issued by t, and false when
// there is none. Its first step may lie before t.
func (o *Observed) Outlook(t time.Time) (Forecast, bool) {
	if f := o.issue(t.UnixNano()); f != nil {
		return *f, f.Missing() < f.Len()
	}
	return Forecast{}, false
}

func (o *Observed) signal(v float64, q wattle.Quality, ns, fresh int64) wattle.Signal {
	from := ns - floorMod(ns-o.actual.start, o.actual.period)
	return wattle.Signal{
		Zone: o.actual.Zone, Kind: o.actual.Kind, Scope: o.actual.Scope,
		Intensity: wattle.GramsPerKWh(v), Quality: q, Provider: o.actual.Provider,
		From: time.Unix(0, from).UTC(), To: time.Unix(0, from+o.actual.period).UTC(),
		FetchedAt: time.Unix(0, min(fresh, ns)).UTC(),
	}
}

func floorMod(a, b int64) int64 {
	m := a % b
	if m < 0 {
		m += b
	}
	return m
}

// live reads the feed at ns: the value, when it was measured, and whether it is
// usable. A value that says itself that it is over two periods old is not live.
func (o *Observed) live(ns int64) (v float64, stamp int64, ok bool) {
	delay := int64(o.view.Delay)
	for i := range o.view.Faults {
		delay += o.view.Faults[i].delay(ns)
	}
	shown := ns - delay
	stamp = shown
	dead := false
	for i := range o.view.Faults {
		f := &o.view.Faults[i]
		dead = dead || f.mute(ns)
		if f.Kind == Frozen && f.active(ns) {
			shown = min(shown, f.From.UnixNano())
		}
		if f.Kind == Stale && f.active(ns) {
			shown = min(shown, f.From.UnixNano())
			stamp = min(stamp, shown)
		}
	}
	v = o.actual.value(shown)
	for i := range o.view.Faults {
		v = o.view.Faults[i].spoil(v, ns)
	}
	usable := !dead && validIntensity(v) && ns-stamp <= 2*o.actual.period
	return v, stamp, usable
}

// sameHour is the mean of what was seen at this time of day on 7 days before.
func (o *Observed) sameHour(ns int64) (mean float64, n int) {
	for k := int64(1); k <= historyDays; k++ {
		if v, _, ok := o.live(ns - k*day); ok {
			mean += v
			n++
		}
	}
	if n == 0 {
		return math.NaN(), 0
	}
	return mean / float64(n), n
}

// issue returns the latest forecast made at or before ns, or nil. A feed that
// is dead when a forecast is due leaves the one before in force while it reaches.
func (o *Observed) issue(ns int64) *Forecast {
	every := int64(o.view.Issue)
	if every == 0 {
		return nil
	}
	due := ns - floorMod(ns-o.actual.start, every)
	first := o.actual.start + 1 // what is forecast from the past needs some
	if o.view.Method == Provider {
		first = o.actual.start
	}
	for ; due > ns-int64(o.view.Horizon) && due >= first; due -= every {
		if due == o.issued {
			return &o.forecast
		}
		if !o.deadAt(due) {
			o.issued, o.forecast = due, o.make(due)
			return &o.forecast
		}
	}
	return nil
}

func (o *Observed) deadAt(ns int64) bool {
	for i := range o.view.Faults {
		if o.view.Faults[i].mute(ns) {
			return true
		}
	}
	return false
}

// make issues a forecast from what was seen until then, not from the actual.
func (o *Observed) make(ns int64) Forecast {
	issued := time.Unix(0, ns).UTC()
	n := int(int64(o.view.Horizon)/o.actual.period) + 1
	if o.view.Method == Provider {
		return Perturb(o.actual, issued, n, o.view.Err)
	}
	seen := o.seen(issued)
	if o.view.Method == HoltWinters {
		return Smooth(seen, n, o.view.Smoothing)
	}
	return Persist(seen, n)
}

// seen is the last 7 days as the feed showed them; what was bad is a gap.
func (o *Observed) seen(t time.Time) Actual {
	past := o.actual.Until(t)
	from := max(0, len(past.values)-historyDays*int(day/past.period))
	values := make([]float64, len(past.values)-from)
	for i := range values {
		// The end of a step, once it is published, shows that step.
		at := past.start + int64(from+i+1)*past.period - 1 + int64(o.view.Delay)
		values[i] = math.NaN()
		if v, _, ok := o.live(at); ok && at < t.UnixNano() {
			values[i] = v
		}
	}
	past.steps = newSteps(past.time(from), past.Period(), values, validIntensity)
	return past
}
