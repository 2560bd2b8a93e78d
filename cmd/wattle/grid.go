package main

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/cmd/wattle/internal/grids"
	"github.com/wattle-project/wattle/simulator/signal"
	"github.com/wattle-project/wattle/telemetry/grid"
)

// gridCmd groups what can be asked of grids.
type gridCmd struct {
	Show     gridShowCmd     `cmd:"" help:"Show a grid's carbon intensity now: value, kind, scope, quality, age, provider and step of the chain."`
	Forecast gridForecastCmd `cmd:"" help:"Show a grid's carbon intensity for the hours to come."`
	Zones    gridZonesCmd    `cmd:"" help:"List the zones for which there are built-in figures."`
	Regions  gridRegionsCmd  `cmd:"" help:"List the cloud regions and the grid zone that each is in."`
}

// gridArgs say whom to ask. Credentials come from the environment alone.
type gridArgs struct {
	Config  string        `type:"existingfile" help:"YAML file of a grid feed: zones, sources, names. It must hold no credential."`
	Source  []string      `help:"Providers to ask, in order of preference: electricitymaps, watttime, neso, carbonaware, entsoe, csv. Those whose credentials are set if not given." placeholder:"NAME"`
	URL     []string      `name:"url" help:"Other address of a provider." placeholder:"SOURCE=URL"`
	Name    []string      `help:"A provider's own name of a zone: WattTime region, NESO region number, EIC code." placeholder:"SOURCE:ZONE=NAME"`
	CSV     string        `name:"csv" type:"existingfile" help:"CSV file for the source csv."`
	Kind    string        `enum:",average,marginal" default:"" help:"Only average or only marginal intensities."`
	Scope   string        `enum:",lifecycle,direct" default:"" help:"Only life-cycle or only direct intensities."`
	Offline bool          `help:"Ask nobody: built-in figures only."`
	Timeout time.Duration `default:"15s" help:"Time for one request."`
	Output  string        `short:"o" enum:"table,json" default:"table" help:"Format: ${enum}."`
}

func (a *gridArgs) request(places []string) grids.Request {
	return grids.Request{Places: places, Config: a.Config, Sources: a.Source, URLs: a.URL, Names: a.Name, CSV: a.CSV,
		Kind: a.Kind, Scope: a.Scope, Offline: a.Offline, Timeout: a.Timeout, Env: os.Getenv}
}

const gridHelp = `Credentials come from the environment: ELECTRICITYMAPS_TOKEN; WATTTIME_USER and WATTTIME_PASSWORD; ENTSOE_TOKEN;
CARBON_AWARE_URL for the server of the Carbon Aware SDK. GB (NESO) needs none. Where no provider answers, a built-in figure
is printed, and its quality says so.`

type gridShowCmd struct {
	gridArgs
	Zone []string `arg:"" optional:"" help:"Grid zones as Electricity Maps spells them (FR, US-CAL-CISO), or cloud regions (aws:eu-west-1)."`
}

// Help is printed under the flags.
func (*gridShowCmd) Help() string { return gridHelp }

// Run asks once and prints what is known now.
func (c *gridShowCmd) Run(s *streams) error {
	a, err := grids.Ask(s.ctx, c.request(c.Zone), time.Now(), 0)
	if err != nil {
		return err
	}
	a.Notes(s.err)
	if c.Output == "json" {
		return a.JSON(s.out)
	}
	return a.Table(s.out)
}

type gridForecastCmd struct {
	gridArgs
	Hours int      `default:"24" help:"How many hours, up to 72."`
	Zone  []string `arg:"" help:"Grid zones or cloud regions."`
}

// Help is printed under the flags.
func (*gridForecastCmd) Help() string { return gridHelp }

// Run asks once and prints the hours to come.
func (c *gridForecastCmd) Run(s *streams) error {
	if c.Hours < 1 || c.Hours > 72 {
		return usage{fmt.Errorf("--hours %d: want 1 to 72", c.Hours)}
	}
	a, err := grids.Ask(s.ctx, c.request(c.Zone), time.Now(), c.Hours)
	if err != nil {
		return err
	}
	a.Notes(s.err)
	if c.Output == "json" {
		return a.JSON(s.out)
	}
	return a.Hours(s.out)
}

type gridZonesCmd struct {
	Output string `short:"o" enum:"table,json" default:"table" help:"Format: ${enum}."`
}

// zoneFigures is what is built in of one zone.
type zoneFigures struct {
	Zone    wattle.ZoneID `json:"zone"`
	Yearly  float64       `json:"yearly_lifecycle_g_per_kwh,omitempty"`
	Source  string        `json:"yearly_source,omitempty"`
	Profile int           `json:"profile_year,omitempty"` // 0: none
	Mean    float64       `json:"profile_mean_g_per_kwh,omitempty"`
}

// Run lists zones with their life-cycle figures.
func (c *gridZonesCmd) Run(s *streams) error {
	found := map[wattle.ZoneID]*zoneFigures{}
	at := func(z wattle.ZoneID) *zoneFigures {
		if found[z] == nil {
			found[z] = &zoneFigures{Zone: z}
		}
		return found[z]
	}
	for _, r := range grid.Regions() {
		at(r.Zone)
	}
	for _, p := range signal.Profiles() {
		if p.Scope == wattle.Lifecycle {
			z := at(p.Zone)
			z.Profile, z.Mean = p.Year, float64(p.Mean())
		}
	}
	var list []*zoneFigures
	for _, z := range slices.Sorted(maps.Keys(found)) {
		if f, ok := grid.Yearly(grid.Key{Zone: z}); ok {
			found[z].Yearly, found[z].Source = float64(f.Intensity), f.Source
		}
		list = append(list, found[z])
	}
	if c.Output == "json" {
		return writeJSON(s.out, list)
	}
	tw := tabwriter.NewWriter(s.out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(tw, "ZONE\tYEARLY g/kWh\tSOURCE\tHOURLY PROFILE OF\tMEAN g/kWh")
	for _, z := range list {
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\n", z.Zone, dash(z.Yearly), orDash(z.Source), dash(float64(z.Profile)), dash(z.Mean))
	}
	return tw.Flush()
}

func dash(v float64) string {
	if v == 0 {
		return "-"
	}
	return fmt.Sprintf("%.4g", v)
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

type gridRegionsCmd struct {
	Cloud  string `arg:"" optional:"" enum:",aws,azure,gcp" default:"" help:"Only one cloud: aws, azure or gcp."`
	Output string `short:"o" enum:"table,json" default:"table" help:"Format: ${enum}."`
}

// Run lists the table of regions.
func (c *gridRegionsCmd) Run(s *streams) error {
	regions := slices.DeleteFunc(grid.Regions(), func(r grid.Region) bool { return c.Cloud != "" && r.Cloud != c.Cloud })
	if c.Output == "json" {
		type row struct {
			Cloud  string          `json:"cloud"`
			Region wattle.RegionID `json:"region"`
			Zone   wattle.ZoneID   `json:"zone"`
		}
		var list []row
		for _, r := range regions {
			list = append(list, row{r.Cloud, r.ID, r.Zone})
		}
		return writeJSON(s.out, list)
	}
	tw := tabwriter.NewWriter(s.out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(tw, "CLOUD\tREGION\tZONE")
	for _, r := range regions {
		fmt.Fprintf(tw, "%s\t%s\t%s\n", r.Cloud, r.ID, r.Zone)
	}
	return tw.Flush()
}
