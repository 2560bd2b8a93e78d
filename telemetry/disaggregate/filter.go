package disaggregate

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/wattle-project/wattle"
)

// column is one unknown power.
type column struct {
	function wattle.FunctionID
	cold     bool
	control  bool
	seconds  float64 // fading sum of busy seconds
	count    float64 // fading sum of invocations
	steps    int     // in which it ran
	lastRun  int     // number of the last step in which it ran
	spread   float64 // prior standard deviation, W
}

type columnKey struct {
	function wattle.FunctionID
	cold     bool
}

// Filter is the estimator. It is not safe for concurrent use.
type Filter struct {
	cfg     Config
	k       kalman
	columns []column
	index   map[columnKey]int
	row     []term

	steps   int
	perBusy mean // W per busy second over all functions
	level   mean // of |y|, J per second
	noise   noise

	counts  float64 // fading sum of invocations
	idle    float64 // fading sum of idle energy, J
	busy    float64 // fading sum of busy seconds of functions
	control float64 // fading sum of busy seconds of the control plane
}

// New returns a Filter that knows nothing.
func New(cfg Config) (*Filter, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &Filter{cfg: cfg, index: map[columnKey]int{}, noise: newNoise(cfg.Noise)}, nil
}

// mean is an exponentially fading weighted mean.
type mean struct{ sum, weight float64 }

func (m *mean) add(v, w, keep float64) {
	m.sum = float64(m.sum*keep) + v
	m.weight = float64(m.weight*keep) + w
}

func (m *mean) value() float64 {
	if m.weight <= 0 {
		return 0
	}
	return m.sum / m.weight
}

// Update takes in one step. It returns an error, and changes nothing, when the
// step is not a positive interval or holds a number that cannot be.
func (f *Filter) Update(s *Step) error {
	if err := s.validate(); err != nil {
		return err
	}
	d := s.To.Sub(s.From).Seconds()
	keep := math.Exp(-d / f.cfg.Memory.Seconds())
	f.steps++
	f.fade(keep)
	f.learnScale(s, d, keep)
	f.collect(s)
	f.drift(d)
	if !s.Unknown && len(f.row) > 0 {
		f.measure(float64(s.Dynamic), float64(s.Idle), d)
	}
	return nil
}

func (s *Step) validate() error {
	ok := s.To.After(s.From) && sane(s.ControlPlane) && !math.IsNaN(float64(s.Dynamic)) &&
		!math.IsInf(float64(s.Dynamic), 0) && sane(float64(s.Idle))
	for _, r := range s.Runs {
		ok = ok && sane(r.Warm) && sane(r.Cold) && sane(r.Untold) && sane(r.WarmBusy) && sane(r.ColdBusy)
	}
	if !ok {
		return fmt.Errorf("disaggregate: step from %s to %s is empty or holds a negative, infinite or missing number", s.From.Format(time.RFC3339Nano), s.To.Format(time.RFC3339Nano))
	}
	return nil
}

func sane(v float64) bool { return v >= 0 && v <= math.MaxFloat32 }

func (f *Filter) fade(keep float64) {
	f.counts *= keep
	f.idle *= keep
	f.busy *= keep
	f.control *= keep
	for i := range f.columns {
		f.columns[i].seconds *= keep
		f.columns[i].count *= keep
	}
}

// learnScale keeps what the prior of a new function and the noise are scaled by.
func (f *Filter) learnScale(s *Step, d, keep float64) {
	busy := s.ControlPlane
	for _, r := range s.Runs {
		busy += r.WarmBusy + r.ColdBusy
	}
	f.idle += float64(s.Idle)
	if s.Unknown {
		return
	}
	f.perBusy.add(math.Max(float64(s.Dynamic), 0), busy, keep)
	f.level.add(math.Abs(float64(s.Dynamic)), d, keep)
}

// collect makes the measurement row of a step, with a column for whatever runs
// the first time, and adds up counts.
func (f *Filter) collect(s *Step) {
	f.row = f.row[:0]
	if s.ControlPlane > 0 {
		f.control += s.ControlPlane
		f.enter(f.columnOf(columnKey{}, true), s.ControlPlane, 0)
	}
	for i := range s.Runs {
		r := &s.Runs[i]
		if r.WarmBusy > 0 || r.Warm > 0 {
			f.enter(f.columnOf(columnKey{r.Function, false}, false), r.WarmBusy, r.Warm)
		}
		if r.ColdBusy > 0 || r.Cold > 0 {
			f.enter(f.columnOf(columnKey{r.Function, true}, false), r.ColdBusy, r.Cold)
		}
		f.busy += r.WarmBusy + r.ColdBusy
		f.counts += r.Warm + r.Cold
	}
}

