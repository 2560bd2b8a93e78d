package grid

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/wattle-project/wattle"
)

// historyWindow is how far back a first fetch asks and actual values are kept:
// the seven days that the same-hour mean is taken over.
const historyWindow = 7 * 24 * time.Hour

// Config says which zones to serve and from where.
type Config struct {
	// Zones are served by every source that does not name its own.
	Zones []wattle.ZoneID `yaml:"zones"`
	// Sources in order of preference; an earlier one wins where both have a value.
	Sources []SourceConfig `yaml:"sources"`
	// Refresh is the time between two fetches of one zone from one source.
	Refresh time.Duration `yaml:"refresh"`
	// ForecastRefresh is the same for forecasts.
	ForecastRefresh time.Duration `yaml:"forecast_refresh"`
	// Horizon is how far ahead forecasts are asked for, at most 72 h.
	Horizon time.Duration `yaml:"horizon"`
	// Timeout bounds one request with its answer.
	Timeout time.Duration `yaml:"timeout"`
	// MaxBackoff bounds the wait after repeated failures, which doubles from
	// 5 s. A server's Retry-After may ask for more.
	MaxBackoff time.Duration `yaml:"max_backoff"`
	// MaxBody bounds one answer, after decompression, in bytes.
	MaxBody wattle.Bytes `yaml:"max_body"`
	// Jitter spreads each wait by ± this part of it, and the first fetch over
	// this part of Refresh, so that agents that start together do not ask together.
	Jitter float64 `yaml:"jitter"`
	// Seed seeds the jitter. 0 draws one: agents that share a configuration
	// would keep in step by a seed in it.
	Seed uint64 `yaml:"seed"`
	// Yearly gives or replaces yearly average life-cycle figures of the built-in table.
	Yearly map[wattle.ZoneID]wattle.GramsPerKWh `yaml:"yearly"`
}

// DefaultConfig refreshes every 5 minutes (hourly data is published late and
// corrected), asks 24 h ahead every half hour and has no zone and no source.
func DefaultConfig() Config {
	return Config{
		Refresh: 5 * time.Minute, ForecastRefresh: 30 * time.Minute, Horizon: 24 * time.Hour, Timeout: 15 * time.Second,
		MaxBackoff: 15 * time.Minute, MaxBody: 8 * wattle.MiB, Jitter: 0.1,
	}
}

// SourceConfig configures one provider.
type SourceConfig struct {
	// Type is electricitymaps, watttime, neso, carbonaware, entsoe or csv.
	Type string `yaml:"type"`
	// Name is the label in signals and metrics; the default is Type.
	Name string `yaml:"name"`
	// URL replaces the service's public address. carbonaware needs it.
	URL string `yaml:"url"`
	// Key is the credential of electricitymaps and entsoe.
	Key Secret `yaml:"key"`
	// User and Password are the credentials of watttime.
	User     string `yaml:"user"`
	Password Secret `yaml:"password"`
	// Kind of the values. Only watttime, carbonaware and csv leave a choice.
	Kind wattle.SignalKind `yaml:"kind"`
	// Scope of the values. Only electricitymaps, carbonaware and csv leave a choice.
	Scope wattle.SignalScope `yaml:"scope"`
	// Zones that this source serves; empty is all of Config.Zones.
	Zones []wattle.ZoneID `yaml:"zones"`
	// Names maps zones to the provider's own names: WattTime regions, Carbon
	// Aware SDK locations, EIC codes, NESO region numbers, CSV columns.
	Names map[wattle.ZoneID]string `yaml:"names"`
	// Answers maps zones to the other name that a Carbon Aware SDK server
	// answers with, where that is not the one asked for.
	Answers map[wattle.ZoneID]string `yaml:"answers"`
	// Rate and Burst pace requests: Rate a second on average, Burst at once.
	Rate  float64 `yaml:"rate"`
	Burst int     `yaml:"burst"`
	// Path and Location (an IANA time zone name) are for csv.
	Path     string `yaml:"path"`
	Location string `yaml:"location"`
	// Period is the usual length of one value, for carbonaware and csv.
	Period time.Duration `yaml:"period"`

	horizon time.Duration
}

// Label is the name of the source in messages, signals and metrics.
func (c SourceConfig) Label() string { return orDefault(c.Name, c.Type) }

