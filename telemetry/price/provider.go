package price

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/wattle-project/wattle"
)

// Provider fetches prices from one place, in the background only.
type Provider interface {
	// Name is the provider's label.
	Name() string
	// Actual returns published prices of zone.
	Actual(ctx context.Context, zone wattle.ZoneID) (Actual, error)
	// Forecast returns modelled prices, or ErrNoForecast.
	Forecast(ctx context.Context, zone wattle.ZoneID) (Forecast, error)
}

// ErrNoForecast says that a provider has no forecast for a zone.
var ErrNoForecast = errors.New("no forecast")

// Failure is the error of a fetch, classed for metrics. It shows no credential.
type Failure struct {
	Provider string
	Zone     wattle.ZoneID
	// Outcome is a label value: timeout, unreachable, too_large, malformed,
	// invalid, wrong_zone, or "http_" and the status.
	Outcome    string
	RetryAfter time.Duration
	Err        error
}

// Error says which provider and zone failed and how.
func (f *Failure) Error() string {
	return fmt.Sprintf("%s zone %s: %s: %v", f.Provider, f.Zone, f.Outcome, f.Err)
}

// Unwrap returns the cause.
func (f *Failure) Unwrap() error { return f.Err }

// csvProvider serves columns of a file.
type csvProvider struct {
	SourceConfig
	location *time.Location
	now      func() time.Time
}

// Name implements Provider.
func (p *csvProvider) Name() string { return p.Label() }

// Actual implements Provider.
func (p *csvProvider) Actual(_ context.Context, zone wattle.ZoneID) (Actual, error) {
	points, refused, err := p.read(zone, p.Column)
	return Actual{zone, p.now(), points, refused}, err
}

// Forecast implements Provider.
func (p *csvProvider) Forecast(_ context.Context, zone wattle.ZoneID) (Forecast, error) {
	if p.ForecastColumn == "" {
		return Forecast{}, ErrNoForecast
	}
	points, refused, err := p.read(zone, p.ForecastColumn)
	return Forecast{zone, p.now(), points, refused}, err
}

func (p *csvProvider) read(zone wattle.ZoneID, column string) ([]Point, int, error) {
	f, err := os.Open(p.Path)
	if err != nil {
		return nil, 0, &Failure{p.Label(), zone, "unreachable", 0, err}
	}
	defer f.Close()
	points, refused, err := ReadCSV(f, CSVOptions{Column: column, Location: p.location, Step: p.Period})
	if err != nil {
		return nil, 0, &Failure{p.Label(), zone, "malformed", 0, fmt.Errorf("%s: %w", p.Path, err)}
	}
	return points, refused, nil
}

// jsonProvider asks a JSON service of a configured shape.
type jsonProvider struct {
	SourceConfig
	location *time.Location
	now      func() time.Time
	http     *http.Client
	timeout  time.Duration
	maxBody  int64
}

// Name implements Provider.
func (p *jsonProvider) Name() string { return p.Label() }

// Forecast implements Provider.
func (p *jsonProvider) Forecast(context.Context, wattle.ZoneID) (Forecast, error) {
	return Forecast{}, ErrNoForecast
}

// Actual implements Provider.
func (p *jsonProvider) Actual(ctx context.Context, zone wattle.ZoneID) (Actual, error) {
	now := p.now()
	name := p.Names[zone]
	if name == "" {
		name = string(zone)
	}
	// Yesterday is needed for the mean and the day after tomorrow bounds what
	// can have been published.
	from, to := now.UTC().Add(-24*time.Hour), now.UTC().Add(48*time.Hour)
	address := strings.NewReplacer("{zone}", url.QueryEscape(name), "{from}", from.Format("2006-01-02"), "{to}", to.Format("2006-01-02"),
		"{from_ms}", strconv.FormatInt(from.UnixMilli(), 10), "{to_ms}", strconv.FormatInt(to.UnixMilli(), 10)).Replace(p.URL)
	body, err := p.get(ctx, zone, address)
	if err != nil {
		return Actual{}, err
	}
	points, refused, err := ReadJSON(body, p.Shape, name, p.location, p.Period)
	switch {
	case errors.Is(err, errOtherZone):
		return Actual{}, p.fail(zone, "wrong_zone", err)
	case err != nil:
		return Actual{}, p.fail(zone, "malformed", err)
	case len(points) == 0:
		return Actual{}, p.fail(zone, "invalid", fmt.Errorf("no usable price among %d", refused))
	}
	return Actual{zone, now, points, refused}, nil
}

func (p *jsonProvider) fail(zone wattle.ZoneID, outcome string, err error) *Failure {
	return &Failure{p.Label(), zone, outcome, 0, err}
}

// get fetches address with a time-out and a limit on the answer.
func (p *jsonProvider) get(ctx context.Context, zone wattle.ZoneID, address string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, p.fail(zone, "malformed", errors.New("the configured url cannot be parsed"))
	}
	if p.Header != "" {
		req.Header.Set(p.Header, string(p.Key))
	}
	resp, err := p.http.Do(req)
	if err != nil {
		return nil, p.transport(zone, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		f := p.fail(zone, "http_"+strconv.Itoa(resp.StatusCode), errors.New("not answered"))
		f.RetryAfter = retryAfter(resp.Header, p.now())
		return nil, f
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, p.maxBody+1))
	if err != nil {
		return nil, p.transport(zone, err)
	}
	if int64(len(body)) > p.maxBody {
		return nil, p.fail(zone, "too_large", fmt.Errorf("answer is over %d bytes; raise max_body if that is right", p.maxBody))
	}
	return body, nil
}

// transport drops the *url.Error, which prints the URL with any key in it.
func (p *jsonProvider) transport(zone wattle.ZoneID, err error) *Failure {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return p.fail(zone, "timeout", err)
	}
	return p.fail(zone, "unreachable", err)
}

// retryAfter reads the header in both forms of RFC 9110 §10.2.3, at most a day.
func retryAfter(h http.Header, now time.Time) time.Duration {
	const most = 24 * time.Hour
	v := strings.TrimSpace(h.Get("Retry-After"))
	if s, err := strconv.ParseInt(v, 10, 64); err == nil {
		return time.Duration(min(max(s, 0), int64(most/time.Second))) * time.Second
	}
	at, err := http.ParseTime(v)
	if err != nil {
		return 0
	}
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	return min(max(at.Sub(now), 0), most)
}

// sameHost refuses redirects to other hosts: the credential would go with them.
func sameHost(c *http.Client) *http.Client {
	if c == nil {
		c = &http.Client{}
	}
	out := *c
	out.CheckRedirect = func(req *http.Request, via []*http.Request) error {
		if len(via) > 3 || req.URL.Host != via[0].URL.Host || req.URL.Scheme != via[0].URL.Scheme {
			return errors.New("refused a redirect to another host; set the url to the final address")
		}
		return nil
	}
	return &out
}
