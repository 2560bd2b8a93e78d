package grid

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/wattle-project/wattle"
)

// entsoe computes a production-based intensity from the actual generation per
// type (document A75, process A16) of the ENTSO-E Transparency Platform. It
// knows no imports: where those matter, a flow-traced source is better.
type entsoe struct {
	*client
	base  string
	key   Secret
	areas map[wattle.ZoneID]string
}

func newENTSOE(c SourceConfig, cl *client) (Provider, error) {
	if c.Key == "" {
		return nil, fmt.Errorf("source %s: no key; ENTSO-E needs its security token in \"key\"", c.Label())
	}
	p := &entsoe{cl, orDefault(c.URL, "https://web-api.tp.entsoe.eu/api"), c.Key, map[wattle.ZoneID]string{}}
	known := entsoeAreas()
	for _, z := range c.Zones {
		p.areas[z] = orDefault(c.Names[z], known[string(z)])
		if p.areas[z] == "" {
			return nil, fmt.Errorf("source %s: no EIC area code for zone %s; add it to \"names\"", c.Label(), z)
		}
	}
	return p, nil
}

// Name implements Provider.
func (p *entsoe) Name() string { return p.name }

// Describe gives an hour as the period although some areas publish quarters:
// publication lags by about an hour.
func (p *entsoe) Describe() Description {
	return Description{Kind: wattle.Average, Scope: wattle.Lifecycle, Period: time.Hour}
}

// Forecast implements Provider.
func (p *entsoe) Forecast(context.Context, wattle.ZoneID) (Forecast, error) {
	return Forecast{}, ErrNoForecast
}

// Actual implements Provider.
func (p *entsoe) Actual(ctx context.Context, zone wattle.ZoneID, since time.Time) (Actual, error) {
	now := p.now()
	out := Actual{Key: p.Describe().key(zone), Provider: p.name, FetchedAt: now}
	from := laterOf(since.Add(-6*time.Hour), now.Add(-historyWindow)).UTC().Truncate(time.Hour)
	const layout = "200601021504"
	q := url.Values{
		"securityToken": {string(p.key)}, "documentType": {"A75"}, "processType": {"A16"}, "in_Domain": {p.areas[zone]},
		"periodStart": {from.Format(layout)}, "periodEnd": {now.UTC().Add(time.Hour).Truncate(time.Hour).Format(layout)},
	}
	body, err := p.get(ctx, zone, p.base+"?"+q.Encode(), nil)
	if err != nil {
		var f *Failure
		if errors.As(err, &f) && f.Err == nil {
			f.Err = acknowledgement(body)
		}
		return out, err
	}
	mix, err := p.mix(zone, body)
	if err != nil {
		return out, err
	}
	out.Points, out.Refused, err = p.finish(zone, mix.hourly(), time.Hour)
	return out, err
}

// mix reads one XML document, or every document of a zip archive.
func (p *entsoe) mix(zone wattle.ZoneID, body []byte) (*generationMix, error) {
	docs := [][]byte{body}
	if bytes.HasPrefix(body, []byte("PK\x03\x04")) {
		var err error
		if docs, err = unzip(body, p.maxBody); err != nil {
			return nil, p.fail(zone, Malformed, err)
		}
	}
	m := newGenerationMix()
	for _, d := range docs {
		if err := m.add(d, p.areas[zone]); err != nil {
			outcome := Malformed
			switch {
			case errors.Is(err, errOtherArea):
				outcome = WrongZone
			case errors.Is(err, errNoData):
				outcome = Invalid
			}
			return nil, p.fail(zone, outcome, err)
		}
	}
	return m, nil
}

// unzip returns the files of an archive, at most 64 and limit bytes in all: a
// few kilobytes can unpack to gigabytes.
func unzip(body []byte, limit int64) ([][]byte, error) {
	archive, err := zip.NewReader(bytes.NewReader(body), int64(len(body)))
	if err != nil {
		return nil, fmt.Errorf("reading the zip archive: %w", err)
	}
	if len(archive.File) > 64 {
		return nil, fmt.Errorf("zip archive of %d files, want at most 64", len(archive.File))
	}
	var docs [][]byte
	for _, f := range archive.File {
		if f.FileInfo().IsDir() {
			continue
		}
		doc, err := unzipFile(f, limit)
		if err != nil {
			return nil, err
		}
		limit -= int64(len(doc))
		docs = append(docs, doc)
	}
	return docs, nil
}

func unzipFile(f *zip.File, limit int64) ([]byte, error) {
	r, err := f.Open()
	if err != nil {
		return nil, fmt.Errorf("opening a file of the zip archive: %w", err)
	}
	defer r.Close()
	doc, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, fmt.Errorf("unpacking the zip archive: %w", err)
	}
	if int64(len(doc)) > limit {
		return nil, fmt.Errorf("zip archive unpacks to more than the limit; raise max_body if that is right")
	}
	return doc, nil
}

// glDocument is the part of GL_MarketDocument (IEC 62325-451-6) in use, and of
// the acknowledgement that stands in for it when there is nothing to send.
type glDocument struct {
	XMLName xml.Name
	Reason  []struct {
		Code string `xml:"code"`
		Text string `xml:"text"`
	} `xml:"Reason"`
	TimeSeries []glSeries `xml:"TimeSeries"`
}

type glSeries struct {
	In      string     `xml:"inBiddingZone_Domain.mRID"`
	Out     string     `xml:"outBiddingZone_Domain.mRID"`
	Unit    string     `xml:"quantity_Measure_Unit.name"`
	Curve   string     `xml:"curveType"`
	Type    string     `xml:"MktPSRType>psrType"`
	Periods []glPeriod `xml:"Period"`
}

// glPoint is the mean power of one step.
type glPoint struct {
	Position int     `xml:"position"`
	Quantity float64 `xml:"quantity"`
}

type glPeriod struct {
	Start      string    `xml:"timeInterval>start"`
	End        string    `xml:"timeInterval>end"`
	Resolution string    `xml:"resolution"`
	Points     []glPoint `xml:"Point"`
}

// acknowledgement returns the reason in an error document, or nil.
func acknowledgement(body []byte) error {
	var d glDocument
	if xml.Unmarshal(body, &d) != nil || len(d.Reason) == 0 {
		return nil
	}
	text := []rune(strings.Join(strings.Fields(d.Reason[0].Text), " "))
	if len(text) > 160 {
		text = text[:160]
	}
	return fmt.Errorf("reason %.8s: %s", d.Reason[0].Code, string(text))
}
