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
	series *series
	epoch  uint64
	sum    int64 // of this epoch so far
	last   int64 // highest sum of any epoch
}

// series is one exported line, in one piece of memory; row is that of its own
// labels.
type series struct {
	row
	total   int64
	value   float64
	text    string // of the labels, as labelText gives it
	metric  dto.Metric
	counter dto.Counter
	labels  [maxLabels]*dto.LabelPair
}

// book holds the series of one family. A counter is an integer that only grows:
// each row adds what it grew by, so that neither a row that is left out nor one
// that fell can take anything away, or add what was counted before.
type book struct {
	family Family
	order  []int // positions of Labels by name
	rows   map[values]*row
	sorted bool // whether lines and dto.Metric have all series in order
	lines  []*series
	dto    dto.MetricFamily
}

func newBook(f Family) *book {
	b := &book{family: f, rows: make(map[values]*row)}
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

// line returns a new series with value 0.
func (b *book) line(v values, p *pairs) *series {
	s := new(series)
	s.series, s.text = s, labelText(&b.family, b.order, v)
	n := 0
	for _, i := range b.order {
		if v[i] != "" {
			s.labels[n] = p.of(b.family.Labels[i], v[i])
			n++
		}
	}
	s.metric.Label = s.labels[:n:n]
	if b.family.Type == CounterType {
		s.counter.Value, s.counter.CreatedTimestamp = &s.value, p.start
		s.metric.Counter = &s.counter
	} else {
		s.metric.Gauge = &dto.Gauge{Value: &s.value}
	}
	b.sorted = false
	return s
}

// find returns the row of v. A row is made for it, whose series is that of
// shown, unless it would be left out as never above 0.
func (b *book) find(v, shown values, zero bool, p *pairs) *row {
	if r, ok := b.rows[v]; ok {
		return r
	}
	if zero && b.family.sparse {
		return nil
	}
	var r *row
	if v == shown {
		r = &b.line(v, p).row
	} else {
		r = &row{series: b.find(shown, shown, false, p).series}
	}
	b.rows[v] = r
	return r
}

// count takes the total of a row of a counter. Rows of one epoch with equal
// labels are added up. A negative total counts as 0.
func (b *book) count(epoch uint64, v, shown values, total int64, p *pairs) {
	total = max(total, 0)
	r := b.find(v, shown, total == 0, p)
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
func (b *book) set(epoch uint64, v values, value float64, p *pairs) {
	s := b.find(v, v, false, p).series
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
	clear(b.dto.Metric)
	b.lines, b.dto.Metric = b.lines[:0], b.dto.Metric[:0]
	for _, v := range own {
		s := b.rows[v].series
		b.lines, b.dto.Metric = append(b.lines, s), append(b.dto.Metric, &s.metric)
	}
	b.sorted = true
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
func (b *book) grow(v values, by int64, p *pairs) {
	s := b.find(v, v, false, p).series
	s.total = plus(s.total, max(by, 0))
	s.value = float64(s.total) / b.family.scale
}
