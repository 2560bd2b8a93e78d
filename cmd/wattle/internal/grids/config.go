// Package grids answers on the command line what is known of a grid's carbon
// intensity, from whom, and how far it can be trusted.
package grids

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/telemetry/grid"
)

// Request is what a user asks.
type Request struct {
	// Places are grid zones, or cloud regions written "aws:eu-west-1".
	Places []string
	// Config is a YAML file of a grid feed; empty is none.
	Config string
	// Sources are types of provider; empty chooses those that can be asked.
	Sources []string
	// URLs and Names are "SOURCE=URL" and "SOURCE:ZONE=NAME".
	URLs, Names []string
	// CSV is a file for the source csv.
	CSV string
	// Kind and Scope select; empty is each provider's own.
	Kind, Scope string
	// Offline asks nobody.
	Offline bool
	Timeout time.Duration
	// Env reads the environment.
	Env func(string) string
}

// credentials are the environment variables of each source that needs any.
func credentials() map[string][]string {
	return map[string][]string{
		"electricitymaps": {"ELECTRICITYMAPS_TOKEN"},
		"watttime":        {"WATTTIME_USER", "WATTTIME_PASSWORD"},
		"entsoe":          {"ENTSOE_TOKEN"},
		"carbonaware":     {"CARBON_AWARE_URL"},
	}
}

// zones resolves the places of r.
func (r *Request) zones() ([]wattle.ZoneID, error) {
	var out []wattle.ZoneID
	for _, p := range r.Places {
		z := wattle.ZoneID(p)
		if cloud, region, ok := strings.Cut(p, ":"); ok {
			if z, ok = grid.ZoneOf(strings.ToLower(cloud), wattle.RegionID(region)); !ok {
				return nil, fmt.Errorf("region %q is not in the table: see \"wattle grid regions\"", p)
			}
		} else if clouds := cloudsOf(p); len(clouds) > 0 {
			return nil, fmt.Errorf("%q is no grid zone but a cloud region: write \"%s:%s\"", p, strings.Join(clouds, ":"+p+"\" or \""), p)
		}
		if !slices.Contains(out, z) {
			out = append(out, z)
		}
	}
	return out, nil
}

// cloudsOf lists the clouds that have a region of that name.
func cloudsOf(name string) []string {
	var out []string
	for _, r := range grid.Regions() {
		if string(r.ID) == name {
			out = append(out, r.Cloud)
		}
	}
	return out
}

// plan is a configuration of a feed and why some sources are not in it.
type plan struct {
	config  grid.Config
	skipped []string
}

func (r *Request) plan() (*plan, error) {
	zones, err := r.zones()
	if err != nil {
		return nil, err
	}
	p := &plan{config: grid.DefaultConfig()}
	if r.Config != "" {
		if err := readConfig(r.Config, &p.config); err != nil {
			return nil, err
		}
	} else if err := r.choose(p, zones); err != nil {
		return nil, err
	}
	if len(zones) > 0 {
		p.config.Zones = zones
	}
	if r.Timeout > 0 {
		p.config.Timeout = r.Timeout
	}
	if r.Offline {
		p.config.Sources = nil
	}
	return p, r.narrow(p, zones)
}

// choose lists the sources to try: those named, or every one whose credentials
// are set, the best first.
func (r *Request) choose(p *plan, zones []wattle.ZoneID) error {
	names := r.Sources
	if len(names) == 0 {
		for _, s := range []string{"electricitymaps", "watttime", "neso", "carbonaware", "entsoe", "csv"} {
			if r.ready(s, zones) {
				names = append(names, s)
			}
		}
	}
	for _, n := range names {
		s := grid.SourceConfig{Type: n, Path: r.CSV}
		if err := r.describe(&s); err != nil {
			return err
		}
		p.config.Sources = append(p.config.Sources, s)
	}
	return nil
}

// ready says whether a source can be asked without being named.
func (r *Request) ready(source string, zones []wattle.ZoneID) bool {
	switch source {
	case "neso":
		return slices.Contains(zones, "GB")
	case "csv":
		return r.CSV != ""
	}
	for _, v := range credentials()[source] {
		if r.Env(v) == "" {
			return false
		}
	}
	return true
}

