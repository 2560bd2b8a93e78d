package invocations

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"
)

// Config of a Scraper.
type Config struct {
	// Targets are the URLs of metrics endpoints. Several, such as the queue
	// proxies of a node, are added up.
	Targets []string
	// Mappings say which series to read. Default DefaultMappings().
	Mappings []Mapping
	// Every is the time between scrapes. Default 1 s.
	Every time.Duration
	// Timeout of one scrape. Default 800 ms, so that it ends before the next.
	Timeout time.Duration
	// MaxBytes bounds an answer. Default 16 MiB.
	MaxBytes int64
	// Client sends the requests. Default: a client of its own.
	Client *http.Client
	// Log receives failed scrapes. Default: discard.
	Log *slog.Logger
}

// DefaultConfig returns the defaults named in Config, without targets.
func DefaultConfig() Config {
	return Config{
		Mappings: DefaultMappings(), Every: time.Second, Timeout: 800 * time.Millisecond,
		MaxBytes: 16 << 20, Client: &http.Client{}, Log: slog.New(slog.DiscardHandler),
	}
}

// Validate says what cannot work.
func (c Config) Validate() error {
	if len(c.Targets) == 0 {
		return errors.New("invocations: no target: name the platform's metrics endpoint, for example http://gateway.openfaas:8082/metrics")
	}
	for _, t := range c.Targets {
		if u, err := url.Parse(t); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return fmt.Errorf("invocations: target %q: want an http or https URL", t)
		}
	}
	if c.Every <= 0 || c.Timeout <= 0 || c.MaxBytes <= 0 || c.Client == nil || c.Log == nil {
		return fmt.Errorf("invocations: every %s, timeout %s and limit %d must be positive, client and logger set", c.Every, c.Timeout, c.MaxBytes)
	}
	for _, m := range c.Mappings {
		if err := m.validate(); err != nil {
			return err
		}
	}
	return nil
}

// Run is what one function did between two scrapes.
type Run struct {
	Key
	Counts
}

// Batch is what all functions did in one interval, ordered by namespace and
// function. A function that did nothing is left out.
type Batch struct {
	From, To time.Time
	Runs     []Run
	// Failed counts targets that did not answer. What they counted meanwhile
	// comes with a later batch.
	Failed int
	// Late says that what was counted before From is among Runs.
	Late bool
}

// Scraper turns growing counters into batches. It is not safe for concurrent use.
type Scraper struct {
	cfg    Config
	seen   []map[Key]Counts // by target; nil before its first answer
	behind []bool           // by target: an interval ended without its answer
	last   time.Time
	errors []string // by target: the failure logged last
}

// New returns a Scraper that has asked nobody yet.
func New(cfg Config) (*Scraper, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	n := len(cfg.Targets)
	return &Scraper{cfg: cfg, seen: make([]map[Key]Counts, n), behind: make([]bool, n), errors: make([]string, n)}, nil
}

// Run scrapes until ctx ends and gives each batch but the first, which only sets
// where counting begins, to sink.
func (s *Scraper) Run(ctx context.Context, sink func(Batch)) error {
	tick := time.NewTicker(s.cfg.Every)
	defer tick.Stop()
	for {
		b, err := s.Scrape(ctx, time.Now())
		if err == nil && !b.From.IsZero() {
			sink(b)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Scrape asks all targets at once and returns what was new since the last call.
// It fails only when no target answered; then the interval goes on.
func (s *Scraper) Scrape(ctx context.Context, now time.Time) (Batch, error) {
	totals, errs := s.fetchAll(ctx)
	b := Batch{From: s.last, To: now}
	sum := map[Key]Counts{}
	for i, t := range totals {
		s.report(i, errs[i])
		if errs[i] != nil {
			b.Failed++
			continue
		}
		b.Late = b.Late || s.behind[i]
		s.advance(i, t, sum)
	}
	if b.Failed == len(totals) {
		return b, errors.Join(errs...)
	}
	s.last = now
	for i, err := range errs {
		s.behind[i] = err != nil && s.seen[i] != nil
	}
	for k, c := range sum {
		b.Runs = append(b.Runs, Run{k, c})
	}
	slices.SortFunc(b.Runs, func(x, y Run) int { return x.compare(y.Key) })
	return b, nil
}

// report logs a failure when it is another than before.
func (s *Scraper) report(i int, err error) {
	text := ""
	if err != nil {
		text = err.Error()
		if text != s.errors[i] {
			s.cfg.Log.Warn("invocations are not counted", "target", s.cfg.Targets[i], "err", err)
		}
	}
	s.errors[i] = text
}

// advance adds to sum what target i counted since its last answer. A series that
// is new after that began at 0. One that fell was reset: its value is new.
func (s *Scraper) advance(i int, now map[Key]Counts, sum map[Key]Counts) {
	old := s.seen[i]
	if old == nil {
		s.seen[i] = now
		return
	}
	for k, c := range now {
		d := since(old[k], c)
		if d != (Counts{}) {
			t := sum[k]
			t.Count += d.Count
			t.Seconds += d.Seconds
			t.Cold += d.Cold
			t.ColdSeconds += d.ColdSeconds
			t.Untold += d.Untold
			sum[k] = t
		}
		old[k] = c // a series that is absent for once keeps its old value
	}
}

func since(old, now Counts) Counts {
	if now.Count < old.Count || now.Seconds < old.Seconds-slack || now.Cold < old.Cold {
		return now
	}
	count := now.Count - old.Count
	return Counts{
		Count: count, Seconds: max(now.Seconds-old.Seconds, 0),
		Cold: now.Cold - old.Cold, ColdSeconds: max(now.ColdSeconds-old.ColdSeconds, 0),
		Untold: min(max(now.Untold-old.Untold, 0), count), // all or nothing, but where cold starts come to be told
	}
}

// slack is by how many seconds a sum may fall without a reset: the part without
// start-up is a difference of two sums that are not read at one instant.
const slack = 1

// fetchAll asks all targets side by side, so that a slow one delays none.
func (s *Scraper) fetchAll(ctx context.Context) ([]map[Key]Counts, []error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	totals, errs := make([]map[Key]Counts, len(s.cfg.Targets)), make([]error, len(s.cfg.Targets))
	var wg sync.WaitGroup
	for i, t := range s.cfg.Targets {
		wg.Go(func() { totals[i], errs[i] = s.fetch(ctx, t) })
	}
	wg.Wait()
	return totals, errs
}

func (s *Scraper) fetch(ctx context.Context, target string) (map[Key]Counts, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "text/plain;version=0.0.4")
	res, err := s.cfg.Client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answered %d %s", target, res.StatusCode, http.StatusText(res.StatusCode))
	}
	body := &io.LimitedReader{R: res.Body, N: s.cfg.MaxBytes + 1}
	out, err := Parse(body, s.cfg.Mappings)
	if body.N <= 0 {
		return nil, fmt.Errorf("%s: answer exceeds %d bytes: raise the limit", target, s.cfg.MaxBytes)
	}
	if errors.Is(err, ErrNoSeries) {
		// A gateway that has served nothing yet has no series.
		return map[Key]Counts{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", target, err)
	}
	return out, nil
}
