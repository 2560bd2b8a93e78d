package grid

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/wattle-project/wattle"
)

// carbonAware reads the WebAPI of the Green Software Foundation's Carbon Aware
// SDK (https://carbon-aware-sdk.greensoftware.foundation). The API does not say
// whether its values are average or marginal, so the configuration must.
type carbonAware struct {
	*client
	base    string
	desc    Description
	names   map[wattle.ZoneID]string
	answers map[wattle.ZoneID]string
}

func newCarbonAware(c SourceConfig, cl *client) (Provider, error) {
	if c.URL == "" {
		return nil, fmt.Errorf("source %s: the Carbon Aware SDK has no public server; set \"url\" to yours", c.Label())
	}
	period := c.Period
	if period == 0 {
		period = time.Hour
	}
	return &carbonAware{cl, c.URL, Description{c.Kind, c.Scope, period}, c.Names, c.Answers}, nil
}

// Name implements Provider.
func (p *carbonAware) Name() string { return p.name }

// Describe implements Provider.
func (p *carbonAware) Describe() Description { return p.desc }

type casdkEmission struct {
	Location string     `json:"location"`
	Time     *time.Time `json:"time"`
	Rating   *float64   `json:"rating"`
	Duration string     `json:"duration"` // .NET TimeSpan "[d.]hh:mm:ss"
}

type casdkForecast struct {
	GeneratedAt time.Time `json:"generatedAt"`
	Location    string    `json:"location"`
	Data        []struct {
		Location  string     `json:"location"`
		Timestamp *time.Time `json:"timestamp"`
		Duration  float64    `json:"duration"` // minutes
		Value     *float64   `json:"value"`
	} `json:"forecastData"`
}

func (p *carbonAware) location(zone wattle.ZoneID) string {
	return orDefault(p.names[zone], string(zone))
}

// check accepts the location asked for and the one that the configuration says
// this server answers with; some of its data sources rename a location.
func (p *carbonAware) check(zone wattle.ZoneID, answered string) error {
	asked := p.location(zone)
	if strings.EqualFold(answered, asked) || p.answers[zone] != "" && strings.EqualFold(answered, p.answers[zone]) {
		return nil
	}
	return p.fail(zone, WrongZone, fmt.Errorf("asked for location %q, answered for %q; list it under \"answers\" if both are one grid", asked, answered))
}

// Actual implements Provider.
func (p *carbonAware) Actual(ctx context.Context, zone wattle.ZoneID, since time.Time) (Actual, error) {
	now := p.now()
	out := Actual{Key: p.desc.key(zone), Provider: p.name, FetchedAt: now}
	from := laterOf(since.Add(-p.desc.Period), now.Add(-historyWindow))
	q := url.Values{"location": {p.location(zone)}, "time": {from.UTC().Format(time.RFC3339)}, "toTime": {now.UTC().Format(time.RFC3339)}}
	var v []casdkEmission
	if err := p.getJSON(ctx, zone, p.base+"/emissions/bylocation?"+q.Encode(), nil, &v); err != nil {
		return out, err
	}
	points := make([]Point, 0, len(v))
	for _, e := range v {
		if err := p.check(zone, e.Location); err != nil {
			return out, err
		}
		if e.Time == nil {
			return out, p.fail(zone, Malformed, errors.New("an emission has no time"))
		}
		points = append(points, p.point(*e.Time, timeSpan(e.Duration), e.Rating))
	}
	var err error
	out.Points, out.Refused, err = p.finish(zone, points, p.desc.Period)
	return out, err
}

// Forecast implements Provider.
func (p *carbonAware) Forecast(ctx context.Context, zone wattle.ZoneID) (Forecast, error) {
	now := p.now()
	out := Forecast{Key: p.desc.key(zone), Provider: p.name, Made: now, FetchedAt: now}
	var v []casdkForecast
	q := url.Values{"location": {p.location(zone)}}
	if err := p.getJSON(ctx, zone, p.base+"/emissions/forecasts/current?"+q.Encode(), nil, &v); err != nil {
		var f *Failure
		if errors.As(err, &f) && f.Status == http.StatusNotImplemented { // its data source has none
			return out, ErrNoForecast
		}
		return out, err
	}
	var points []Point
	for _, f := range v {
		if err := p.check(zone, f.Location); err != nil {
			return out, err
		}
		for _, d := range f.Data {
			if d.Timestamp == nil {
				return out, p.fail(zone, Malformed, errors.New("a forecast value has no timestamp"))
			}
			points = append(points, p.point(*d.Timestamp, minutes(d.Duration), d.Value))
		}
		if !f.GeneratedAt.IsZero() {
			out.Made = f.GeneratedAt
		}
	}
	var err error
	out.Points, out.Refused, err = p.finish(zone, points, p.desc.Period)
	return out, err
}

func (p *carbonAware) point(from time.Time, d time.Duration, value *float64) Point {
	if d <= 0 || d > 24*time.Hour {
		d = p.desc.Period
	}
	return Point{From: from, To: from.Add(d), Intensity: number(value), Estimated: true}
}

func minutes(m float64) time.Duration {
	if !(m > 0 && m <= 24*60) {
		return 0
	}
	return time.Duration(m * float64(time.Minute))
}

// timeSpan reads a .NET TimeSpan "[d.]hh:mm:ss[.fffffff]" and returns 0 for
// anything else.
func timeSpan(s string) time.Duration {
	parts := strings.Split(s, ":")
	if len(parts) != 3 {
		return 0
	}
	days, hours, found := strings.Cut(parts[0], ".")
	if !found {
		days, hours = "0", parts[0]
	}
	d, err1 := strconv.ParseUint(days, 10, 8)
	h, err2 := strconv.ParseUint(hours, 10, 8)
	m, err3 := strconv.ParseUint(parts[1], 10, 8)
	sec, err4 := strconv.ParseFloat(parts[2], 64)
	if errors.Join(err1, err2, err3, err4) != nil || !(sec >= 0 && sec < 60) {
		return 0
	}
	return time.Duration(d)*24*time.Hour + time.Duration(h)*time.Hour + time.Duration(m)*time.Minute + time.Duration(sec*float64(time.Second))
}
