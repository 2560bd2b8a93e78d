package grid

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/wattle-project/wattle"
)

// lbsPerMWh converts WattTime's lb CO2 per MWh to g/kWh: one pound is
// 453.59237 g by definition, and a MWh is 1,000 kWh.
const lbsPerMWh = 0.45359237

// A WattTime token lives for 30 minutes; it is renewed a little before.
const watttimeTokenLife = 25 * time.Minute

// wattTime reads the WattTime API v3 (https://docs.watttime.org): 5-minute
// marginal (co2_moer) or average (co2_aoer) operating emissions.
type wattTime struct {
	*client
	base           string
	user           string
	password       Secret
	kind           wattle.SignalKind
	names          map[wattle.ZoneID]string
	horizon        time.Duration
	mu             sync.Mutex
	token          string
	tokenExpiresAt time.Time
}

func newWattTime(c SourceConfig, cl *client) (Provider, error) {
	if c.User == "" || c.Password == "" {
		return nil, fmt.Errorf("source %s: WattTime needs \"user\" and \"password\"", c.Label())
	}
	p := &wattTime{client: cl, base: orDefault(c.URL, "https://api.watttime.org"), user: c.User, password: c.Password, kind: c.Kind, horizon: c.horizon}
	p.names = map[wattle.ZoneID]string{"US-CAL-CISO": "CAISO_NORTH"}
	for z, n := range c.Names {
		p.names[z] = n
	}
	for _, z := range c.Zones {
		if p.names[z] == "" {
			return nil, fmt.Errorf("source %s: no WattTime region for zone %s; add it to \"names\"", c.Label(), z)
		}
	}
	return p, nil
}

// Name implements Provider.
func (p *wattTime) Name() string { return p.name }

// Describe says direct: both signals are stack CO2 without upstream emissions.
func (p *wattTime) Describe() Description {
	return Description{Kind: p.kind, Scope: wattle.Direct, Period: 5 * time.Minute}
}

func (p *wattTime) signalType() string {
	if p.kind == wattle.Marginal {
		return "co2_moer"
	}
	return "co2_aoer"
}

type wtAnswer struct {
	Data []struct {
		PointTime *time.Time `json:"point_time"`
		Value     *float64   `json:"value"`
	} `json:"data"`
	Meta struct {
		Region      string    `json:"region"`
		SignalType  string    `json:"signal_type"`
		Units       string    `json:"units"`
		Period      int       `json:"data_point_period_seconds"`
		GeneratedAt time.Time `json:"generated_at"`
	} `json:"meta"`
}

// Actual implements Provider.
func (p *wattTime) Actual(ctx context.Context, zone wattle.ZoneID, since time.Time) (Actual, error) {
	now := p.now()
	out := Actual{Key: p.Describe().key(zone), Provider: p.name, FetchedAt: now}
	// An hour again: values are late, and the newest one may end after now. The
	// service refuses an interval that ends before it starts.
	from := laterOf(since.Add(-time.Hour), now.Add(-historyWindow))
	answer, err := p.fetch(ctx, "/v3/historical", zone, url.Values{
		"start": {from.UTC().Format(time.RFC3339)}, "end": {now.UTC().Format(time.RFC3339)}})
	if err != nil {
		return out, err
	}
	out.Points, out.Refused, err = p.points(zone, answer)
	return out, err
}

// Forecast implements Provider.
func (p *wattTime) Forecast(ctx context.Context, zone wattle.ZoneID) (Forecast, error) {
	now := p.now()
	out := Forecast{Key: p.Describe().key(zone), Provider: p.name, Made: now, FetchedAt: now}
	hours := min(max(int(p.horizon/time.Hour), 1), 72)
	answer, err := p.fetch(ctx, "/v3/forecast", zone, url.Values{"horizon_hours": {fmt.Sprint(hours)}})
	if err != nil {
		return out, err
	}
	if !answer.Meta.GeneratedAt.IsZero() {
		out.Made = answer.Meta.GeneratedAt
	}
	out.Points, out.Refused, err = p.points(zone, answer)
	return out, err
}

// fetch asks with the token, and once more with a fresh one after a 401: a
// token can end early. A 403 means the plan and is not answered by logging in.
func (p *wattTime) fetch(ctx context.Context, path string, zone wattle.ZoneID, q url.Values) (wtAnswer, error) {
	q.Set("region", p.names[zone])
	q.Set("signal_type", p.signalType())
	var answer wtAnswer
	token, err := p.login(ctx, zone, "")
	if err != nil {
		return answer, err
	}
	address := p.base + path + "?" + q.Encode()
	err = p.getJSON(ctx, zone, address, http.Header{"Authorization": {"Bearer " + token}}, &answer)
	if outcomeOf(err) == Unauthorized {
		if token, err = p.login(ctx, zone, token); err != nil {
			return answer, err
		}
		answer = wtAnswer{}
		err = p.getJSON(ctx, zone, address, http.Header{"Authorization": {"Bearer " + token}}, &answer)
	}
	if err == nil {
		err = p.check(zone, answer)
	}
	return answer, err
}

// login returns a token other than stale that has not run out by our clock,
// counted from its receipt, so that the server's clock does not matter.
func (p *wattTime) login(ctx context.Context, zone wattle.ZoneID, stale string) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	if p.token != "" && p.token != stale && now.Before(p.tokenExpiresAt) {
		return p.token, nil
	}
	basic := base64.StdEncoding.EncodeToString([]byte(p.user + ":" + string(p.password)))
	var v struct {
		Token string `json:"token"`
	}
	if err := p.getJSON(ctx, zone, p.base+"/login", http.Header{"Authorization": {"Basic " + basic}}, &v); err != nil {
		return "", err
	}
	if v.Token == "" || strings.ContainsAny(v.Token, "\r\n") {
		return "", p.fail(zone, Malformed, errors.New("login answered without a usable token"))
	}
	p.token, p.tokenExpiresAt = v.Token, now.Add(watttimeTokenLife)
	return p.token, nil
}

func (p *wattTime) check(zone wattle.ZoneID, a wtAnswer) error {
	switch {
	case a.Meta.Region != p.names[zone]:
		return p.fail(zone, WrongZone, fmt.Errorf("asked for region %q, answered for %q", p.names[zone], a.Meta.Region))
	case a.Meta.SignalType != p.signalType():
		return p.fail(zone, WrongZone, fmt.Errorf("asked for signal %s, answered with %q", p.signalType(), a.Meta.SignalType))
	case a.Meta.Units != "lbs_co2_per_mwh":
		return p.fail(zone, Malformed, fmt.Errorf("units %q, want lbs_co2_per_mwh", a.Meta.Units))
	}
	return nil
}

func (p *wattTime) points(zone wattle.ZoneID, a wtAnswer) ([]Point, int, error) {
	period := 5 * time.Minute
	if s := a.Meta.Period; s > 0 && s <= 3600 {
		period = time.Duration(s) * time.Second
	}
	points := make([]Point, 0, len(a.Data))
	for _, d := range a.Data {
		if d.PointTime == nil {
			return nil, 0, p.fail(zone, Malformed, errors.New("a value has no point_time"))
		}
		points = append(points, Point{From: *d.PointTime, Intensity: number(d.Value) * lbsPerMWh, Estimated: true})
	}
	return p.finish(zone, points, period)
}

func laterOf(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
