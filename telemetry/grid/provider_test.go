package grid

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wattle-project/wattle"
)

func noon() time.Time { return time.Date(2026, 3, 10, 12, 20, 0, 0, time.UTC) }

// answer is one canned HTTP answer.
type answer struct {
	status int
	header map[string]string
	body   string
}

// serve answers by the first path prefix that fits; a request that fits none
// fails the test.
func serve(t *testing.T, routes map[string]answer, seen func(*http.Request)) *httptest.Server {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if seen != nil {
			seen(r)
		}
		best := ""
		for prefix := range routes {
			if strings.HasPrefix(r.URL.Path, prefix) && len(prefix) > len(best) {
				best = prefix
			}
		}
		a, ok := routes[best]
		if !ok {
			t.Errorf("unexpected request for %s", r.URL.Path)
		}
		for k, v := range a.header {
			w.Header().Set(k, v)
		}
		if a.status != 0 {
			w.WriteHeader(a.status)
		}
		fmt.Fprint(w, a.body)
	}))
	t.Cleanup(srv.Close)
	return srv
}

// provider builds one provider of config s at the fixed time noon.
func provider(t *testing.T, s SourceConfig, now func() time.Time) Provider {
	t.Helper()
	c := DefaultConfig()
	c.MaxBody = 64 * wattle.KiB
	c.Timeout = 2 * time.Second
	s.Rate, s.Burst = 1000, 1000
	if now == nil {
		now = noon
	}
	p, err := newProvider(c, &s, Options{Now: now}.fill())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func emConfig(url string) SourceConfig {
	return SourceConfig{Type: "electricitymaps", URL: url, Key: "k3y", Zones: []wattle.ZoneID{"DE"}}
}

const (
	emLatest   = `{"zone":"DE","carbonIntensity":302,"datetime":"2026-03-10T12:00:00.000Z","updatedAt":"2026-03-10T12:01:10.000Z","createdAt":"2026-03-07T12:00:00.000Z","emissionFactorType":"lifecycle","isEstimated":true,"estimationMethod":"TIME_SLICER_AVERAGE","temporalGranularity":"hourly"}`
	emHistory  = `{"zone":"DE","history":[{"zone":"DE","carbonIntensity":280,"datetime":"2026-03-10T10:00:00.000Z","isEstimated":false,"emissionFactorType":"lifecycle"},{"zone":"DE","carbonIntensity":null,"datetime":"2026-03-10T11:00:00.000Z","isEstimated":true,"emissionFactorType":"lifecycle"}],"temporalGranularity":"hourly"}`
	emForecast = `{"zone":"DE","forecast":[{"carbonIntensity":310,"datetime":"2026-03-10T12:00:00.000Z"},{"carbonIntensity":250,"datetime":"2026-03-10T13:00:00.000Z"}],"updatedAt":"2026-03-10T12:01:00.000Z"}`
)

func TestElectricityMaps(t *testing.T) {
	var query string
	srv := serve(t, map[string]answer{
		"/carbon-intensity/latest": {body: emLatest}, "/carbon-intensity/history": {body: emHistory}, "/carbon-intensity/forecast": {body: emForecast},
	}, func(r *http.Request) {
		if r.Header.Get("auth-token") != "k3y" {
			t.Errorf("auth-token %q", r.Header.Get("auth-token"))
		}
		query = r.URL.RawQuery
	})
	p := provider(t, emConfig(srv.URL), nil)
	a, err := p.Actual(context.Background(), "DE", time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	want := []Point{
		{time.Date(2026, 3, 10, 10, 0, 0, 0, time.UTC), time.Date(2026, 3, 10, 11, 0, 0, 0, time.UTC), 280, false},
		{time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC), time.Date(2026, 3, 10, 13, 0, 0, 0, time.UTC), 302, true},
	}
	if !slices.Equal(a.Points, want) || a.Refused != 1 {
		t.Errorf("got %v refused %d, want %v refused 1", a.Points, a.Refused, want)
	}
	for _, part := range []string{"zone=DE", "emissionFactorType=lifecycle", "shouldUseFallbackCallerLookup=false"} {
		if !strings.Contains(query, part) {
			t.Errorf("query %q lacks %q", query, part)
		}
	}
	f, err := p.Forecast(context.Background(), "DE")
	if err != nil || len(f.Points) != 2 || f.Points[1].Intensity != 250 || f.Made.Minute() != 1 {
		t.Errorf("forecast %+v, %v", f, err)
	}
}

// TestFaults sends every provider every way in which a service fails; the
// outcome must tell them apart and nothing may become a value.
func TestFaults(t *testing.T) {
	cases := []struct {
		name string
		answer
		want  Outcome
		after time.Duration
	}{
		{"401 on a burst", answer{status: 401, body: `{"error":"Unauthorized"}`}, Unauthorized, 0},
		{"403", answer{status: 403, body: `{"message":"not in your plan"}`}, Forbidden, 0},
		{"404", answer{status: 404, body: `not found`}, NotFound, 0},
		{"400", answer{status: 400, body: `{"error":{"code":"400 Bad Request","message":"x"}}`}, OddStatus, 0},
		{"429 seconds", answer{status: 429, header: map[string]string{"Retry-After": "120"}}, Throttled, 2 * time.Minute},
		{"429 date", answer{status: 429, header: map[string]string{"Retry-After": "Tue, 10 Mar 2026 12:01:00 GMT", "Date": "Tue, 10 Mar 2026 12:00:00 GMT"}}, Throttled, time.Minute},
		{"429 absurd", answer{status: 429, header: map[string]string{"Retry-After": "99999999999999"}}, Throttled, 24 * time.Hour},
		{"429 garbage", answer{status: 429, header: map[string]string{"Retry-After": "soon"}}, Throttled, 0},
		{"500", answer{status: 500, body: `<html>oops</html>`}, ServerFault, 0},
		{"503", answer{status: 503, header: map[string]string{"Retry-After": "7"}}, ServerFault, 7 * time.Second},
		{"204", answer{status: 204}, OddStatus, 0},
		{"redirect away", answer{status: 302, header: map[string]string{"Location": "http://192.0.2.1/"}}, Unreachable, 0},
		{"HTML", answer{body: "<!DOCTYPE html><html><body>Please log in</body></html>"}, Malformed, 0},
		{"empty", answer{}, Malformed, 0},
		{"cut off", answer{body: `{"zone":"DE","carbonInten`}, Malformed, 0},
		{"too large", answer{body: `{"x":"` + strings.Repeat("a", 65<<10) + `"}`}, TooLarge, 0},
		{"truncated body", answer{header: map[string]string{"Content-Length": "9999"}, body: `{"zone":"DE"`}, Unreachable, 0},
	}
	for _, typ := range []string{"electricitymaps", "watttime", "neso", "carbonaware", "entsoe"} {
		for _, c := range cases {
			t.Run(typ+"/"+c.name, func(t *testing.T) {
				routes := map[string]answer{"/": c.answer, "/login": {body: `{"token":"tok"}`}}
				srv := serve(t, routes, nil)
				p := provider(t, SourceConfig{Type: typ, URL: srv.URL, Key: "k3y", User: "u", Password: "p4ss",
					Kind: wattle.Average, Scope: scopeFor(typ), Zones: []wattle.ZoneID{zoneFor(typ)}}, nil)
				for series, err := range map[string]error{"actual": actualErr(p, zoneFor(typ)), "forecast": forecastErr(p, zoneFor(typ))} {
					if typ == "entsoe" && series == "forecast" {
						continue // has none
					}
					var f *Failure
					if !errors.As(err, &f) || f.Outcome != c.want || f.RetryAfter != c.after {
						t.Errorf("%s: got %v (outcome %v, retry after %v), want %v, %v", series, err, outcomeOf(err), f.RetryAfter, c.want, c.after)
					}
					if strings.Contains(err.Error(), "k3y") || strings.Contains(err.Error(), "p4ss") {
						t.Errorf("%s: error shows a credential: %v", series, err)
					}
				}
			})
		}
	}
}

func scopeFor(typ string) wattle.SignalScope {
	if typ == "watttime" || typ == "neso" {
		return wattle.Direct
	}
	return wattle.Lifecycle
}

func zoneFor(typ string) wattle.ZoneID {
	return map[string]wattle.ZoneID{"watttime": "US-CAL-CISO", "neso": "GB"}[typ] + map[bool]wattle.ZoneID{true: "DE"}[typ != "watttime" && typ != "neso"]
}

func actualErr(p Provider, z wattle.ZoneID) error {
	_, err := p.Actual(context.Background(), z, time.Time{})
	return err
}

func forecastErr(p Provider, z wattle.ZoneID) error {
	_, err := p.Forecast(context.Background(), z)
	return err
}

// TestRefusedAnswers holds well-formed answers that must not become values.
func TestRefusedAnswers(t *testing.T) {
	wt := func(region, units, value string) string {
		return `{"data":[{"point_time":"2026-03-10T12:15:00+00:00","value":` + value + `}],"meta":{"region":"` + region +
			`","signal_type":"co2_moer","units":"` + units + `","data_point_period_seconds":300}}`
	}
	em := func(zone, value string) string {
		return `{"zone":"` + zone + `","carbonIntensity":` + value + `,"datetime":"2026-03-10T12:00:00Z"}`
	}
	cases := []struct {
		name, typ string
		body      string
		want      Outcome
	}{
		{"null", "electricitymaps", em("DE", "null"), Invalid},
		{"zero", "electricitymaps", em("DE", "0"), Invalid},
		{"negative", "electricitymaps", em("DE", "-1"), Invalid},
		{"over the limit", "electricitymaps", em("DE", "3001"), Invalid},
		{"NaN is no JSON", "electricitymaps", em("DE", "NaN"), Malformed},
		{"1e999", "electricitymaps", em("DE", "1e999"), Malformed},
		{"the caller's zone", "electricitymaps", em("FR", "40"), WrongZone},
		{"no zone", "electricitymaps", `{"carbonIntensity":40,"datetime":"2026-03-10T12:00:00Z"}`, WrongZone},
		{"other factors", "electricitymaps", `{"zone":"DE","carbonIntensity":40,"datetime":"2026-03-10T12:00:00Z","emissionFactorType":"direct"}`, WrongZone},
		{"quarter hours", "electricitymaps", `{"zone":"DE","carbonIntensity":40,"datetime":"2026-03-10T12:00:00Z","temporalGranularity":"15_minutes"}`, WrongZone},
		{"no time", "electricitymaps", `{"zone":"DE","carbonIntensity":40}`, Malformed},
		{"zeros for hours", "watttime", wt("CAISO_NORTH", "lbs_co2_per_mwh", "0.0"), Invalid},
		{"null", "watttime", wt("CAISO_NORTH", "lbs_co2_per_mwh", "null"), Invalid},
		{"other region", "watttime", wt("PJM_DC", "lbs_co2_per_mwh", "900"), WrongZone},
		{"other units", "watttime", wt("CAISO_NORTH", "kg_co2_per_mwh", "900"), Malformed},
		{"other signal", "watttime", strings.Replace(wt("CAISO_NORTH", "lbs_co2_per_mwh", "900"), "moer", "aoer", 1), WrongZone},
		{"all null", "neso", `{"data":[{"from":"2026-03-10T12:00Z","to":"2026-03-10T12:30Z","intensity":{"forecast":null,"actual":null,"index":"low"}}]}`, Invalid},
		{"no data", "neso", `{"data":[]}`, Invalid},
		{"times with seconds", "neso", `{"data":[{"from":"2026-03-10T12:00:00Z","to":"2026-03-10T12:30:00Z","intensity":{"forecast":9,"actual":9}}]}`, Malformed},
		{"rating -1", "carbonaware", `[{"location":"DE","time":"2026-03-10T12:00:00Z","rating":-1}]`, Invalid},
		{"empty list", "carbonaware", `[]`, Invalid},
		{"other location", "carbonaware", `[{"location":"westus","time":"2026-03-10T12:00:00Z","rating":100}]`, WrongZone},
		{"other area", "entsoe", strings.ReplaceAll(entsoeDoc("2026-03-10T10:00Z", "2026-03-10T11:00Z", "PT60M", "B04", "10"), deEIC, "10YFR-RTE------C"), WrongZone},
		{"other units", "entsoe", strings.ReplaceAll(entsoeDoc("2026-03-10T10:00Z", "2026-03-10T11:00Z", "PT60M", "B04", "10"), "MAW", "KWT"), Malformed},
		{"no matching data", "entsoe", entsoeNoData, Invalid},
		{"not a document", "entsoe", `<html/>`, Malformed},
	}
	for _, c := range cases {
		t.Run(c.typ+"/"+c.name, func(t *testing.T) {
			srv := serve(t, map[string]answer{"/": {body: c.body}, "/login": {body: `{"token":"tok"}`}, "/carbon-intensity/history": {body: emHistory}}, nil)
			kind := wattle.Average
			if c.typ == "watttime" {
				kind = wattle.Marginal
			}
			p := provider(t, SourceConfig{Type: c.typ, URL: srv.URL, Key: "k", User: "u", Password: "p", Kind: kind, Scope: scopeFor(c.typ), Zones: []wattle.ZoneID{zoneFor(c.typ)}}, nil)
			a, err := p.Actual(context.Background(), zoneFor(c.typ), noon().Add(-30*time.Minute))
			if outcomeOf(err) != c.want || len(a.Points) != 0 {
				t.Errorf("got %v (%v) and %d points, want outcome %v and none", outcomeOf(err), err, len(a.Points), c.want)
			}
		})
	}
}

// clock is an injected clock that a test moves by hand.
type clock struct{ ns atomic.Int64 }

func newClock(t time.Time) *clock        { c := &clock{}; c.ns.Store(t.UnixNano()); return c }
func (c *clock) now() time.Time          { return time.Unix(0, c.ns.Load()).UTC() }
func (c *clock) advance(d time.Duration) { c.ns.Add(int64(d)) }

func TestWattTimeToken(t *testing.T) {
	logins, calls, expired := 0, 0, false
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// A server clock that is hours off must not shorten or lengthen a token's life.
		w.Header().Set("Date", noon().Add(-5*time.Hour).Format(http.TimeFormat))
		if r.URL.Path == "/login" {
			logins++
			if want := "Basic " + base64.StdEncoding.EncodeToString([]byte("u:p")); r.Header.Get("Authorization") != want {
				t.Errorf("login with %q", r.Header.Get("Authorization"))
			}
			fmt.Fprintf(w, `{"token":"t%d"}`, logins)
			return
		}
		calls++
		if expired || r.Header.Get("Authorization") != fmt.Sprintf("Bearer t%d", logins) {
			expired = false
			w.WriteHeader(401)
			return
		}
		if got := r.URL.Query().Get("start"); r.URL.Path == "/v3/historical" && !strings.HasSuffix(got, "Z") {
			t.Errorf("start %q is not in UTC", got)
		}
		fmt.Fprint(w, `{"data":[{"point_time":"2026-03-10T12:15:00+00:00","value":1000}],"meta":{"region":"CAISO_NORTH","signal_type":"co2_moer","units":"lbs_co2_per_mwh","generated_at":"2026-03-10T12:15:00+00:00","model":{"date":"2025-01-01"}}}`)
	}))
	defer srv.Close()
	c := newClock(noon())
	p := provider(t, SourceConfig{Type: "watttime", URL: srv.URL, User: "u", Password: "p", Kind: wattle.Marginal, Scope: wattle.Direct, Zones: []wattle.ZoneID{"US-CAL-CISO"}}, c.now)
	fetch := func(wantLogins int) Actual {
		t.Helper()
		a, err := p.Actual(context.Background(), "US-CAL-CISO", time.Time{})
		if err != nil || logins != wantLogins {
			t.Fatalf("err %v, %d logins, want %d", err, logins, wantLogins)
		}
		return a
	}
	a := fetch(1)
	if got := float64(a.Points[0].Intensity); math.Abs(got-453.59237) > 1e-9 || a.Key.Kind != wattle.Marginal {
		t.Errorf("1000 lb/MWh gave %v g/kWh, kind %v", got, a.Key.Kind)
	}
	c.advance(24 * time.Minute)
	fetch(1)
	c.advance(2 * time.Minute)
	fetch(2)
	expired = true // the server ends the token early: one new login, one retry
	fetch(3)
	if calls != 5 {
		t.Errorf("%d data requests, want 5", calls)
	}
	if skew := p.(*wattTime).clockSkew(); skew > -5*time.Hour {
		t.Errorf("clock skew %v, want about -5h", skew)
	}
}

