package exporter

import (
	"runtime"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Folded is the function label of all functions past Config.MaxFunctions.
const Folded = "(other)"

// Exporter keeps the series of every family and serves them. Publish is for one
// goroutine; ServeHTTP may be called from any.
type Exporter struct {
	cfg Config
	// registry holds what client_golang counts: the histogram, the process.
	registry *prometheus.Registry
	energy   *prometheus.HistogramVec

	mu        sync.Mutex // guards all below
	epoch     uint64
	books     [families]*book
	pairs     pairs
	zones     map[zoneName]int64
	functions map[functionName]int // in the order in which they came
	// recent is the last answer of shown; known is false before there is one.
	recent struct {
		known    bool
		function functionName
		shown
	}

	pages pages
}

// zoneName is a zone of a meter.
type zoneName struct{ meter, key string }

// functionName is a function with its namespace.
type functionName struct{ namespace, function string }

// shown is how a function is exported.
type shown struct {
	functionName
	detailed bool
}

// New returns an Exporter without a snapshot.
func New(cfg Config) (*Exporter, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	e := &Exporter{
		cfg: cfg, registry: prometheus.NewRegistry(),
		pairs: pairs{known: map[[2]string]*dto.LabelPair{}},
		zones: map[zoneName]int64{}, functions: map[functionName]int{},
		pages: pages{of: map[pageKey]*page{}},
	}
	if !cfg.Start.IsZero() {
		e.pairs.start = timestamppb.New(cfg.Start)
	}
	catalogue := Catalogue()
	for i, f := range catalogue {
		e.books[i] = newBook(f)
	}
	h := catalogue[invocationEnergy]
	e.energy = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: h.Name, Help: h.Help, Buckets: cfg.Buckets,
		// Neighbouring buckets differ by at most 10 %; past 160 of them the
		// resolution is halved, so that memory is bounded.
		NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 160,
	}, h.Labels)
	all := []prometheus.Collector{e.energy}
	if cfg.Process {
		all = append(all, newProcess(), collectors.NewGoCollector(collectors.WithGoCollectorMemStatsMetricsDisabled()))
	}
	for _, c := range all {
		if err := e.registry.Register(c); err != nil {
			return nil, err
		}
	}
	e.set(buildInfo, 1, cfg.Version, goVersion())
	return e, nil
}

// clean makes a label value that every format can carry.
func clean(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

func cleaned(labels []string) (v values) {
	for i, l := range labels {
		v[i] = clean(l)
	}
	return v
}

// count, grow and set book one value in a family.
func (e *Exporter) count(f id, total int64, labels ...string) {
	v := cleaned(labels)
	e.books[f].count(e.epoch, v, v, total)
}

func (e *Exporter) grow(f id, by int64, labels ...string) {
	e.books[f].grow(cleaned(labels), by)
}

func (e *Exporter) set(f id, value float64, labels ...string) {
	e.books[f].set(e.epoch, cleaned(labels), value)
}

// countFunction books a counter whose first two labels are namespace and
// function; the others are for functions that are told apart.
func (e *Exporter) countFunction(f id, total int64, namespace, function string, more ...string) {
	name := functionName{clean(namespace), clean(function)}
	x := e.shown(name)
	v, w := values{name.namespace, name.function}, values{x.namespace, x.function}
	for i, l := range more {
		v[2+i] = l
		if x.detailed {
			w[2+i] = l
		}
	}
	e.books[f].count(e.epoch, v, w, total)
}

// shown is how a function is exported. It never changes for a function, so that
// no total moves from one series to another.
func (e *Exporter) shown(n functionName) shown {
	if e.recent.known && n == e.recent.function {
		return e.recent.shown
	}
	i, known := e.functions[n]
	if !known {
		i = len(e.functions)
		e.functions[n] = i
	}
	i = min(i, e.cfg.MaxFunctions)
	e.recent.known, e.recent.function = true, n
	e.recent.shown = shown{n, i < e.cfg.Detailed}
	if i == e.cfg.MaxFunctions {
		e.recent.functionName = functionName{"", Folded}
	}
	return e.recent.shown
}

func goVersion() string { return runtime.Version() }