// Validate says what is wrong with c, all of it at once.
func (c Config) Validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf("grid: "+format, args...))
		}
	}
	check(c.Refresh >= time.Second, "refresh %s: want at least 1s", c.Refresh)
	check(c.ForecastRefresh >= time.Second, "forecast_refresh %s: want at least 1s", c.ForecastRefresh)
	check(c.Horizon > 0 && c.Horizon <= 72*time.Hour, "horizon %s: want up to 72h", c.Horizon)
	check(c.Timeout > 0, "timeout %s: want a positive time", c.Timeout)
	check(c.MaxBackoff >= firstBackoff, "max_backoff %s: want at least %s", c.MaxBackoff, firstBackoff)
	check(c.MaxBody >= 1024, "max_body %d: want at least 1024 bytes", c.MaxBody)
	check(c.Jitter >= 0 && c.Jitter < 1, "jitter %g: want [0, 1)", c.Jitter)
	for z, v := range c.Yearly {
		check(v.Valid(), "yearly figure %g of zone %s is not in (0, %g]", float64(v), z, float64(wattle.MaxIntensity))
	}
	names := map[string]bool{}
	for _, s := range c.Sources {
		check(!names[s.Label()], "two sources are named %q; give one a \"name\"", s.Label())
		names[s.Label()] = true
		errs = append(errs, s.validate(c.Zones)...)
	}
	return errors.Join(errs...)
}

func (c SourceConfig) validate(all []wattle.ZoneID) (errs []error) {
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("grid: source %s: "+format, append([]any{c.Label()}, args...)...))
	}
	t, known := sourceTypes()[c.Type]
	if !known {
		bad("unknown type %q, want one of %s", c.Type, strings.Join(SourceTypes(), ", "))
		return errs
	}
	if len(c.Zones) == 0 && len(all) == 0 {
		bad("no zones: list them here or in \"zones\"")
	}
	if u, err := url.Parse(c.URL); err != nil || c.URL != "" && (u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
		bad("url must be like https://host/path")
	}
	if c.Rate < 0 || c.Burst < 0 || c.Rate > 0 && c.Burst == 0 {
		bad("rate %g and burst %d: want both positive, or neither for the default", c.Rate, c.Burst)
	}
	if !t.kinds(c.Kind) || !t.scopes(c.Scope) {
		bad("%s does not publish %s %s values", c.Type, c.Kind, c.Scope)
	}
	return errs
}

// sourceType is one row of the registry of providers.
type sourceType struct {
	make func(SourceConfig, *client) (Provider, error)
	// rate and burst are the default pace, well inside the published limits.
	rate   float64
	burst  int
	kinds  func(wattle.SignalKind) bool
	scopes func(wattle.SignalScope) bool
}

// sourceTypes is the registry: a new provider is one file and one row here.
func sourceTypes() map[string]sourceType {
	average := func(k wattle.SignalKind) bool { return k == wattle.Average }
	lifecycle := func(s wattle.SignalScope) bool { return s == wattle.Lifecycle }
	direct := func(s wattle.SignalScope) bool { return s == wattle.Direct }
	anyKind := func(wattle.SignalKind) bool { return true }
	anyScope := func(wattle.SignalScope) bool { return true }
	return map[string]sourceType{
		"electricitymaps": {newElectricityMaps, 1, 2, average, anyScope},
		"watttime":        {newWattTime, 2, 5, anyKind, direct}, // limit 10/s
		"neso":            {newNESO, 1, 2, average, direct},
		"carbonaware":     {newCarbonAware, 2, 5, anyKind, anyScope},
		"entsoe":          {newENTSOE, 1, 2, average, lifecycle}, // limit 400/min, then banned
		"csv":             {newCSV, 100, 100, anyKind, anyScope},
	}
}

// SourceTypes lists the values of SourceConfig.Type.
func SourceTypes() []string {
	var names []string
	for n := range sourceTypes() {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// Options are what a Feed takes from its surroundings. The zero value serves.
type Options struct {
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// HTTP makes the requests; nil is a client of the feed's own.
	HTTP *http.Client
	// Log takes one line when a zone's source starts or stops failing; nil is silent.
	Log *slog.Logger
}

func (o Options) fill() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.HTTP = httpClient(o.HTTP)
	return o
}

// NewFromConfig makes the providers that c names and a Feed over them. It does
// no I/O and starts nothing: see Feed.Run and Feed.Refresh.
func NewFromConfig(c Config, o Options) (*Feed, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	o = o.fill()
	var sources []Source
	for _, s := range c.Sources {
		p, err := newProvider(c, &s, o)
		if err != nil {
			return nil, fmt.Errorf("grid: %w", err)
		}
		sources = append(sources, Source{Provider: p, Zones: s.Zones})
	}
	return New(c, sources, o)
}

func newProvider(c Config, s *SourceConfig, o Options) (Provider, error) {
	t := sourceTypes()[s.Type]
	if len(s.Zones) == 0 {
		s.Zones = c.Zones
	}
	if s.Rate == 0 {
		s.Rate, s.Burst = t.rate, t.burst
	}
	s.URL = strings.TrimSuffix(s.URL, "/")
	s.horizon = c.Horizon
	return t.make(*s, &client{name: s.Label(), http: o.HTTP, maxBody: int64(c.MaxBody), timeout: c.Timeout,
		pace: newBucket(s.Rate, s.Burst), now: o.Now, secrets: []Secret{s.Key, s.Password}})
}