func TestWattTimeForbiddenDoesNotLogInAgain(t *testing.T) {
	logins := 0
	srv := serve(t, map[string]answer{"/login": {body: `{"token":"t"}`}, "/v3": {status: 403, body: `{"error":"plan"}`}}, func(r *http.Request) {
		if r.URL.Path == "/login" {
			logins++
		}
	})
	p := provider(t, SourceConfig{Type: "watttime", URL: srv.URL, User: "u", Password: "p", Kind: wattle.Marginal, Scope: wattle.Direct, Zones: []wattle.ZoneID{"US-CAL-CISO"}}, nil)
	for range 3 {
		if o := outcomeOf(forecastErr(p, "US-CAL-CISO")); o != Forbidden {
			t.Fatalf("outcome %v", o)
		}
	}
	if logins != 1 {
		t.Errorf("%d logins, want 1", logins)
	}
}

func TestNESO(t *testing.T) {
	srv := serve(t, map[string]answer{
		"/intensity/": {body: `{"data":[{"from":"2026-03-10T11:30Z","to":"2026-03-10T12:00Z","intensity":{"forecast":266,"actual":263,"index":"moderate"}},
			{"from":"2026-03-10T12:00Z","to":"2026-03-10T12:30Z","intensity":{"forecast":258,"actual":null,"index":"moderate"}}]}`},
		"/regional/": {body: `{"data":{"regionid":13,"shortname":"London","data":[{"from":"2026-03-10T12:00Z","to":"2026-03-10T12:30Z","intensity":{"forecast":90,"index":"low"}}]}}`},
	}, func(r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/intensity/") && !strings.Contains(r.URL.Path, "2026-03-10T12:20Z") {
			t.Errorf("path %s lacks the time without seconds", r.URL.Path)
		}
	})
	p := provider(t, SourceConfig{Type: "neso", URL: srv.URL, Scope: wattle.Direct, Zones: []wattle.ZoneID{"GB", "GB-LON", "GB-WAL"}, Names: map[wattle.ZoneID]string{"GB-LON": "13", "GB-WAL": "7"}}, nil)
	a, err := p.Actual(context.Background(), "GB", time.Time{})
	if err != nil || len(a.Points) != 1 || a.Points[0].Intensity != 263 {
		t.Errorf("actual null must not become a value: %+v, %v", a.Points, err)
	}
	f, err := p.Forecast(context.Background(), "GB")
	if err != nil || len(f.Points) != 2 || f.Points[1].Intensity != 258 {
		t.Errorf("forecast %+v, %v", f.Points, err)
	}
	if _, err := p.Actual(context.Background(), "GB-LON", time.Time{}); !errors.Is(err, ErrNoActual) {
		t.Errorf("a region has no actual values: %v", err)
	}
	if f, err := p.Forecast(context.Background(), "GB-LON"); err != nil || f.Points[0].Intensity != 90 {
		t.Errorf("regional forecast %+v, %v", f, err)
	}
	if err := forecastErr(p, "GB-WAL"); outcomeOf(err) != WrongZone {
		t.Errorf("region 13 answered for region 7: %v", err)
	}
}

