package grid

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/wattle-project/wattle"
)

const deEIC = "10Y1001A1001A83F"

const entsoeNoData = `<?xml version="1.0" encoding="UTF-8"?><Acknowledgement_MarketDocument xmlns="urn:iec62325.351:tc57wg16:451-1:acknowledgementdocument:7:0"><mRID>1</mRID><Reason><code>999</code><text>No matching data found for Data item</text></Reason></Acknowledgement_MarketDocument>`

// entsoeDoc is a document of one series whose points have the given quantities.
func entsoeDoc(start, end, resolution, fuel string, quantities ...string) string {
	return entsoeHead + entsoeSeries(start, end, resolution, fuel, quantities...) + "</GL_MarketDocument>"
}

const entsoeHead = `<?xml version="1.0" encoding="utf-8"?><GL_MarketDocument xmlns="urn:iec62325.351:tc57wg16:451-6:generationloaddocument:3:0"><mRID>x</mRID><type>A75</type><process.processType>A16</process.processType>`

func entsoeSeries(start, end, resolution, fuel string, quantities ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `<TimeSeries><mRID>1</mRID><businessType>A01</businessType><inBiddingZone_Domain.mRID codingScheme="A01">%s</inBiddingZone_Domain.mRID><quantity_Measure_Unit.name>MAW</quantity_Measure_Unit.name><curveType>A03</curveType><MktPSRType><psrType>%s</psrType></MktPSRType><Period><timeInterval><start>%s</start><end>%s</end></timeInterval><resolution>%s</resolution>`, deEIC, fuel, start, end, resolution)
	for i, q := range quantities {
		if q != "" {
			fmt.Fprintf(&b, "<Point><position>%d</position><quantity>%s</quantity></Point>", i+1, q)
		}
	}
	b.WriteString("</Period></TimeSeries>")
	return b.String()
}

func entsoeMix(t *testing.T, docs ...string) []Point {
	t.Helper()
	m := newGenerationMix()
	for _, d := range docs {
		if err := m.add([]byte(d), deEIC); err != nil {
			t.Fatal(err)
		}
	}
	return m.hourly()
}

func TestMixIsWeightedByEnergy(t *testing.T) {
	doc := entsoeHead +
		entsoeSeries("2026-03-10T10:00Z", "2026-03-10T11:00Z", "PT60M", "B05", "1000") + // hard coal 820
		entsoeSeries("2026-03-10T10:00Z", "2026-03-10T11:00Z", "PT15M", "B19", "2000", "4000", "2000", "4000") + // wind 11
		entsoeSeries("2026-03-10T10:00Z", "2026-03-10T11:00Z", "PT60M", "B10", "500") + // pumped storage: not counted
		strings.ReplaceAll(entsoeSeries("2026-03-10T10:00Z", "2026-03-10T11:00Z", "PT60M", "B10", "900"), "inBidding", "outBidding") +
		"</GL_MarketDocument>"
	got := entsoeMix(t, doc)
	want := (1000.0*820 + 3000*11) / 4000
	if len(got) != 1 || math.Abs(float64(got[0].Intensity)-want) > 1e-9 {
		t.Fatalf("got %v, want %v", got, want)
	}
}

// TestMixWaitsForAllFuels: types are published at different times, and an hour
// without its coal would look clean.
func TestMixWaitsForAllFuels(t *testing.T) {
	doc := entsoeHead +
		entsoeSeries("2026-03-10T08:00Z", "2026-03-10T10:00Z", "PT60M", "B05", "1000", "1000") +
		entsoeSeries("2026-03-10T08:00Z", "2026-03-10T11:00Z", "PT60M", "B19", "1000", "1000", "1000") +
		"</GL_MarketDocument>"
	if got := entsoeMix(t, doc); len(got) != 2 || got[1].From.Hour() != 9 {
		t.Errorf("got %v, want the two complete hours only", got)
	}
}

func TestMixRepeatsOmittedPositions(t *testing.T) {
	day := entsoeDoc("2026-03-10T00:00Z", "2026-03-10T06:00Z", "PT15M", "B04", "100", "", "", "200")
	if got := entsoeMix(t, day); len(got) != 6 {
		t.Errorf("curve A03 with two points gave %d hours, want 6", len(got))
	}
	a01 := strings.ReplaceAll(day, "A03", "A01")
	if got := entsoeMix(t, a01); len(got) != 0 {
		t.Errorf("curve A01 with gaps gave %v, want no complete hour", got)
	}
}

// TestMixDays of 23 and 25 hours: the interval is in UTC, so only its length varies.
func TestMixDays(t *testing.T) {
	for _, c := range []struct {
		start, end string
		hours      int
	}{
		{"2026-03-28T23:00Z", "2026-03-29T22:00Z", 23},
		{"2026-03-29T22:00Z", "2026-03-30T22:00Z", 24},
		{"2026-10-24T22:00Z", "2026-10-25T23:00Z", 25},
	} {
		q := make([]string, c.hours)
		for i := range q {
			q[i] = fmt.Sprint(100 + i)
		}
		got := entsoeMix(t, entsoeDoc(c.start, c.end, "PT60M", "B04", q...))
		if len(got) != c.hours || got[0].From.Format(nesoTime) != c.start || got[len(got)-1].To.Format(nesoTime) != c.end {
			t.Errorf("%s: %d hours, want %d", c.start, len(got), c.hours)
		}
		if err := newGenerationMix().add([]byte(entsoeDoc(c.start, c.end, "PT60M", "B04", append(q, "1")...)), deEIC); err == nil {
			t.Errorf("%s: one position too many was accepted", c.start)
		}
	}
}

func zipOf(t testing.TB, docs ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i, d := range docs {
		f, err := w.Create(fmt.Sprintf("%d.xml", i))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(d)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestENTSOEZip(t *testing.T) {
	body := zipOf(t, entsoeDoc("2026-03-10T09:00Z", "2026-03-10T10:00Z", "PT60M", "B04", "10"), entsoeDoc("2026-03-10T10:00Z", "2026-03-10T11:00Z", "PT60M", "B04", "10"))
	srv := serve(t, map[string]answer{"/": {body: string(body)}}, nil)
	p := provider(t, SourceConfig{Type: "entsoe", URL: srv.URL, Key: "k", Zones: []wattle.ZoneID{"DE"}}, nil)
	a, err := p.Actual(context.Background(), "DE", time.Time{})
	if err != nil || len(a.Points) != 2 || a.Points[0].Intensity != 490 {
		t.Errorf("got %+v, %v", a.Points, err)
	}
	bomb := zipOf(t, strings.Repeat(" ", 1<<20)) // about 1 kB
	srv = serve(t, map[string]answer{"/": {body: string(bomb)}}, nil)
	p = provider(t, SourceConfig{Type: "entsoe", URL: srv.URL, Key: "k", Zones: []wattle.ZoneID{"DE"}}, nil)
	if err := actualErr(p, "DE"); outcomeOf(err) != Malformed || !strings.Contains(err.Error(), "limit") {
		t.Errorf("an archive that unpacks past the limit gave %v", err)
	}
}

func TestENTSOEErrorsCarryTheReason(t *testing.T) {
	srv := serve(t, map[string]answer{"/": {status: 400, body: entsoeNoData}}, nil)
	p := provider(t, SourceConfig{Type: "entsoe", URL: srv.URL, Key: "k", Zones: []wattle.ZoneID{"DE"}}, nil)
	if err := actualErr(p, "DE"); err == nil || !strings.Contains(err.Error(), "No matching data") {
		t.Errorf("got %v", err)
	}
}
