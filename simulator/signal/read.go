package signal

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/simulator/trace/tabular"
)

// Options says what to read of a file of intensities.
type Options struct {
	// Scope chooses between the direct and the life-cycle column of Electricity
	// Maps files, and labels the values of the other formats.
	Scope wattle.SignalScope
	// Kind labels the values. Default average.
	Kind wattle.SignalKind
	// Zones are the zones wanted; empty means all. A plain file takes its one
	// zone from here, else from its name up to the first "." or "_".
	Zones []wattle.ZoneID
}

// Report counts what was read.
type Report struct {
	Rows int // records
	// Values that became gaps: empty or null, not positive, over 3,000 g/kWh,
	// and steps that no record mentions.
	Null, NotPositive, TooHigh, Absent int
}

// Gaps is the number of steps without a value.
func (r Report) Gaps() int { return r.Null + r.NotPositive + r.TooHigh + r.Absent }

// ReadFile reads the actual intensities at path, one series per zone, ordered by
// zone. A zone that occurs in several files (such as one per year) is joined.
func ReadFile(path string, o Options) ([]Actual, Report, error) {
	files, err := tabular.Find(path)
	if err != nil {
		return nil, Report{}, err
	}
	return readFiles(files, o)
}

func readFiles(files []tabular.File, o Options) ([]Actual, Report, error) {
	t := table{options: o, zones: map[wattle.ZoneID][]point{}}
	err := tabular.Each(files, func(f tabular.File, in io.Reader) error {
		return t.read(tabular.NewReader(f.Name, in), f.Base())
	})
	if err != nil {
		return nil, t.report, err
	}
	for _, z := range o.Zones {
		if t.zones[z] == nil {
			return nil, t.report, fmt.Errorf("%s: no zone %s: it has %s", files[0].Name, z, t.names())
		}
	}
	all := make([]Actual, 0, len(t.zones))
	for _, zone := range sortedZones(t.zones) {
		s, absent, err := regular(t.zones[zone], validIntensity)
		if err != nil {
			return nil, t.report, fmt.Errorf("zone %s: %w", zone, err)
		}
		t.report.Absent += absent
		all = append(all, Actual{Series{Zone: zone, Kind: o.Kind, Scope: o.Scope, Provider: files[0].Name, steps: s}})
	}
	return all, t.report, nil
}

func sortedZones[T any](m map[wattle.ZoneID]T) []wattle.ZoneID {
	zones := make([]wattle.ZoneID, 0, len(m))
	for z := range m {
		zones = append(zones, z)
	}
	slices.Sort(zones)
	return zones
}

// point is one record of one zone.
type point struct {
	at    int64 // Unix ns
	value float64
	where string // file:line, for errors
}

// table collects points per zone.
type table struct {
	options Options
	zones   map[wattle.ZoneID][]point
	report  Report
}

func (t *table) names() string {
	names := make([]string, 0, len(t.zones))
	for _, z := range sortedZones(t.zones) {
		names = append(names, string(z))
	}
	if len(names) > 12 {
		names = append(names[:12], "…")
	}
	return strings.Join(names, ", ")
}

func (t *table) wants(zone wattle.ZoneID) bool {
	return len(t.options.Zones) == 0 || slices.Contains(t.options.Zones, zone)
}

func (t *table) read(r *tabular.Reader, base string) error {
	if _, err := r.ReadHeader(); err != nil {
		return err
	}
	switch {
	case r.Column("Zone Id") >= 0:
		return t.electricityMaps(r)
	case r.Column("time") >= 0 && r.Column("value") >= 0:
		return t.plain(r, base)
	case len(r.Header()) > 1 && slices.Contains([]string{"datetime_utc", "datetime", "timestamp"}, strings.ToLower(r.Header()[0])):
		return t.wide(r)
	}
	return r.Fail(0, fmt.Errorf("unknown header %.100q: want Electricity Maps' (Datetime (UTC),…,Zone Id,…), datetime_utc,<zone>,… or time,value", strings.Join(r.Header(), ",")))
}

func (t *table) electricityMaps(r *tabular.Reader) error {
	zone, when, value := r.Column("Zone Id"), r.Column("Datetime (UTC)"), -1
	for i, h := range r.Header() {
		h = strings.ToLower(h)
		direct := strings.HasSuffix(h, "(direct)")
		cycle := strings.HasSuffix(h, "(lca)") || strings.HasSuffix(h, "(life cycle)")
		if strings.HasPrefix(h, "carbon intensity") && (direct && t.options.Scope == wattle.Direct || cycle && t.options.Scope == wattle.Lifecycle) {
			value = i
		}
	}
	if when < 0 || value < 0 {
		return r.Fail(0, fmt.Errorf("no column of carbon intensity with scope %s, or no \"Datetime (UTC)\": download the hourly CSV of Electricity Maps", t.options.Scope))
	}
	return t.rows(r, when, func() error {
		name, err := r.Text(zone)
		if err != nil {
			return err
		}
		return t.add(r, wattle.ZoneID(name), when, value)
	})
}