func TestCarbonAware(t *testing.T) {
	srv := serve(t, map[string]answer{
		"/emissions/bylocation":        {body: `[{"location":"PJM","time":"2026-03-10T11:00:00+00:00","rating":410.5,"duration":"01:00:00"},{"location":"PJM","time":"2026-03-10T12:00:00+00:00","rating":-1,"duration":"01:00:00"}]`},
		"/emissions/forecasts/current": {body: `[{"generatedAt":"2026-03-10T12:00:00+00:00","location":"eastus","windowSize":5,"optimalDataPoints":[],"forecastData":[{"location":"eastus","timestamp":"2026-03-10T12:20:00+00:00","duration":5,"value":380.25}]}]`},
	}, nil)
	p := provider(t, SourceConfig{Type: "carbonaware", URL: srv.URL, Kind: wattle.Marginal, Scope: wattle.Direct, Zones: []wattle.ZoneID{"US-MIDA-PJM"},
		Names: map[wattle.ZoneID]string{"US-MIDA-PJM": "eastus"}, Answers: map[wattle.ZoneID]string{"US-MIDA-PJM": "PJM"}}, nil)
	a, err := p.Actual(context.Background(), "US-MIDA-PJM", time.Time{})
	if err != nil || len(a.Points) != 1 || a.Points[0].Intensity != 410.5 || a.Refused != 1 {
		t.Errorf("got %+v, %v; want one value and -1 refused", a, err)
	}
	f, err := p.Forecast(context.Background(), "US-MIDA-PJM")
	if err != nil || len(f.Points) != 1 || f.Points[0].To.Sub(f.Points[0].From) != 5*time.Minute {
		t.Errorf("forecast %+v, %v", f, err)
	}
}

