package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/cmd/wattle-agent/internal/agent"
	"github.com/wattle-project/wattle/cmd/wattle-agent/internal/learn"
	"github.com/wattle-project/wattle/cmd/wattle-agent/internal/tape"
	"github.com/wattle-project/wattle/internal/version"
	"github.com/wattle-project/wattle/telemetry/disaggregate"
	"github.com/wattle-project/wattle/telemetry/emissions"
	"github.com/wattle-project/wattle/telemetry/exporter"
	"github.com/wattle-project/wattle/telemetry/record"
)

type replayCmd struct {
	File string `arg:"" type:"existingfile" help:"Recording to play."`
}

// Run plays a recording through the same loop and prints the metrics of its end.
func (c *replayCmd) Run(s *streams) error {
	r, err := record.Open(c.File)
	if err != nil {
		return err
	}
	defer r.Close()
	player := record.NewPlayer(r)
	recorded, err := recordedSettings(player.Header())
	if err != nil {
		return err
	}
	metrics, err := exporter.New(recorded.exporter())
	if err != nil {
		return err
	}
	a, err := replayer(player, metrics.Publish)
	if err != nil {
		return err
	}
	for {
		at, err := player.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if err := s.ctx.Err(); err != nil {
			return err
		}
		a.Step(s.ctx, at)
	}
	if t := player.Truncated(); t != "" {
		fmt.Fprintln(s.err, "wattle-agent: the recording was cut off:", t)
	}
	a.Refresh()
	return scrape(metrics, s.out)
}

func recordedSettings(h record.Header) (*replaySettings, error) {
	r := &replaySettings{}
	if err := json.Unmarshal([]byte(h.Settings[settingsKey]), r); err != nil {
		return nil, fmt.Errorf("replay: the header has no settings of wattle-agent: %w", err)
	}
	return r, nil
}

// exporter is the configuration of the page. The recorded process is gone.
func (r *replaySettings) exporter() exporter.Config {
	c, m := exporter.DefaultConfig(), r.settings().Metrics
	c.Version, c.Process, c.MaxFunctions, c.Detailed = version.String(), false, m.Functions, m.Detailed
	return c
}

// replayer makes the agent that was recorded, over the recording.
func replayer(player *record.Player, publish func(*exporter.Snapshot)) (*agent.Agent, error) {
	h := player.Header()
	r, err := recordedSettings(h)
	if err != nil {
		return nil, err
	}
	played := &tape.Played{Player: player}
	s := r.settings()
	c := agent.Config{
		Node: h.Node, Interval: h.Interval, Chain: player.Chain(), Publish: publish,
		Usage: played, Owners: played, GPUs: played, Embodied: agent.Embodied(s.Embodied), Batches: played.Drain,
		Extra: func(x *exporter.Snapshot) { beside(player, r.Price, x) },
	}
	if err := divide(&c, s); err != nil {
		return nil, err
	}
	c.Divide.CPU, c.Divide.Memory = h.CPU, h.Memory
	if r.Carbon {
		c.Carbon = emissions.New(played, r.PUE)
	}
	if c.Learn, err = learn.New(disaggregate.DefaultConfig()); err != nil {
		return nil, err
	}
	return agent.New(c)
}

// beside adds to s what was noted beside the rounds.
func beside(player *record.Player, zone wattle.ZoneID, s *exporter.Snapshot) {
	for _, c := range player.Collectors() {
		s.Collectors = append(s.Collectors, exporter.Collector(c))
	}
	s.Fetches = s.Fetches[:0]
	for _, f := range player.Fetches() {
		feed := exporter.CarbonFeed
		if f.Feed == exporter.PriceFeed.String() {
			feed = exporter.PriceFeed
		}
		s.Fetches = append(s.Fetches, exporter.Fetches{Feed: feed, Provider: f.Provider, Outcome: f.Outcome, Count: f.Count})
	}
	s.Prices = s.Prices[:0]
	if q, ok := player.Price(zone); ok {
		s.Prices = append(s.Prices, exporter.Price{
			Zone: q.Zone, Provider: q.Provider, Currency: q.Currency, Quality: q.Quality, PerMWh: q.PerMWh, FetchedAt: q.FetchedAt,
		})
	}
}

// scrape writes what a scraper would get as text.
func scrape(h http.Handler, w io.Writer) error {
	r, err := http.NewRequest(http.MethodGet, "/metrics", nil)
	if err != nil {
		return err
	}
	r.Header.Set("Accept", "text/plain;version=0.0.4")
	p := &answer{w: w, header: http.Header{}, status: http.StatusOK}
	h.ServeHTTP(p, r)
	if p.status != http.StatusOK {
		return fmt.Errorf("metrics: status %d", p.status)
	}
	return p.err
}

// answer is a response that goes to a writer.
type answer struct {
	w      io.Writer
	header http.Header
	status int
	err    error
}

// Header is what the handler sets.
func (p *answer) Header() http.Header { return p.header }

// WriteHeader notes the status.
func (p *answer) WriteHeader(status int) { p.status = status }

// Write passes the body on.
func (p *answer) Write(b []byte) (int, error) {
	n, err := p.w.Write(b)
	p.err = errors.Join(p.err, err)
	return n, err
}
