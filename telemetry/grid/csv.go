package grid

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/wattle-project/wattle"
)

// CSVOptions say how to read a file of intensities.
type CSVOptions struct {
	// Zone must equal the file's "Zone Id" column where it has one, and names
	// the column of a file with one column per zone.
	Zone wattle.ZoneID
	// Scope picks the direct or the life-cycle column of an Electricity Maps file.
	Scope wattle.SignalScope
	// Location is the zone of times that carry none; nil is UTC. In local time
	// a day has 23 or 25 hours twice a year: the hour that is left out must be
	// absent, and the hour that comes twice must come twice, in order.
	Location *time.Location
	// Step is how long the last value holds, and the longest that any value
	// holds over a gap; 0 is one hour.
	Step time.Duration
}

// ReadCSV reads intensities in g/kWh in ascending time. Known shapes: the files
// of the Electricity Maps data portal since 2021 ("Datetime (UTC)", "Zone Id",
// "Carbon Intensity gCO₂eq/kWh (direct)" and "(LCA)", later "(Life cycle)"); a
// time column and one column per zone; and plain "time,value", with or without
// that header. Values that cannot be an intensity are left out and counted.
func ReadCSV(r io.Reader, o CSVOptions) (points []Point, refused int, err error) {
	if o.Step <= 0 {
		o.Step = time.Hour
	}
	if o.Location == nil {
		o.Location = time.UTC
	}
	rows := csv.NewReader(r)
	rows.ReuseRecord, rows.FieldsPerRecord = true, -1
	first, err := rows.Read()
	if err != nil {
		return nil, 0, fmt.Errorf("reading the header: %w", err)
	}
	s := csvScan{CSVOptions: o, clock: localClock{location: o.Location}}
	if s.columns, err = csvHeader(first, o); err != nil {
		return nil, 0, err
	}
	if s.columns.headless {
		err = s.row(first)
	}
	for err == nil {
		var row []string
		if row, err = rows.Read(); err == nil {
			err = s.row(row)
		}
	}
	if !errors.Is(err, io.EOF) {
		return nil, 0, located(rows, err)
	}
	points, refused = tidy(s.points, o.Step)
	return points, refused + s.refused, nil
}

// located adds the line of the last row to err, which a parse error of the CSV
// itself names already: then there is no row to ask for its position.
func located(rows *csv.Reader, err error) error {
	var parse *csv.ParseError
	if errors.As(err, &parse) {
		return fmt.Errorf("reading CSV: %w", err)
	}
	line, _ := rows.FieldPos(0)
	return fmt.Errorf("line %d: %w", line, err)
}

// csvColumns are indexes into a row; -1 is absent.
type csvColumns struct {
	time, value, zone, estimated int
	headless                     bool
}

func csvHeader(first []string, o CSVOptions) (csvColumns, error) {
	c := csvColumns{time: 0, value: -1, zone: -1, estimated: -1}
	if len(first) < 2 {
		return c, errors.New("want at least two columns, a time and a value")
	}
	if _, _, err := parseTime(first[0], time.UTC); err == nil {
		c.value, c.headless = 1, true
		return c, nil
	}
	scope := []string{"(lca)", "(life cycle)", "(lifecycle)"}
	if o.Scope == wattle.Direct {
		scope = []string{"(direct)"}
	}
	for i, h := range first {
		name := strings.ToLower(strings.TrimSpace(strings.TrimPrefix(h, "\ufeff")))
		switch {
		case strings.HasPrefix(name, "carbon intensity") && hasSuffix(name, scope):
			c.value = i
		case name == "zone id":
			c.zone = i
		case name == "data estimated":
			c.estimated = i
		case c.value < 0 && i > 0 && (name == "value" || strings.EqualFold(name, string(o.Zone))):
			c.value = i
		}
	}
	if c.value < 0 {
		return c, fmt.Errorf("no column with %s values among %q", o.Scope, first)
	}
	return c, nil
}

func hasSuffix(s string, suffixes []string) bool {
	for _, x := range suffixes {
		if strings.HasSuffix(s, x) {
			return true
		}
	}
	return false
}

// csvScan collects the points of a file.
type csvScan struct {
	CSVOptions
	columns csvColumns
	clock   localClock
	points  []Point
	refused int
}