func (t *table) plain(r *tabular.Reader, base string) error {
	zone := zoneOf(base)
	if len(t.options.Zones) > 1 {
		return r.Fail(0, fmt.Errorf("a table of time,value is of one zone, %d were asked for", len(t.options.Zones)))
	}
	if len(t.options.Zones) == 1 {
		zone = t.options.Zones[0]
	}
	when, value := r.Column("time"), r.Column("value")
	return t.rows(r, when, func() error { return t.add(r, zone, when, value) })
}

// zoneOf is the start of a file's name up to the first "." or "_".
func zoneOf(base string) wattle.ZoneID {
	if i := strings.IndexAny(base, "._"); i > 0 {
		base = base[:i]
	}
	return wattle.ZoneID(base)
}

func (t *table) wide(r *tabular.Reader) error {
	return t.rows(r, 0, func() error {
		for i, h := range r.Header() {
			if i == 0 || h == "" {
				continue
			}
			if err := t.add(r, wattle.ZoneID(h), 0, i); err != nil {
				return err
			}
		}
		return nil
	})
}

func (t *table) rows(r *tabular.Reader, when int, add func() error) error {
	for {
		if _, err := r.Read(); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		t.report.Rows++
		if err := add(); err != nil {
			return err
		}
	}
}

// add takes one value of the current record.
func (t *table) add(r *tabular.Reader, zone wattle.ZoneID, when, value int) error {
	if !t.wants(zone) {
		return nil
	}
	at, err := parseTime(string(r.Field(when)))
	if err != nil {
		return r.Fail(when+1, err)
	}
	v, err := number(r, value)
	switch {
	case err != nil:
		return err
	case v != v:
		t.report.Null++
	case v <= 0:
		t.report.NotPositive++
	case v > float64(wattle.MaxIntensity):
		t.report.TooHigh++
	}
	t.zones[zone] = append(t.zones[zone], point{at, v, strconv.Itoa(r.Line())})
	return nil
}

// number reads a value that may be missing, which is NaN.
func number(r *tabular.Reader, i int) (float64, error) {
	b := r.Field(i)
	switch strings.ToLower(string(b)) {
	case "", "null", "nan", "none", "na", "n/a", "-":
		return math.NaN(), nil
	}
	v, err := strconv.ParseFloat(string(b), 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0, r.Fail(i+1, fmt.Errorf("%.40q: want a number, or nothing where there is no value", b))
	}
	return v, nil
}

// parseTime reads the layouts of the package documentation into Unix ns.
func parseTime(s string) (int64, error) {
	if seconds, err := strconv.ParseInt(s, 10, 64); err == nil && len(s) > 8 && seconds < 1e10 {
		return seconds * 1e9, nil
	}
	layouts := [...]string{
		"2006-01-02 15:04:05", time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05Z07:00",
		"2006-01-02T15:04Z07:00", "2006-01-02 15:04", "2006-01-02T15:04", "2006-01-02",
	}
	for _, layout := range layouts {
		if t, err := time.Parse(layout, s); err == nil && t.Year() > 1900 && t.Year() < 2200 {
			return t.UnixNano(), nil
		}
	}
	return 0, fmt.Errorf("%.40q: want a time such as 2023-01-31 13:00:00 (UTC)", s)
}

// maxSteps bounds a series: 64 years of hours, 5 years of 5-minute values.
const maxSteps = 600_000

// regular turns points into steps of the smallest distance between two of them.
func regular(points []point, valid func(float64) bool) (s steps, absent int, err error) {
	slices.SortStableFunc(points, func(a, b point) int { return cmp.Compare(a.at, b.at) })
	period := int64(math.MaxInt64)
	for i := 1; i < len(points); i++ {
		d := points[i].at - points[i-1].at
		if d == 0 {
			return s, 0, fmt.Errorf("line %s repeats the time of line %s, %s: remove one", points[i].where, points[i-1].where, time.Unix(0, points[i].at).UTC().Format(time.RFC3339))
		}
		period = min(period, d)
	}
	if len(points) < 2 {
		return s, 0, errors.New("a series needs at least two records, from which its period is told")
	}
	first := points[0].at
	n := (points[len(points)-1].at-first)/period + 1
	if period < int64(time.Second) || n > maxSteps {
		return s, 0, fmt.Errorf("%d steps of %s: want at most %d of at least 1s", n, time.Duration(period), maxSteps)
	}
	values := make([]float64, n)
	for i := range values {
		values[i] = math.NaN()
	}
	for _, p := range points {
		if (p.at-first)%period != 0 {
			return s, 0, fmt.Errorf("line %s at %s does not lie on the grid of %s from %s: bring the records to one period", p.where, time.Unix(0, p.at).UTC().Format(time.RFC3339), time.Duration(period), time.Unix(0, first).UTC().Format(time.RFC3339))
		}
		values[(p.at-first)/period] = p.value
	}
	return newSteps(time.Unix(0, first), time.Duration(period), values, valid), int(n) - len(points), nil
}