func (f *Filter) enter(i int, busy, count float64) {
	c := &f.columns[i]
	c.seconds += busy
	c.count += count
	c.lastRun = f.steps
	if busy > 0 {
		c.steps++
		f.row = append(f.row, term{i, busy})
	}
}

// columnOf finds or makes a column. The control plane has no function name.
func (f *Filter) columnOf(key columnKey, control bool) int {
	if control {
		key = columnKey{cold: true} // no function has an empty name
	}
	if i, ok := f.index[key]; ok {
		return i
	}
	m := f.perBusy.value()
	spread := f.cfg.PriorSpread * m
	if m == 0 { // nothing was metered yet: a wide guess for one core
		m, spread = 10, 50
	}
	c := column{function: key.function, cold: key.cold && !control, control: control, spread: spread, lastRun: f.steps}
	i := f.place(m, f.limit(spread))
	f.columns[i] = c
	f.index[key] = i
	return i
}

// limit is the variance of a prior in the unit of the covariance, which is that
// of the noise: it is set before the noise is known and scales with it.
func (f *Filter) limit(spread float64) float64 {
	v := spread / f.cfg.Noise
	return v * v
}

// place makes room for an unknown, if need be that of the longest quiet one.
func (f *Filter) place(mean, variance float64) int {
	if len(f.columns) < f.cfg.MaxColumns {
		f.columns = append(f.columns, column{})
		return f.k.grow(mean, variance)
	}
	old := 0
	for i := range f.columns {
		if f.columns[i].control {
			continue
		}
		if f.columns[old].control || f.columns[i].lastRun < f.columns[old].lastRun {
			old = i
		}
	}
	o := f.columns[old]
	delete(f.index, columnKey{o.function, o.cold})
	f.row = slices.DeleteFunc(f.row, func(t term) bool { return t.col == old })
	f.k.replace(old, mean, variance)
	return old
}

// drift adds the variance of a random walk to all powers.
func (f *Filter) drift(d float64) {
	if f.cfg.Drift == 0 {
		return
	}
	per := d / 3600 / f.noise.variance()
	for i := range f.columns {
		c := &f.columns[i]
		step := f.cfg.Drift * math.Max(f.k.x[i], 0.1*c.spread)
		f.k.predict(i, float64(step*step)*per, f.limit(c.spread))
	}
}

// floor is the least dynamic energy, as a share of the mean, that noise is
// taken to be proportional to.
const floor = 0.1

// measure corrects the powers by one reading of y joules over d seconds.
func (f *Filter) measure(y, idle, d float64) {
	guess, spread := f.k.project(f.row)
	scale := idle + math.Max(guess, floor*f.level.value()*d)
	if scale <= 0 {
		return
	}
	r := scale * scale
	e := y - guess
	s := spread + r
	// A reading beyond six deviations is a fault more often than news: let it
	// move the powers no more than one at six would.
	if beyond := e * e / (36 * f.noise.variance()); beyond > s && f.noise.weight > trusted {
		s = beyond
	}
	f.noise.learn(e, s, r)
	f.k.correct(e, s)
	f.k.clip()
}

// noise is the relative variance of the meter, and the unit of the covariance:
// x has covariance σ²·P as in the normal–inverse-gamma model, so that P never
// depends on a wrong first guess. Each innovation e with predicted variance σ²·s
// is evidence about σ² as far as meter noise r makes up s.
type noise struct{ sum, weight float64 }

// trusted is the weight of evidence from which outliers are recognised, and
// fading the share of old evidence kept per full observation.
const (
	trusted = 20
	fading  = 0.998
	doubt   = 2 // weight of the first guess
)

func newNoise(guess float64) noise { return noise{sum: doubt * guess * guess, weight: doubt} }

func (n *noise) variance() float64 { return n.sum / n.weight }

func (n *noise) learn(e, s, r float64) {
	w := r / s
	v := e * e / s
	keep := 1 - (1-fading)*w
	n.sum = float64(n.sum*keep) + float64(w*v)
	n.weight = float64(n.weight*keep) + w
	n.sum = math.Max(n.sum, 1e-8*n.weight) // no meter is better than 0.01 %
}
