package experiment

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// followers are the shipped policies that follow the grids.
const followers = `
policies:
  - {library: least_carbon}
  - {library: latency_within, data: {p95_over_home_permille: 1500}}
  - {library: balanced}
bounds: {placement: false}
`

// example is the shipped example with a smaller workload.
func example(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("../../../../examples/follow-the-sun.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(b), "invocations: 1200000", "invocations: 40000", 1)
	return text[:strings.Index(text, "\npolicies:")] + followers
}

// recorded is five grids as they were on three days of 2023, hour by hour, which
// no day before them foretells exactly.
func recorded(t *testing.T, day, forecast string) string {
	t.Helper()
	dir := os.Getenv("WATTLE_DATA")
	if dir == "" {
		t.Skip("set WATTLE_DATA to the directory of the published data")
	}
	cluster := func(id, zone string, lat, lon float64) string {
		return fmt.Sprintf("    - {id: %s, zone: %s, provider: aws, location: [%g, %g], pools: [{name: p, nodes: 3}]}\n", id, zone, lat, lon)
	}
	return "start: " + day + "T00:00:00Z\nduration: 24h\ninstances: {queue: 1000}\n" +
		"signals: {source: files, path: " + filepath.Join(dir, "carbon-ecolife-us-2023") + ", scope: direct, forecast: " + forecast + "}\n" +
		"workload: {generate: {functions: 100, invocations: 20000}}\nfleet:\n  clusters:\n" +
		cluster("california", "US-CAL-CISO", 37.4, -122) + cluster("texas", "US-TEX-ERCO", 32.8, -96.8) + cluster("newyork", "US-NY-NYIS", 40.7, -74) +
		cluster("florida", "US-FLA-FMPP", 28.5, -81.4) + cluster("tennessee", "US-TEN-TVA", 36, -86.3) + followers
}

// carbon is the grams of each policy when every feed has the fault.
func carbon(t *testing.T, text, fault string) (grams []float64) {
	t.Helper()
	if fault != "" {
		at := strings.Index(text, "signals: {")
		end := at + strings.Index(text[at:], "}\n")
		text = text[:end] + ", faults: [" + fault + "]" + text[end:]
	}
	out, err := mustPrepare(t, text).Run(context.Background(), 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range out {
		grams = append(grams, float64(o.Result.Carbon.Operational()))
	}
	return grams
}

// outage checks what every way to lose the feeds costs, wherever in the day;
// allDay is allowed if they are lost all day.
func outage(t *testing.T, text string, allDay float64) {
	t.Helper()
	healthy := carbon(t, text, "")
	kinds := []string{"dead", "zeros", "stale", "nulls", "quota"}
	times := []string{"from: 0h, for: 10h", "from: 7h, for: 10h", "from: 14h, for: 10h", "from: 0h, for: 24h"}
	for k, kind := range kinds {
		for i, at := range times {
			if k > 2 && i > 0 {
				break // the same to a scheduler as a dead feed, seen once
			}
			worst, most := 0.0, 0.03
			if strings.Contains(at, "24h") {
				most = allDay
			}
			for p, g := range carbon(t, text, "{kind: "+kind+", "+at+"}") {
				worst = max(worst, g/healthy[p]-1)
			}
			t.Logf("%s, %s: %+.2f %% carbon at worst", kind, at, 100*worst)
			if worst > most {
				t.Errorf("%s, %s: a policy emits %.2f %% more than with healthy feeds", kind, at, 100*worst)
			}
		}
	}
}

// Feeds that are dead or answer 0 for ten hours, or all day, cost at most 3 %
// carbon against the healthy run.
func TestAnOutageOfTheExampleCostsAtMostThreePerCent(t *testing.T) { outage(t, example(t), 0.03) }

// Wrong values cost little where they are out of proportion to the days before.
func TestWrongFeedsOfTheExample(t *testing.T) {
	healthy := carbon(t, example(t), "")
	for fault, most := range map[string]float64{
		"{kind: spikes, from: 7h, for: 10h}":              0.03,
		"{kind: spikes, zones: [ES], from: 7h, for: 10h}": 0.03,
		"{kind: frozen, from: 7h, for: 10h}":              0.03,
		"{kind: delay, delay: 3h, from: 7h, for: 10h}":    0.03, // over two periods old: not live
		"{kind: delay, delay: 1h, from: 0h, for: 24h}":    0.03,
	} {
		for p, g := range carbon(t, example(t), fault) {
			cost := g/healthy[p] - 1
			t.Logf("%s: policy %d %+.2f %%", fault, p, 100*cost)
			if cost > most {
				t.Errorf("%s: policy %d emits %.2f %% more, want at most %.0f %%", fault, p, 100*cost, 100*most)
			}
		}
	}
}

// The same on days as they were, with and without forecasts to fall back on. An
// outage of the whole day is dearer: what other days were like is all there is.
func TestAnOutageOnRecordedDaysCostsAtMostThreePerCent(t *testing.T) {
	for _, day := range []string{"2023-02-03", "2023-06-15", "2023-10-08"} {
		for _, forecast := range []string{"persistence", "none"} {
			t.Run(day+" "+forecast, func(t *testing.T) { outage(t, recorded(t, day, forecast), 0.06) })
		}
	}
}
