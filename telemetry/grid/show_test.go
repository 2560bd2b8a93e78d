package grid

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/wattle-project/wattle"
)

func TestShow(t *testing.T) {
	f := fullFeed(t, []wattle.ZoneID{"FR", "DE"})
	var b strings.Builder
	if err := f.Table().Show(&b, noon().Add(90*time.Second), "DE"); err != nil {
		t.Fatal(err)
	}
	want := `ZONE  INTENSITY  KIND     SCOPE      QUALITY   PROVIDER  VALID UNTIL        AGE
DE    200g/kWh   average  lifecycle  forecast  live      2026-03-10 12:25Z  1m30s
`
	if b.String() != want {
		t.Errorf("got\n%swant\n%s", b.String(), want)
	}
	b.Reset()
	if err := f.Table().ShowForecast(&b, noon(), 3, "DE"); err != nil {
		t.Fatal(err)
	}
	if lines := strings.Split(strings.TrimSpace(b.String()), "\n"); len(lines) != 4 || !strings.HasPrefix(lines[1], "2026-03-10 12:00Z  204g/kWh  forecast  live  █") {
		t.Errorf("got\n%s", b.String())
	}
	if err := f.Table().Show(&b, noon(), "XX"); err == nil || !strings.Contains(err.Error(), "not served") {
		t.Errorf("unknown zone: %v", err)
	}
}

func TestSecretsDoNotShow(t *testing.T) {
	c := SourceConfig{Type: "electricitymaps", Key: "hunter2", Password: "hunter2"}
	var b strings.Builder
	slog.New(slog.NewTextHandler(&b, nil)).Info("x", "config", c, "key", c.Key)
	text := fmt.Sprintf("%v %+v %#v %s %q", c, c, c, c.Key, c.Key) + b.String()
	if strings.Contains(text, "hunter2") {
		t.Errorf("credential shows in %s", text)
	}
}

func TestConfigValidate(t *testing.T) {
	if err := DefaultConfig().Validate(); err != nil {
		t.Errorf("default: %v", err)
	}
	base := func() Config {
		c := DefaultConfig()
		c.Zones = []wattle.ZoneID{"DE"}
		c.Sources = []SourceConfig{{Type: "csv", Path: "x.csv"}}
		return c
	}
	for want, change := range map[string]func(*Config){
		"refresh":                 func(c *Config) { c.Refresh = 0 },
		"horizon":                 func(c *Config) { c.Horizon = 100 * time.Hour },
		"timeout":                 func(c *Config) { c.Timeout = 0 },
		"max_backoff":             func(c *Config) { c.MaxBackoff = time.Second },
		"max_body":                func(c *Config) { c.MaxBody = 1 },
		"jitter":                  func(c *Config) { c.Jitter = 1 },
		"yearly figure":           func(c *Config) { c.Yearly = map[wattle.ZoneID]wattle.GramsPerKWh{"DE": 0} },
		"unknown type":            func(c *Config) { c.Sources[0].Type = "electricitymap" },
		"two sources are named":   func(c *Config) { c.Sources = append(c.Sources, c.Sources[0]) },
		"no zones":                func(c *Config) { c.Zones = nil },
		"url must be":             func(c *Config) { c.Sources[0].URL = "api.example.org" },
		"rate":                    func(c *Config) { c.Sources[0].Rate = 3 },
		"does not publish":        func(c *Config) { c.Sources[0] = SourceConfig{Type: "neso"} },
		"does not publish margin": func(c *Config) { c.Sources[0] = SourceConfig{Type: "electricitymaps", Kind: wattle.Marginal} },
	} {
		c := base()
		change(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", want, err)
		}
	}
	for typ, want := range map[string]string{"electricitymaps": "key", "watttime": "user", "carbonaware": "url", "entsoe": "key", "csv": "path"} {
		c := base()
		c.Sources = []SourceConfig{{Type: typ, Scope: scopeFor(typ)}}
		if _, err := NewFromConfig(c, Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s without credentials: %v", typ, err)
		}
	}
}

// A feed over a CSV file answers from memory; before any data and for zones
// without any it answers with flagged figures.
func Example() {
	path := os.TempDir() + "/wattle-grid-example.csv"
	defer os.Remove(path)
	if err := os.WriteFile(path, []byte("time,value\n2026-03-10T12:00:00Z,120\n"), 0o600); err != nil {
		fmt.Println(err)
	}
	c := DefaultConfig()
	c.Zones = []wattle.ZoneID{"DE"}
	c.Sources = []SourceConfig{{Type: "csv", Path: path}}
	feed, err := NewFromConfig(c, Options{Now: noon})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := feed.Refresh(context.Background()); err != nil {
		fmt.Println(err)
	}
	for _, zone := range []wattle.ZoneID{"DE", "FR"} {
		s := feed.At(Key{Zone: zone}, noon())
		fmt.Println(s.Zone, s.Intensity, s.Quality, s.Provider)
	}
	fmt.Println(feed.At(Key{Zone: "DE"}, noon().Add(24*time.Hour)).Quality)
	// Output:
	// DE 120g/kWh measured csv
	// FR 475g/kWh prior none
	// historic
}
