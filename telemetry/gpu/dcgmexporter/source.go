package dcgmexporter

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/wattle-project/wattle/telemetry"
	"github.com/wattle-project/wattle/telemetry/gpu"
)

// Config tunes a Source.
type Config struct {
	// URL of the metrics page. Default http://127.0.0.1:9400/metrics.
	URL string
	// Every is the shortest time between two scrapes; Read answers from the
	// last page in between. An exporter refreshes every 30 s by default, so
	// more often gains nothing. Default 5 s.
	Every time.Duration
	// Timeout bounds one scrape. Default 1 s.
	Timeout time.Duration
	// StaleAfter is how long a board's energy may stay the same before the
	// exporter is taken to have stopped. Default 2 min.
	StaleAfter time.Duration
	// MaxBytes bounds a page. Default 16 MiB.
	MaxBytes int64
	// Client makes the requests; nil uses one with Timeout.
	Client *http.Client
}

// DefaultConfig returns the defaults stated at the fields.
func DefaultConfig() Config {
	return Config{
		URL: "http://127.0.0.1:9400/metrics", Every: 5 * time.Second, Timeout: time.Second,
		StaleAfter: 2 * time.Minute, MaxBytes: 16 << 20,
	}
}

// Validate checks ranges and the URL.
func (c Config) Validate() error {
	u, err := url.Parse(c.URL)
	switch {
	case err != nil:
		return fmt.Errorf("dcgm-exporter url: %w", err)
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return fmt.Errorf("dcgm-exporter url %q: want http://host:9400/metrics", c.URL)
	case c.Every < 0 || c.Timeout <= 0 || c.StaleAfter <= 0:
		return fmt.Errorf("dcgm-exporter intervals every %s, timeout %s, stale after %s: want positive ones", c.Every, c.Timeout, c.StaleAfter)
	case c.MaxBytes <= 0:
		return fmt.Errorf("dcgm-exporter page limit %d bytes: want a positive one", c.MaxBytes)
	}
	return nil
}

var _ gpu.Source = (*Source)(nil)

// Source is a gpu.Source over a dcgm-exporter. It is not safe for concurrent use.
type Source struct {
	cfg     Config
	client  *http.Client
	page    []gpu.Board
	scraped time.Time
	moved   map[string]mark
}

// mark is when a board last showed something new.
type mark struct {
	at     time.Time
	energy uint64
}

// New returns a Source; nothing is fetched before the first observation.
func New(c Config) (*Source, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	s := &Source{cfg: c, client: c.Client, moved: map[string]mark{}}
	if s.client == nil {
		s.client = &http.Client{Timeout: c.Timeout}
	}
	return s, nil
}

// NewMeter returns the telemetry.Meter named "dcgm".
func NewMeter(c Config, g gpu.Config) (*gpu.Meter, error) {
	s, err := New(c)
	if err != nil {
		return nil, err
	}
	return gpu.NewMeter("dcgm", s, g)
}

// Boards implements gpu.Source.
func (s *Source) Boards(ctx context.Context, dst []gpu.Board) ([]gpu.Board, error) {
	if now := time.Now(); s.scraped.IsZero() || now.Sub(s.scraped) >= s.cfg.Every {
		page, err := s.fetch(ctx)
		if err != nil {
			return dst, err
		}
		s.page, s.scraped = page, now
		s.stamp()
	}
	return append(dst, s.page...), nil
}

func (s *Source) fetch(ctx context.Context) ([]gpu.Board, error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.cfg.URL, nil)
	if err != nil {
		return nil, err
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, &telemetry.Unavailable{Reason: "dcgm-exporter does not answer", Mend: "run dcgm-exporter on this node or set its URL", Err: err}
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("dcgm-exporter %s answers %s", s.cfg.URL, resp.Status)
	}
	body := &io.LimitedReader{R: resp.Body, N: s.cfg.MaxBytes}
	boards, err := Parse(body)
	if err == nil && body.N == 0 {
		err = fmt.Errorf("page is longer than %d bytes", s.cfg.MaxBytes)
	}
	if err != nil {
		return nil, fmt.Errorf("dcgm-exporter %s: %w", s.cfg.URL, err)
	}
	return boards, nil
}

// stamp dates each board by when its energy last changed. The exporter prints
// its last sample until it takes another, and a repeated sample dated anew
// would show no power first and impossible power later.
func (s *Source) stamp() {
	seen := map[string]mark{}
	for i := range s.page {
		b := &s.page[i]
		m := s.moved[b.UUID]
		if m.at.IsZero() || !b.HasEnergy || b.Energy != m.energy {
			m = mark{at: s.scraped, energy: b.Energy}
		}
		if age := s.scraped.Sub(m.at); age > s.cfg.StaleAfter {
			b.Err = fmt.Errorf("dcgm-exporter shows the same energy of %s for %s: it has stopped sampling", b.UUID, age)
		}
		b.At, seen[b.UUID] = m.at, m
	}
	s.moved = seen
}

// Close implements gpu.Source.
func (s *Source) Close() error {
	s.client.CloseIdleConnections()
	return nil
}
