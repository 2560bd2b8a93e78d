package price

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/wattle-project/wattle"
)

// window is how far back prices are kept, and how far ahead.
const window = 7 * 24 * time.Hour

// Config says which zones to serve and from where.
type Config struct {
	// Sources in order of preference.
	Sources []SourceConfig `yaml:"sources"`
	// Refresh is the time between two fetches of one zone: day-ahead prices
	// change once a day, around 13:00 CET.
	Refresh time.Duration `yaml:"refresh"`
	// Timeout bounds one request with its answer.
	Timeout time.Duration `yaml:"timeout"`
	// MaxBackoff bounds the wait after repeated failures, which doubles from 5 s.
	MaxBackoff time.Duration `yaml:"max_backoff"`
	// MaxBody bounds one answer in bytes.
	MaxBody wattle.Bytes `yaml:"max_body"`
	// Jitter spreads each wait by ± this part of it, and the first request to a
	// service over this part of Refresh, so that agents that start together do
	// not ask together.
	Jitter float64 `yaml:"jitter"`
	// Seed seeds the jitter. 0 draws one: agents that share a configuration
	// would keep in step by a seed in it.
	Seed uint64 `yaml:"seed"`
	// Static is the price of a zone when nothing else is known.
	Static map[wattle.ZoneID]PerMWh `yaml:"static"`
	// Currency of all prices, ISO 4217.
	Currency string `yaml:"currency"`
}

// DefaultConfig refreshes every 30 minutes, in EUR, from no source.
func DefaultConfig() Config {
	return Config{Refresh: 30 * time.Minute, Timeout: 15 * time.Second, MaxBackoff: 30 * time.Minute, MaxBody: 4 * wattle.MiB,
		Jitter: 0.1, Currency: "EUR"}
}

// Secret is a credential that prints as "[secret]".
type Secret string

// String hides the credential.
func (s Secret) String() string { return strings.Repeat("[secret]", min(len(s), 1)) }

// GoString hides the credential from %#v.
func (s Secret) GoString() string { return s.String() }

// MarshalText hides the credential from encoders.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// SourceConfig configures one provider.
type SourceConfig struct {
	// Type is csv or json.
	Type string `yaml:"type"`
	// Name is the label in quotes and metrics; the default is Type.
	Name string `yaml:"name"`
	// Zones that this source serves.
	Zones []wattle.ZoneID `yaml:"zones"`
	// Names maps zones to the service's own names.
	Names map[wattle.ZoneID]string `yaml:"names"`
	// Path, Column and ForecastColumn are for csv: see CSVOptions.
	Path           string `yaml:"path"`
	Column         string `yaml:"column"`
	ForecastColumn string `yaml:"forecast_column"`
	// URL is for json. {zone}, {from}, {to} (dates) and {from_ms}, {to_ms}
	// (Unix milliseconds) are replaced.
	URL string `yaml:"url"`
	// Header carries Key, where the service wants one.
	Header string `yaml:"header"`
	Key    Secret `yaml:"key"`
	// Shape is where the prices are in the answer.
	Shape Shape `yaml:"shape"`
	// Location is the IANA time zone of times without an offset; empty is UTC.
	Location string `yaml:"location"`
	// Period is the length of the market's intervals; 0 is one hour.
	Period time.Duration `yaml:"period"`
	// Rate and Burst pace requests: Rate a second, Burst at once; 0 is 1 and 2.
	Rate  float64 `yaml:"rate"`
	Burst int     `yaml:"burst"`
}

// Label is the name of the source in messages, quotes and metrics.
func (c SourceConfig) Label() string {
	if c.Name != "" {
		return c.Name
	}
	return c.Type
}

// Validate says what is wrong with c, all of it at once.
func (c Config) Validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf("price: "+format, args...))
		}
	}
	check(c.Refresh >= time.Second, "refresh %s: want at least 1s", c.Refresh)
	check(c.Timeout > 0, "timeout %s: want a positive time", c.Timeout)
	check(c.MaxBackoff >= firstBackoff, "max_backoff %s: want at least %s", c.MaxBackoff, firstBackoff)
	check(c.MaxBody >= 1024, "max_body %d: want at least 1024 bytes", c.MaxBody)
	check(c.Jitter >= 0 && c.Jitter < 1, "jitter %g: want [0, 1)", c.Jitter)
	check(len(c.Currency) == 3 && strings.Trim(c.Currency, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == "", "currency %q: want an ISO 4217 code such as EUR", c.Currency)
	for z, p := range c.Static {
		check(p.Valid(), "static price %g of zone %s is not within [%g, %g]", float64(p), z, float64(MinPrice), float64(MaxPrice))
	}
	for _, s := range c.Sources {
		errs = append(errs, s.validate())
	}
	return errors.Join(errs...)
}

func (c SourceConfig) validate() error {
	fault := ""
	switch u, err := url.Parse(c.URL); {
	case c.Type != "csv" && c.Type != "json":
		fault = "type must be csv or json"
	case len(c.Zones) == 0:
		fault = "no zones"
	case c.Type == "csv" && c.Path == "":
		fault = "no path to a CSV file"
	case c.Type == "json" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https"):
		fault = "url must be like https://host/path"
	case c.Type == "json" && (c.Shape.Time == "" || c.Shape.Value == ""):
		fault = "shape needs \"time\" and \"value\""
	case c.Rate < 0 || c.Burst < 0 || c.Rate > 0 && c.Burst == 0:
		fault = "rate and burst must both be positive, or neither for the default"
	case c.Period < 0 || c.Period > 24*time.Hour:
		fault = "period must be within a day"
	default:
		return nil
	}
	return fmt.Errorf("price: source %s: %s", c.Label(), fault)
}

// Options are what a Feed takes from its surroundings. The zero value serves.
type Options struct {
	Now  func() time.Time // nil is time.Now
	HTTP *http.Client     // nil is a client of the feed's own
	Log  *slog.Logger     // nil is silent
}

func (o Options) fill() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.HTTP = sameHost(o.HTTP)
	return o
}

// NewFromConfig makes the providers that c names and a Feed over them. It does
// no I/O and starts nothing.
func NewFromConfig(c Config, o Options) (*Feed, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	o = o.fill()
	var sources []Source
	for _, s := range c.Sources {
		location, err := time.LoadLocation(s.Location)
		if err != nil {
			return nil, fmt.Errorf("price: source %s: location %q: %w", s.Label(), s.Location, err)
		}
		var p Provider = &csvProvider{s, location, o.Now}
		if s.Type == "json" {
			p = &jsonProvider{s, location, o.Now, o.HTTP, c.Timeout, int64(c.MaxBody)}
		}
		sources = append(sources, Source{Provider: p, Zones: s.Zones, Period: s.Period, Rate: s.Rate, Burst: s.Burst})
	}
	return New(c, sources, o)
}
