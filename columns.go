package wattle

import (
	"slices"
	"time"
)

// Sandbox is the state in which a candidate would find its instance.
type Sandbox uint8

// Sandbox states, fastest first.
const (
	Warm Sandbox = iota
	Snapshot
	Cold
)

func sandboxNames() []string { return []string{"warm", "snapshot", "cold"} }

// String returns "warm", "snapshot" or "cold".
func (s Sandbox) String() string { return nameOf(sandboxNames(), int(s)) }

// Columns is a table of candidates, one slice per column, all of length Len.
// A measure fills columns in their own units; nothing is normalised.
type Columns struct {
	// What the candidate is.
	Target  []int32 // index into the fleet's targets
	Sandbox []Sandbox
	Delay   []time.Duration // start slot relative to now; 0 means now

	// Latency and its parts, means, plus the 95th percentile of the whole.
	Network, Start, Exec []time.Duration
	Mean, P95            []time.Duration

	// Energy of the parts as the meter at the machine would see them (no PUE).
	StartEnergy, ExecEnergy []Joules // dynamic
	IdleEnergy, NetEnergy   []Joules // share of idle power while reserved; network
	KeepEnergy              []Joules // share of idle power while kept warm afterwards
	Energy                  []Joules // sum of the five

	Carbon   []GramsCO2e // operational: energy × PUE × intensity over the run
	Embodied []GramsCO2e
	Cost     []USD

	Isolation []Isolation
	Quality   []Quality
	Age       []time.Duration
	Penalty   []GramsCO2e // added to G for a stale or missing signal

	// The memory of the columns of each type, for room candidates.
	durations []time.Duration
	joules    []Joules
	grams     []GramsCO2e
	room      int
}

// Len is the number of candidates.
func (c *Columns) Len() int { return len(c.Target) }

// Reset sets the length to n with every value zero, reusing memory: columns of
// one type lie one after the other, so that few pieces are cleared.
func (c *Columns) Reset(n int) {
	if n > c.room {
		c.allot(n)
	}
	clear(c.durations[:7*n])
	clear(c.joules[:6*n])
	clear(c.grams[:3*n])
	if n != len(c.Target) {
		c.cut(n)
	}
	clear(c.Target)
	clear(c.Sandbox)
	clear(c.Cost)
	clear(c.Isolation)
	clear(c.Quality)
}

// allot takes memory for n candidates.
func (c *Columns) allot(n int) {
	c.room = n
	c.durations, c.joules, c.grams = make([]time.Duration, 7*n), make([]Joules, 6*n), make([]GramsCO2e, 3*n)
	c.Target, c.Cost = make([]int32, 0, n), make([]USD, 0, n)
	c.Sandbox, c.Isolation, c.Quality = make([]Sandbox, 0, n), make([]Isolation, 0, n), make([]Quality, 0, n)
}

// cut gives every column the length n.
func (c *Columns) cut(n int) {
	for i, p := range []*[]time.Duration{&c.Delay, &c.Network, &c.Start, &c.Exec, &c.Mean, &c.P95, &c.Age} {
		*p = piece(c.durations, i, n)
	}
	for i, p := range []*[]Joules{&c.StartEnergy, &c.ExecEnergy, &c.IdleEnergy, &c.NetEnergy, &c.KeepEnergy, &c.Energy} {
		*p = piece(c.joules, i, n)
	}
	for i, p := range []*[]GramsCO2e{&c.Carbon, &c.Embodied, &c.Penalty} {
		*p = piece(c.grams, i, n)
	}
	c.Target, c.Sandbox, c.Cost, c.Isolation, c.Quality = c.Target[:n], c.Sandbox[:n], c.Cost[:n], c.Isolation[:n], c.Quality[:n]
}

// piece is column i of those that share s.
func piece[T any](s []T, i, n int) []T { return s[i*n : (i+1)*n : (i+1)*n] }

func zeroed[T any](s []T, n int) []T {
	s = slices.Grow(s[:0], n)[:n]
	clear(s)
	return s
}

// Attributes are the slow properties of a candidate that policies read, one
// per target, constant for as long as the fleet is.
type Attributes struct {
	Target       TargetID
	Cluster      ClusterID
	Zone         ZoneID
	Region       RegionID
	Country      string
	Jurisdiction string // "EU", "US"
	Provider     string // "aws", "gcp", "on-prem"
	Pool         string
	Hardware     string // CPU generation
	Accelerator  Accelerator
	Labels       map[string]string
}

// Denial is one reason why a candidate is forbidden.
type Denial struct {
	Code      string `json:"code"`      // stable, for example "residency"
	Msg       string `json:"msg"`       // for people
	Criterion string `json:"criterion"` // what was compared
	Limit     string `json:"limit"`
	Actual    string `json:"actual"`
}

// Verdicts is what a policy says of each candidate of a batch.
type Verdicts struct {
	// Denied has one entry per candidate: nil means allowed.
	Denied [][]Denial
	// Score is added to G, in µg-equivalent.
	Score []int64
}

// Reset sets the length to n with every candidate allowed and scored 0.
func (v *Verdicts) Reset(n int) { v.Denied, v.Score = zeroed(v.Denied, n), zeroed(v.Score, n) }

// Intent is what a policy wants for a request, independent of candidates.
type Intent struct {
	Objective Objective
	Limits    Limits
	Lifecycle LifecycleBounds
	// Policy is the digest of the policy that said so.
	Policy string
}

// Objective holds the exchange rates of G = carbon + seconds·rate + USD·rate.
type Objective struct {
	// Carbon weighs operational grams, normally 1; 0 ignores carbon.
	Carbon float64
	// Seconds and Dollars are what one second and one dollar are worth.
	Seconds GramsPerSecond
	Dollars GramsPerUSD
	// Embodied adds embodied grams to the objective: they are sunk, so only on request.
	Embodied bool
	// Signal chooses average (default) or marginal intensity.
	Signal SignalKind
}

// Limits are bounds that a candidate must keep; a zero bound is no bound.
// Per-mille bounds are relative: 1100 means "at most 110 %".
type Limits struct {
	Mean, P95 time.Duration
	// P95OverHome is relative to the home cluster's own p95 in its present state.
	P95OverHome int64
	Cost        USD
	// CostOverCheapest is relative to the cheapest candidate that is available
	// and not denied.
	CostOverCheapest int64
	Carbon           GramsCO2e
	StartWithin      time.Duration
	MinIsolation     Isolation
}

// LifecycleBounds bounds what the keep-alive part of the core may do. A zero bound
// is no bound.
type LifecycleBounds struct {
	KeepAliveMin, KeepAliveMax time.Duration
	// NoPrewarm forbids pre-warming.
	NoPrewarm bool
	// DeferMax bounds how long deferrable work may wait.
	DeferMax time.Duration
	// Signal is the kind of intensity that keep-alive is weighed by: the core sets
	// that of the objective, so that no weighing mixes kinds.
	Signal SignalKind
}
