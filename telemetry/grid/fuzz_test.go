package grid

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/wattle-project/wattle"
)

// body answers every request with the same bytes, without a network.
type body []byte

func (b body) RoundTrip(r *http.Request) (*http.Response, error) {
	text := []byte(b)
	if r.URL.Path == "/login" {
		text = []byte(`{"token":"t"}`)
	}
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(text)), Request: r}, nil
}

// fuzzProvider feeds any body to a provider: whatever comes out must be valid,
// ascending and disjoint.
func fuzzProvider(f *testing.F, s SourceConfig, seeds ...string) {
	for _, x := range seeds {
		f.Add([]byte(x))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c := DefaultConfig()
		c.MaxBody = 256 * wattle.KiB
		s.Rate, s.Burst = 1e9, 1000
		p, err := newProvider(c, &s, Options{Now: noon, HTTP: &http.Client{Transport: body(b)}}.fill())
		if err != nil {
			t.Fatal(err)
		}
		a, err := p.Actual(context.Background(), s.Zones[0], noon().Add(-time.Minute))
		checkPoints(t, a.Points, err)
		fc, err := p.Forecast(context.Background(), s.Zones[0])
		checkPoints(t, fc.Points, err)
	})
}

func checkPoints(t *testing.T, points []Point, err error) {
	t.Helper()
	for i, p := range points {
		if err == nil && (!p.Intensity.Valid() || !p.To.After(p.From) || i > 0 && p.From.Before(points[i-1].To)) {
			t.Fatalf("point %d of %v", i, points)
		}
	}
}

func FuzzElectricityMaps(f *testing.F) {
	fuzzProvider(f, emConfig("http://x"), emLatest, emForecast, emHistory, `{"zone":"DE","carbonIntensity":1e308,"datetime":"9999-01-01T00:00:00Z"}`, `null`)
}

func FuzzWattTime(f *testing.F) {
	fuzzProvider(f, SourceConfig{Type: "watttime", URL: "http://x", User: "u", Password: "p", Kind: wattle.Marginal, Scope: wattle.Direct, Zones: []wattle.ZoneID{"US-CAL-CISO"}},
		`{"data":[{"point_time":"2026-03-10T12:15:00+00:00","value":1000}],"meta":{"region":"CAISO_NORTH","signal_type":"co2_moer","units":"lbs_co2_per_mwh","data_point_period_seconds":300}}`)
}

func FuzzNESO(f *testing.F) {
	fuzzProvider(f, SourceConfig{Type: "neso", URL: "http://x", Scope: wattle.Direct, Zones: []wattle.ZoneID{"GB"}},
		`{"data":[{"from":"2026-03-10T11:30Z","to":"2026-03-10T12:00Z","intensity":{"forecast":266,"actual":263}}]}`)
}

func FuzzCarbonAware(f *testing.F) {
	fuzzProvider(f, SourceConfig{Type: "carbonaware", URL: "http://x", Zones: []wattle.ZoneID{"DE"}},
		`[{"location":"DE","time":"2026-03-10T11:00:00+00:00","rating":410.5,"duration":"01:00:00"}]`,
		`[{"location":"DE","forecastData":[{"timestamp":"2026-03-10T12:20:00+00:00","duration":5,"value":380.25}]}]`)
}

func FuzzENTSOE(f *testing.F) {
	fuzzProvider(f, SourceConfig{Type: "entsoe", URL: "http://x", Key: "k", Zones: []wattle.ZoneID{"DE"}},
		entsoeDoc("2026-03-10T10:00Z", "2026-03-10T11:00Z", "PT15M", "B04", "1", "", "3"), entsoeNoData,
		string(zipOf(f, entsoeDoc("2026-03-10T10:00Z", "2026-03-10T11:00Z", "PT60M", "B05", "1"))))
}

func FuzzReadCSV(f *testing.F) {
	f.Add(emCSV, false)
	f.Add("time,value\n2026-10-25 02:00,1\n2026-10-25 02:00,1\n", true)
	f.Add("2022-01-01 00:00,10\n", false)
	f.Add(",vAlue\n0000000000000000\"0", true) // a bare quote: no position to report
	f.Fuzz(func(t *testing.T, text string, local bool) {
		o := CSVOptions{Zone: "ES"}
		if local {
			o.Location, _ = time.LoadLocation("Europe/Berlin")
		}
		points, _, err := ReadCSV(strings.NewReader(text), o)
		checkPoints(t, points, err)
	})
}

func FuzzRetryAfter(f *testing.F) {
	f.Add("120", "")
	f.Add("Tue, 10 Mar 2026 12:01:00 GMT", "Tue, 10 Mar 2026 12:00:00 GMT")
	f.Fuzz(func(t *testing.T, v, date string) {
		h := http.Header{"Retry-After": {v}, "Date": {date}}
		if d := retryAfter(h, noon()); d < 0 || d > maxRetryAfter {
			t.Fatalf("%q gave %v", v, d)
		}
	})
}
