package exporter

import (
	"cmp"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// maxLabels is the most labels that a family has.
const maxLabels = 5

// values are the values of a family's labels in its order, valid UTF-8.
type values [maxLabels]string

// row is what a source last told under its own labels.
type row struct {
	labels values
	series *series
	epoch  uint64
	sum    int64 // of this epoch so far
	last   int64 // highest sum of any epoch
}

// series is one exported line; row is that of its own labels.
type series struct {
	row
	total int64
	value float64
	text  string // of the labels, as labelText gives it
	shown number
	dto   *dto.Metric
}

// read returns the series as text, formatted anew only if its value is another.
func (s *series) read() *number {
	if s.shown.n == 0 || s.shown.value != s.value {
		s.shown.format(s.value)
	}
	return &s.shown
}

// message is the memory of a series for protobuf, in one piece, made when it is
// first asked for.
type message struct {
	metric  dto.Metric
	counter dto.Counter
	gauge   dto.Gauge
	labels  [maxLabels]*dto.LabelPair
}

// book holds the series of one family. A counter is an integer that only grows:
// each row adds what it grew by, so that neither a row that is left out nor one
// that fell can take anything away, or add what was counted before.
type book struct {
	family Family
	order  []int // positions of Labels by name
	rows   map[values]*row
	// seen are the rows of count in the order of an epoch, which is nearly always
	// that of the next: most rows are found without their hash.
	seen   []*row
	next   int       // position in seen
	heads  [2]string // by whether it is OpenMetrics
	sorted bool      // whether lines has all series in order
	lines  []*series
	listed bool // whether dto.Metric has them too
	dto    dto.MetricFamily
}

func newBook(f Family) *book {
	b := &book{family: f, rows: make(map[values]*row), heads: [2]string{header(&f, false), header(&f, true)}}
	for i := range f.Labels {
		b.order = append(b.order, i)
	}
	slices.SortFunc(b.order, func(i, j int) int { return strings.Compare(f.Labels[i], f.Labels[j]) })
	b.dto.Name, b.dto.Help, b.dto.Type = proto.String(f.Name), proto.String(f.Help), dto.MetricType_GAUGE.Enum()
	if f.Type == CounterType {
		b.dto.Type = dto.MetricType_COUNTER.Enum()
	}
	if f.Unit != "" {
		b.dto.Unit = proto.String(f.Unit)
	}
	return b
}

// pairs makes label pairs that equal labels of all series share.
type pairs struct {
	known map[[2]string]*dto.LabelPair
	// start is when counters were at 0.
	start *timestamppb.Timestamp
}

func (p *pairs) of(name, value string) *dto.LabelPair {
	key := [2]string{name, value}
	if l, ok := p.known[key]; ok {
		return l
	}
	l := &dto.LabelPair{Name: proto.String(name), Value: proto.String(value)}
	p.known[key] = l
	return l
}

// message describes s for protobuf; its value is that of s itself.
func (b *book) message(s *series, v values, p *pairs) *dto.Metric {
	m, n := new(message), 0
	for _, i := range b.order {
		if v[i] != "" {
			m.labels[n] = p.of(b.family.Labels[i], v[i])
			n++
		}
	}
	m.metric.Label = m.labels[:n:n]
	if b.family.Type == CounterType {
		m.counter.Value, m.counter.CreatedTimestamp = &s.value, p.start
		m.metric.Counter = &m.counter
	} else {
		m.gauge.Value = &s.value
		m.metric.Gauge = &m.gauge
	}
	return &m.metric
}

// find returns the row of v. A row is made for it, whose series is that of
// shown, unless it would be left out as never above 0.
func (b *book) find(v, shown values, zero bool) *row {
	if r, ok := b.rows[v]; ok {
		return r
	}
	if zero && b.family.sparse {
		return nil
	}
	var r *row
	if v == shown {
		s := &series{text: labelText(&b.family, b.order, v)}
		r, s.series, b.sorted = &s.row, s, false
	} else {
		r = &row{series: b.find(shown, shown, false).series}
	}
	r.labels = v
	b.rows[v] = r
	return r
}

// follow is find for the rows of a counter, which come in some order.
func (b *book) follow(v, shown values, zero bool) *row {
	if b.next < len(b.seen) && b.seen[b.next].labels == v {
		b.next++
		return b.seen[b.next-1]
	}
	r := b.find(v, shown, zero)
	if r == nil {
		return nil
	}
	if b.next == len(b.seen) {
		b.seen = append(b.seen, r)
	}
	b.seen[b.next] = r
	b.next++
	return r
}

// count takes the total of a row of a counter. Rows of one epoch with equal
// labels are added up. A negative total counts as 0.
func (b *book) count(epoch uint64, v, shown values, total int64) {
	total = max(total, 0)
	r := b.follow(v, shown, total == 0)
	if r == nil {
		return
	}
	if r.epoch != epoch {
		r.epoch, r.sum = epoch, 0
	}
	r.sum = plus(r.sum, total)
	if grown := r.sum - r.last; grown > 0 {
		r.last = r.sum
		r.series.total = plus(r.series.total, grown)
		r.series.value = float64(r.series.total) / b.family.scale
	}
}

// plus adds without going past the range.
func plus(a, b int64) int64 {
	if c := a + b; c >= a {
		return c
	}
	return 1<<63 - 1
}

// set takes the value of a gauge; the last of an epoch holds.
func (b *book) set(epoch uint64, v values, value float64) {
	s := b.find(v, v, false).series
	s.epoch, s.value = epoch, value
}

// forget drops the series of gauges that this epoch did not set, so that an old
// value is not taken for a present one.
func (b *book) forget(epoch uint64) {
	if b.family.Type != GaugeType {
		return
	}
	for v, r := range b.rows {
		if r.epoch != epoch {
			delete(b.rows, v)
			b.sorted = false
		}
	}
}

// sort orders the series by labels, after some came or went.
func (b *book) sort() {
	if b.sorted {
		return
	}
	own := make([]values, 0, len(b.rows))
	for v, r := range b.rows {
		if r == &r.series.row { // others are folded into it
			own = append(own, v)
		}
	}
	slices.SortFunc(own, compare)
	clear(b.lines)
	b.lines = b.lines[:0]
	for _, v := range own {
		b.lines = append(b.lines, b.rows[v].series)
	}
	b.sorted, b.listed = true, false
}

// protobuf returns the family with its series in order. It is the book's own
// and changes with the next epoch.
func (b *book) protobuf(p *pairs) *dto.MetricFamily {
	if b.listed {
		return &b.dto
	}
	for v, r := range b.rows {
		if s := r.series; r == &s.row && s.dto == nil {
			s.dto = b.message(s, v, p)
		}
	}
	clear(b.dto.Metric)
	b.dto.Metric = b.dto.Metric[:0]
	for _, s := range b.lines {
		b.dto.Metric = append(b.dto.Metric, s.dto)
	}
	b.listed = true
	return &b.dto
}

func compare(x, y values) int {
	for i := range x {
		if c := cmp.Compare(x[i], y[i]); c != 0 {
			return c
		}
	}
	return 0
}

// grow adds to a counter whose rows are kept elsewhere.
func (b *book) grow(v values, by int64) {
	s := b.find(v, v, false).series
	s.total = plus(s.total, max(by, 0))
	s.value = float64(s.total) / b.family.scale
}