func TestCarbonAwareWithoutForecasts(t *testing.T) {
	srv := serve(t, map[string]answer{"/": {status: 501, body: `{"title":"NotImplemented"}`}}, nil)
	p := provider(t, SourceConfig{Type: "carbonaware", URL: srv.URL, Zones: []wattle.ZoneID{"DE"}}, nil)
	if err := forecastErr(p, "DE"); !errors.Is(err, ErrNoForecast) {
		t.Errorf("got %v, want ErrNoForecast", err)
	}
}

func TestTimeSpan(t *testing.T) {
	for in, want := range map[string]time.Duration{"01:00:00": time.Hour, "00:05:00": 5 * time.Minute, "1.02:03:04.5": 26*time.Hour + 3*time.Minute + 4500*time.Millisecond,
		"": 0, "5": 0, "-1:00:00": 0, "00:00:99": 0, "a:b:c": 0} {
		if got := timeSpan(in); got != want {
			t.Errorf("timeSpan(%q) = %v, want %v", in, got, want)
		}
	}
}

func TestTimeoutAndUnreachable(t *testing.T) {
	release := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer srv.Close()
	defer close(release)
	c := DefaultConfig()
	c.Timeout = 20 * time.Millisecond
	s := emConfig(srv.URL)
	p, err := newProvider(c, &s, Options{Now: noon}.fill())
	if err != nil {
		t.Fatal(err)
	}
	if o := outcomeOf(actualErr(p, "DE")); o != TimedOut {
		t.Errorf("a silent server gave %v", o)
	}
	gone := httptest.NewServer(nil)
	gone.Close()
	if err := actualErr(provider(t, emConfig(gone.URL), nil), "DE"); outcomeOf(err) != Unreachable {
		t.Errorf("a closed port gave %v", err)
	}
}

func TestCSVProviderSplitsAtNow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "de.csv")
	if err := os.WriteFile(path, []byte("time,value\n2026-03-10 11:00,100\n2026-03-10 12:00,110\n2026-03-10 13:00,120\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := provider(t, SourceConfig{Type: "csv", Path: path, Zones: []wattle.ZoneID{"DE"}}, nil)
	a, err := p.Actual(context.Background(), "DE", time.Time{})
	f, ferr := p.Forecast(context.Background(), "DE")
	if err != nil || ferr != nil || len(a.Points) != 2 || len(f.Points) != 1 || f.Points[0].Intensity != 120 {
		t.Errorf("actual %v %v, forecast %v %v", a.Points, err, f.Points, ferr)
	}
	p = provider(t, SourceConfig{Type: "csv", Path: path + "x", Zones: []wattle.ZoneID{"DE"}}, nil)
	if o := outcomeOf(actualErr(p, "DE")); o != Unreachable {
		t.Errorf("missing file gave %v", o)
	}
}