// describe sets kind and scope: what the user asks for, else what the provider
// is known for.
func (r *Request) describe(s *grid.SourceConfig) error {
	switch s.Type {
	case "watttime", "carbonaware":
		s.Kind, s.Scope = wattle.Marginal, wattle.Direct
	case "neso":
		s.Scope = wattle.Direct
	}
	if r.Kind != "" {
		if err := s.Kind.UnmarshalText([]byte(r.Kind)); err != nil {
			return err
		}
	}
	if r.Scope != "" {
		return s.Scope.UnmarshalText([]byte(r.Scope))
	}
	return nil
}

// narrow fills in addresses and credentials, and leaves out sources and zones
// that cannot be asked, with the reason.
func (r *Request) narrow(p *plan, zones []wattle.ZoneID) error {
	var kept []grid.SourceConfig
	for _, s := range p.config.Sources {
		if err := r.complete(&s); err != nil {
			return err
		}
		wanted := p.config.Zones
		if len(s.Zones) > 0 && len(zones) == 0 {
			wanted = s.Zones
		}
		s.Zones = nil
		for _, z := range wanted {
			if err := usable(p.config, s, z); err != nil {
				p.skipped = append(p.skipped, err.Error())
				continue
			}
			s.Zones = append(s.Zones, z)
		}
		if len(s.Zones) > 0 {
			kept = append(kept, s)
		}
	}
	p.config.Sources = kept
	p.skipped = slices.Compact(p.skipped)
	return nil
}

// usable tries whether a source can be made for a zone; it does no I/O.
func usable(c grid.Config, s grid.SourceConfig, z wattle.ZoneID) error {
	s.Zones = []wattle.ZoneID{z}
	c.Zones, c.Sources = s.Zones, []grid.SourceConfig{s}
	_, err := grid.NewFromConfig(c, grid.Options{})
	return err
}

// complete adds what comes from flags and the environment.
func (r *Request) complete(s *grid.SourceConfig) error {
	if s.Key != "" || s.Password != "" {
		return fmt.Errorf("source %s: the file holds a credential; give it in the environment instead: %s", s.Label(), strings.Join(credentials()[s.Type], " and "))
	}
	if s.Rate == 0 {
		// All that is asked of one zone goes at once; a person waits.
		s.Rate, s.Burst = 2, 3
	}
	switch s.Type {
	case "electricitymaps":
		s.Key = grid.Secret(r.Env("ELECTRICITYMAPS_TOKEN"))
	case "entsoe":
		s.Key = grid.Secret(r.Env("ENTSOE_TOKEN"))
	case "watttime":
		s.User, s.Password = cmp.Or(s.User, r.Env("WATTTIME_USER")), grid.Secret(r.Env("WATTTIME_PASSWORD"))
	case "carbonaware":
		s.URL = cmp.Or(s.URL, r.Env("CARBON_AWARE_URL"))
	}
	for _, u := range r.URLs {
		name, address, ok := strings.Cut(u, "=")
		if !ok {
			return fmt.Errorf("--url %q: want SOURCE=URL", u)
		}
		if name == s.Label() {
			s.URL = address
		}
	}
	for _, n := range r.Names {
		source, rest, ok := strings.Cut(n, ":")
		zone, name, also := strings.Cut(rest, "=")
		if !ok || !also {
			return fmt.Errorf("--name %q: want SOURCE:ZONE=NAME", n)
		}
		if source == s.Label() {
			names := map[wattle.ZoneID]string{wattle.ZoneID(zone): name}
			for z, v := range s.Names {
				names[z] = v
			}
			s.Names = names
		}
	}
	return nil
}

// readConfig reads a YAML file over the defaults in c. An unknown key is an
// error that names file, line and column.
func readConfig(path string, c *grid.Config) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("grid configuration: %w", err)
	}
	err = yaml.UnmarshalWithOptions(b, c, yaml.Strict())
	var y yaml.Error
	if errors.As(err, &y) && y.GetToken() != nil {
		at := y.GetToken().Position
		return fmt.Errorf("%s:%d:%d: %s", path, at.Line, at.Column, y.GetMessage())
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}
