package emissions

import (
	"cmp"
	"slices"
	"time"

	"github.com/wattle-project/wattle"
)

// Account is one function's energy since the start, and what it reserves now.
type Account struct {
	Namespace, Function string
	Energy              wattle.Microjoules
	Reserved            wattle.Resources
}

// Lookup returns the intensity at a moment, past or present, without waiting.
type Lookup func(at time.Time) wattle.Signal

// Total is the operational emissions of the machine that were reckoned with
// intensities of one zone, kind and quality, and the energy that they are for.
type Total struct {
	Zone    wattle.ZoneID
	Kind    wattle.SignalKind
	Quality wattle.Quality
	Grams   wattle.GramsCO2e
	Energy  wattle.Microjoules
}

// FunctionTotal is the emissions of one function since the start.
type FunctionTotal struct {
	Namespace, Function   string
	Operational, Embodied wattle.GramsCO2e
}

// Integrator adds up emissions. It is not safe for concurrent use.
type Integrator struct {
	cfg       Config
	from      time.Time // energy up to here is reckoned
	seen      time.Time // embodied emissions up to here are
	energy    wattle.Microjoules
	totals    []Total
	embodied  wattle.GramsCO2e
	functions map[name]*account
	parts     []part
}

// name is a function with its namespace.
type name struct{ namespace, function string }

// account is what is known of one function.
type account struct {
	total  FunctionTotal
	energy wattle.Microjoules // reckoned so far
}

// part is a stretch of a step with one intensity.
type part struct {
	signal wattle.Signal
	length time.Duration
}

// New returns an Integrator of energy that is counted from 0 at start.
func New(start time.Time, cfg Config) (*Integrator, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &Integrator{cfg: cfg, from: start, seen: start, functions: map[name]*account{}}, nil
}

// Step takes the totals at a moment: machine is the energy of the whole cover,
// accounts that of functions, which is part of it. It reports whether they were
// reckoned; otherwise they wait, and the next step that is takes them in. When
// the clock stepped back, the energy since is reckoned at the new time.
func (m *Integrator) Step(at time.Time, machine wattle.Microjoules, accounts []Account, look Lookup) bool {
	m.make(at, accounts)
	if !at.After(m.from) {
		m.from = at
		return false
	}
	if !m.split(at, look) && at.Sub(m.from) < m.cfg.Patience {
		return false
	}
	m.reckon(at, machine)
	mean := m.mean(at.Sub(m.from))
	for i := range accounts {
		a := m.account(&accounts[i])
		if grown := accounts[i].Energy - a.energy; grown > 0 {
			a.total.Operational += grown.Joules().Times(m.cfg.PUE).At(mean)
			a.energy = accounts[i].Energy
		}
	}
	m.from = at
	return true
}

// probe is how long after an unusable answer the next is sought.
const probe = time.Minute

// split cuts [from, at) where the intensity changes and reports whether a
// usable one is known for all of it. Where none is, a prior stands in.
func (m *Integrator) split(at time.Time, look Lookup) bool {
	m.parts = m.parts[:0]
	known := true
	for t := m.from; t.Before(at); {
		s := look(t)
		if m.usable(s, t) {
			known = known && s.Quality != wattle.Prior
		} else {
			known = false
			s = wattle.Signal{Zone: s.Zone, Intensity: wattle.UnknownIntensity, Kind: m.cfg.Kind, Scope: m.cfg.Scope, Quality: wattle.Prior, To: t.Add(probe)}
		}
		end := s.To
		if end.After(at) {
			end = at
		}
		m.parts = append(m.parts, part{s, end.Sub(t)})
		t = end
	}
	return known
}

func (m *Integrator) usable(s wattle.Signal, t time.Time) bool {
	return s.Intensity.Valid() && s.Kind == m.cfg.Kind && s.Scope == m.cfg.Scope && s.To.After(t)
}

// reckon books the machine's energy since the last time by the parts' lengths;
// whole microjoules, of which none is lost.
func (m *Integrator) reckon(at time.Time, machine wattle.Microjoules) {
	grown := machine - m.energy
	if grown <= 0 {
		return
	}
	m.energy = machine
	length, passed, given := at.Sub(m.from), time.Duration(0), wattle.Microjoules(0)
	for _, p := range m.parts {
		passed += p.length
		upTo := min(grown, grown.Joules().Times(float64(passed)/float64(length)).Micro())
		if passed == length {
			upTo = grown
		}
		t := m.total(p.signal)
		t.Energy += upTo - given
		t.Grams += (upTo - given).Joules().Times(m.cfg.PUE).At(p.signal.Intensity)
		given = upTo
	}
}

func (m *Integrator) total(s wattle.Signal) *Total {
	for i := range m.totals {
		if t := &m.totals[i]; t.Zone == s.Zone && t.Kind == s.Kind && t.Quality == s.Quality {
			return t
		}
	}
	m.totals = append(m.totals, Total{Zone: s.Zone, Kind: s.Kind, Quality: s.Quality})
	return &m.totals[len(m.totals)-1]
}

// mean is the intensity over the step, weighted by time.
func (m *Integrator) mean(length time.Duration) wattle.GramsPerKWh {
	var sum float64
	for _, p := range m.parts {
		sum += float64(p.signal.Intensity) * (float64(p.length) / float64(length))
	}
	return wattle.GramsPerKWh(sum)
}

// make adds embodied emissions for the time since the last step.
func (m *Integrator) make(at time.Time, accounts []Account) {
	d := at.Sub(m.seen)
	m.seen = at
	if d <= 0 || m.cfg.Embodied == nil {
		return
	}
	m.embodied += m.cfg.Embodied(m.cfg.Machine, d)
	for i := range accounts {
		if accounts[i].Reserved != (wattle.Resources{}) {
			m.account(&accounts[i]).total.Embodied += m.cfg.Embodied(accounts[i].Reserved, d)
		}
	}
}

func (m *Integrator) account(a *Account) *account {
	key := name{a.Namespace, a.Function}
	if k := m.functions[key]; k != nil {
		return k
	}
	k := &account{total: FunctionTotal{Namespace: a.Namespace, Function: a.Function}}
	m.functions[key] = k
	return k
}

// AppendTotals adds the operational emissions of the machine, by zone, kind and
// quality.
func (m *Integrator) AppendTotals(dst []Total) []Total {
	n := len(dst)
	dst = append(dst, m.totals...)
	slices.SortFunc(dst[n:], func(a, b Total) int {
		return cmp.Or(cmp.Compare(a.Zone, b.Zone), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Quality, b.Quality))
	})
	return dst
}

// Embodied returns the embodied emissions of the machine since the start.
func (m *Integrator) Embodied() wattle.GramsCO2e { return m.embodied }

// Waiting returns the end of what is reckoned; energy after it waits.
func (m *Integrator) Waiting() time.Time { return m.from }

// AppendFunctions adds the emissions of every function, ordered by namespace
// and function.
func (m *Integrator) AppendFunctions(dst []FunctionTotal) []FunctionTotal {
	n := len(dst)
	for _, a := range m.functions {
		dst = append(dst, a.total)
	}
	slices.SortFunc(dst[n:], func(a, b FunctionTotal) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Function, b.Function))
	})
	return dst
}
