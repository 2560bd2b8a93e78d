package grid

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"time"

	"github.com/wattle-project/wattle"
)

// electricityMaps reads the Electricity Maps API v3: hourly, flow-traced
// average intensities (https://portal.electricitymaps.com/docs).
type electricityMaps struct {
	*client
	base  string
	key   Secret
	scope wattle.SignalScope
	names map[wattle.ZoneID]string
}

func newElectricityMaps(c SourceConfig, cl *client) (Provider, error) {
	if c.Key == "" {
		return nil, fmt.Errorf("source %s: no key; Electricity Maps needs one in \"key\"", c.Label())
	}
	return &electricityMaps{cl, orDefault(c.URL, "https://api.electricitymaps.com/v3"), c.Key, c.Scope, c.Names}, nil
}

// Name implements Provider.
func (p *electricityMaps) Name() string { return p.name }

// Describe implements Provider.
func (p *electricityMaps) Describe() Description {
	return Description{Kind: wattle.Average, Scope: p.scope, Period: time.Hour}
}

// emPoint is one value in any answer; latest has the zone beside it.
type emPoint struct {
	Zone            string     `json:"zone"`
	CarbonIntensity *float64   `json:"carbonIntensity"`
	Datetime        *time.Time `json:"datetime"`
	FactorType      string     `json:"emissionFactorType"`
	IsEstimated     bool       `json:"isEstimated"`
	Granularity     string     `json:"temporalGranularity"`
}

type emSeries struct {
	Zone      string    `json:"zone"`
	History   []emPoint `json:"history"`
	Forecast  []emPoint `json:"forecast"`
	UpdatedAt time.Time `json:"updatedAt"`
}

// Actual implements Provider.
func (p *electricityMaps) Actual(ctx context.Context, zone wattle.ZoneID, since time.Time) (Actual, error) {
	now := p.now()
	out := Actual{Key: p.Describe().key(zone), Provider: p.name, FetchedAt: now}
	var raw []emPoint
	if now.Sub(since) > 2*time.Hour { // new or after a gap: the last 24 h in one request
		var h emSeries
		if err := p.fetch(ctx, "history", zone, &h); err != nil {
			return out, err
		}
		if err := p.check(zone, h.Zone); err != nil {
			return out, err
		}
		raw = h.History
	}
	var latest emPoint
	if err := p.fetch(ctx, "latest", zone, &latest); err != nil {
		return out, err
	}
	if err := p.check(zone, latest.Zone); err != nil {
		return out, err
	}
	var err error
	out.Points, out.Refused, err = p.points(zone, append(raw, latest))
	return out, err
}

// Forecast implements Provider.
func (p *electricityMaps) Forecast(ctx context.Context, zone wattle.ZoneID) (Forecast, error) {
	now := p.now()
	out := Forecast{Key: p.Describe().key(zone), Provider: p.name, Made: now, FetchedAt: now}
	var s emSeries
	if err := p.fetch(ctx, "forecast", zone, &s); err != nil {
		return out, err
	}
	if err := p.check(zone, s.Zone); err != nil {
		return out, err
	}
	if !s.UpdatedAt.IsZero() {
		out.Made = s.UpdatedAt
	}
	var err error
	out.Points, out.Refused, err = p.points(zone, s.Forecast)
	return out, err
}

// fetch names the zone and switches off the service's fallback, which would
// answer for the caller's IP address where it does not know the zone.
func (p *electricityMaps) fetch(ctx context.Context, what string, zone wattle.ZoneID, v any) error {
	q := url.Values{
		"zone":                          {p.zoneName(zone)},
		"emissionFactorType":            {p.scope.String()},
		"shouldUseFallbackCallerLookup": {"false"},
		"temporalGranularity":           {"hourly"},
	}
	return p.getJSON(ctx, zone, p.base+"/carbon-intensity/"+what+"?"+q.Encode(), http.Header{"Auth-Token": {string(p.key)}}, v)
}

func (p *electricityMaps) zoneName(zone wattle.ZoneID) string {
	return orDefault(p.names[zone], string(zone))
}

func (p *electricityMaps) check(zone wattle.ZoneID, answered string) error {
	if want := p.zoneName(zone); answered != want {
		return p.fail(zone, WrongZone, fmt.Errorf("asked for %q, answered for %q", want, answered))
	}
	return nil
}

func (p *electricityMaps) points(zone wattle.ZoneID, raw []emPoint) ([]Point, int, error) {
	points := make([]Point, 0, len(raw))
	for _, r := range raw {
		switch {
		case r.Datetime == nil:
			return nil, 0, p.fail(zone, Malformed, fmt.Errorf("a value has no datetime"))
		case r.FactorType != "" && r.FactorType != p.scope.String():
			return nil, 0, p.fail(zone, WrongZone, fmt.Errorf("asked for %s factors, answered with %q", p.scope, r.FactorType))
		case r.Granularity != "" && r.Granularity != "hourly":
			return nil, 0, p.fail(zone, WrongZone, fmt.Errorf("asked for hourly values, answered with %q", r.Granularity))
		}
		points = append(points, Point{From: *r.Datetime, Intensity: number(r.CarbonIntensity), Estimated: r.IsEstimated})
	}
	return p.finish(zone, points, time.Hour)
}

// finish tidies points and fails when no value is usable.
func (c *client) finish(zone wattle.ZoneID, points []Point, period time.Duration) ([]Point, int, error) {
	kept, refused := tidy(points, period)
	if len(kept)+refused == 0 {
		return nil, 0, c.fail(zone, Invalid, errors.New("the answer holds no value"))
	}
	if len(kept) == 0 {
		return nil, refused, c.fail(zone, Invalid, fmt.Errorf("no usable value among %d (null, ≤ 0 or > %g g/kWh)", refused, float64(wattle.MaxIntensity)))
	}
	return kept, refused, nil
}

// number turns a JSON number or null into an intensity; null is NaN, which no
// validity check lets pass.
func number(v *float64) wattle.GramsPerKWh {
	if v == nil {
		return wattle.GramsPerKWh(math.NaN())
	}
	return wattle.GramsPerKWh(*v)
}

func orDefault(s, def string) string {
	if s == "" {
		return def
	}
	return s
}
