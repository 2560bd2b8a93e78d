package grid

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/wattle-project/wattle"
)

// nesoTime is the API's time layout: UTC without seconds.
const nesoTime = "2006-01-02T15:04Z"

// neso reads the GB Carbon Intensity API of the National Energy System
// Operator (https://carbonintensity.org.uk, CC BY 4.0): half hours, direct CO2
// of generation with imports and losses. Regions have forecasts only.
type neso struct {
	*client
	base  string
	names map[wattle.ZoneID]string // "" is the whole of Great Britain, "1".."17" a region
}

func newNESO(c SourceConfig, cl *client) (Provider, error) {
	p := &neso{cl, orDefault(c.URL, "https://api.carbonintensity.org.uk"), c.Names}
	for _, z := range c.Zones {
		if _, named := c.Names[z]; z != "GB" && !named {
			return nil, fmt.Errorf("source %s: zone %s is not GB; give its region number 1 to 17 in \"names\"", c.Label(), z)
		}
	}
	return p, nil
}

// Name implements Provider.
func (p *neso) Name() string { return p.name }

// Describe implements Provider.
func (p *neso) Describe() Description {
	return Description{Kind: wattle.Average, Scope: wattle.Direct, Period: 30 * time.Minute}
}

type nesoPoint struct {
	From      string `json:"from"`
	To        string `json:"to"`
	Intensity struct {
		Forecast *float64 `json:"forecast"`
		Actual   *float64 `json:"actual"`
	} `json:"intensity"`
}

// Actual leaves out the half hours whose actual value is null: it is null for
// the present one and all later, which the forecast covers.
func (p *neso) Actual(ctx context.Context, zone wattle.ZoneID, since time.Time) (Actual, error) {
	now := p.now()
	out := Actual{Key: p.Describe().key(zone), Provider: p.name, FetchedAt: now}
	if p.names[zone] != "" {
		return out, ErrNoActual
	}
	from := laterOf(since.Add(-time.Hour), now.Add(-historyWindow))
	var v struct {
		Data []nesoPoint `json:"data"`
	}
	address := p.base + "/intensity/" + from.UTC().Format(nesoTime) + "/" + now.UTC().Format(nesoTime)
	if err := p.getJSON(ctx, zone, address, nil, &v); err != nil {
		return out, err
	}
	var err error
	out.Points, out.Refused, err = p.points(zone, v.Data, func(n nesoPoint) *float64 { return n.Intensity.Actual })
	return out, err
}

// Forecast implements Provider.
func (p *neso) Forecast(ctx context.Context, zone wattle.ZoneID) (Forecast, error) {
	now := p.now()
	out := Forecast{Key: p.Describe().key(zone), Provider: p.name, Made: now, FetchedAt: now}
	data, err := p.forecastData(ctx, zone, now)
	if err != nil {
		return out, err
	}
	out.Points, out.Refused, err = p.points(zone, data, func(n nesoPoint) *float64 { return n.Intensity.Forecast })
	return out, err
}

func (p *neso) forecastData(ctx context.Context, zone wattle.ZoneID, now time.Time) ([]nesoPoint, error) {
	window := now.UTC().Format(nesoTime) + "/fw48h"
	region := p.names[zone]
	if region == "" {
		var v struct {
			Data []nesoPoint `json:"data"`
		}
		err := p.getJSON(ctx, zone, p.base+"/intensity/"+window, nil, &v)
		return v.Data, err
	}
	var v struct {
		Data struct {
			RegionID int         `json:"regionid"`
			Data     []nesoPoint `json:"data"`
		} `json:"data"`
	}
	if err := p.getJSON(ctx, zone, p.base+"/regional/intensity/"+window+"/regionid/"+region, nil, &v); err != nil {
		return nil, err
	}
	if got := fmt.Sprint(v.Data.RegionID); got != region {
		return nil, p.fail(zone, WrongZone, fmt.Errorf("asked for region %s, answered for %s", region, got))
	}
	return v.Data.Data, nil
}

func (p *neso) points(zone wattle.ZoneID, data []nesoPoint, value func(nesoPoint) *float64) ([]Point, int, error) {
	if len(data) == 0 {
		return nil, 0, p.fail(zone, Invalid, errors.New("no half hours in the answer"))
	}
	points := make([]Point, 0, len(data))
	for _, d := range data {
		v := value(d)
		if v == nil {
			continue
		}
		from, err := time.Parse(nesoTime, d.From)
		if err != nil {
			return nil, 0, p.fail(zone, Malformed, fmt.Errorf("from %q: want %s", d.From, nesoTime))
		}
		to, err := time.Parse(nesoTime, d.To)
		if err != nil || to.Sub(from) > time.Hour {
			return nil, 0, p.fail(zone, Malformed, fmt.Errorf("half hour %q to %q", d.From, d.To))
		}
		points = append(points, Point{From: from, To: to, Intensity: number(v)})
	}
	return p.finish(zone, points, 30*time.Minute)
}