func (s *csvScan) row(row []string) error {
	c := s.columns
	if c.value >= len(row) {
		return fmt.Errorf("%d columns, want at least %d", len(row), c.value+1)
	}
	if c.zone >= 0 && c.zone < len(row) && row[c.zone] != string(s.Zone) {
		return fmt.Errorf("zone %q in a file for %q", row[c.zone], s.Zone)
	}
	from, err := s.clock.parse(row[0])
	if errors.Is(err, errNoSuchTime) {
		s.refused++
		return nil
	}
	if err != nil {
		return err
	}
	value := math.NaN()
	if text := strings.TrimSpace(row[c.value]); text != "" {
		if value, err = strconv.ParseFloat(text, 64); err != nil {
			return fmt.Errorf("value %.20q is not a number", text)
		}
	}
	if n := len(s.points); n > 0 { // the one before holds until here, but not over a gap
		last := &s.points[n-1]
		if from.Sub(last.From) < s.Step {
			last.To = from
		}
	}
	estimated := c.estimated >= 0 && c.estimated < len(row) && strings.EqualFold(row[c.estimated], "true")
	s.points = append(s.points, Point{From: from, To: from.Add(s.Step), Intensity: wattle.GramsPerKWh(value), Estimated: estimated})
	return nil
}

// csvFile serves a file: rows up to now are actual, later ones a forecast.
type csvFile struct {
	name  string
	path  string
	desc  Description
	zone  func(wattle.ZoneID) string
	where *time.Location
	now   func() time.Time
	limit int64
	mu    sync.Mutex
	read  map[wattle.ZoneID]csvCache
}

type csvCache struct {
	modified time.Time
	size     int64
	points   []Point
	refused  int
}

func newCSV(c SourceConfig, cl *client) (Provider, error) {
	if c.Path == "" {
		return nil, fmt.Errorf("source %s: no \"path\" to a CSV file", c.Label())
	}
	where, err := time.LoadLocation(orDefault(c.Location, "UTC"))
	if err != nil {
		return nil, fmt.Errorf("source %s: location %q: %w", c.Label(), c.Location, err)
	}
	period := c.Period
	if period == 0 {
		period = time.Hour
	}
	name := func(z wattle.ZoneID) string { return orDefault(c.Names[z], string(z)) }
	return &csvFile{name: cl.name, path: c.Path, desc: Description{c.Kind, c.Scope, period}, zone: name, where: where,
		now: cl.now, limit: 64 << 20, read: map[wattle.ZoneID]csvCache{}}, nil
}

// Name implements Provider.
func (p *csvFile) Name() string { return p.name }

// Describe implements Provider.
func (p *csvFile) Describe() Description { return p.desc }

// Actual implements Provider.
func (p *csvFile) Actual(_ context.Context, zone wattle.ZoneID, since time.Time) (Actual, error) {
	now := p.now()
	out := Actual{Key: p.desc.key(zone), Provider: p.name, FetchedAt: now}
	c, err := p.load(zone)
	from := laterOf(since.Add(-p.desc.Period), now.Add(-historyWindow))
	for _, pt := range c.points {
		if !pt.From.After(now) && pt.To.After(from) {
			out.Points = append(out.Points, pt)
		}
	}
	out.Refused = c.refused
	return out, err
}

// Forecast implements Provider.
func (p *csvFile) Forecast(_ context.Context, zone wattle.ZoneID) (Forecast, error) {
	now := p.now()
	out := Forecast{Key: p.desc.key(zone), Provider: p.name, Made: now, FetchedAt: now}
	c, err := p.load(zone)
	for _, pt := range c.points {
		if pt.From.After(now) && pt.From.Before(now.Add(historyWindow)) {
			out.Points = append(out.Points, pt)
		}
	}
	if err == nil && len(out.Points) == 0 {
		err = ErrNoForecast
	}
	return out, err
}

// load reads the file again only when it has changed.
func (p *csvFile) load(zone wattle.ZoneID) (csvCache, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f, err := os.Open(p.path)
	if err != nil {
		return csvCache{}, &Failure{Provider: p.name, Zone: zone, Outcome: Unreachable, Err: err}
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return csvCache{}, &Failure{Provider: p.name, Zone: zone, Outcome: Unreachable, Err: err}
	}
	if info.Size() > p.limit {
		return csvCache{}, &Failure{Provider: p.name, Zone: zone, Outcome: TooLarge, Err: fmt.Errorf("%s has %d bytes, limit %d", p.path, info.Size(), p.limit)}
	}
	if c, ok := p.read[zone]; ok && c.modified.Equal(info.ModTime()) && c.size == info.Size() {
		return c, nil
	}
	points, refused, err := ReadCSV(f, CSVOptions{Zone: wattle.ZoneID(p.zone(zone)), Scope: p.desc.Scope, Location: p.where, Step: p.desc.Period})
	if err != nil {
		return csvCache{}, &Failure{Provider: p.name, Zone: zone, Outcome: Malformed, Err: fmt.Errorf("%s: %w", p.path, err)}
	}
	p.read[zone] = csvCache{info.ModTime(), info.Size(), points, refused}
	return p.read[zone], nil
}
