package grids

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/simulator/signal"
	"github.com/wattle-project/wattle/telemetry/grid"
)

// Row is one value, as people and programs read it.
type Row struct {
	Zone      wattle.ZoneID `json:"zone"`
	Intensity float64       `json:"intensity_g_per_kwh"`
	Kind      string        `json:"kind"`
	Scope     string        `json:"scope"`
	Quality   string        `json:"quality"`
	// Step is the place in the chain of fallbacks, from 1 (live) to 6 (prior).
	Step      int        `json:"step"`
	Meaning   string     `json:"step_meaning"`
	Provider  string     `json:"provider"`
	From      time.Time  `json:"from"`
	To        time.Time  `json:"to"`
	FetchedAt *time.Time `json:"fetched_at,omitempty"`
	AgeS      *float64   `json:"age_s,omitempty"`
}

// Answer is what was found.
type Answer struct {
	Rows []Row `json:"values"`
	// Skipped sources could not be asked, Failed ones did not answer well.
	Skipped []string `json:"skipped,omitempty"`
	Failed  []string `json:"failed,omitempty"`
	// Unknown zones have no figure at all.
	Unknown []wattle.ZoneID `json:"unknown,omitempty"`
}

// step places a quality in the chain.
func step(q wattle.Quality) (int, string) {
	switch q {
	case wattle.Measured, wattle.Estimated:
		return 1, "live"
	case wattle.Forecast:
		return 2, "forecast made earlier"
	case wattle.LastGood:
		return 3, "last good value, at most 2 periods old"
	case wattle.Historic:
		return 4, "mean of the same hour of the last 7 days"
	case wattle.Static:
		return 5, "static figure"
	}
	return 6, "nothing is known: world mean"
}

// Ask fetches once and returns the values at now, or of the hours from now on.
func Ask(ctx context.Context, r Request, now time.Time, hours int) (*Answer, error) {
	p, err := r.plan()
	if err != nil {
		return nil, err
	}
	if len(p.config.Zones) == 0 && len(p.config.Sources) == 0 {
		return nil, errors.New("no zone: name one, such as \"FR\" or \"aws:eu-west-1\"")
	}
	feed, err := grid.NewFromConfig(p.config, grid.Options{})
	if err != nil {
		return nil, err
	}
	a := &Answer{Skipped: p.skipped, Rows: []Row{}}
	if err := feed.Refresh(ctx); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		a.Failed = strings.Split(err.Error(), "\n")
	}
	t := feed.Table()
	for _, k := range t.Keys() {
		if !r.wants(k) {
			continue
		}
		signals := []wattle.Signal{t.At(k, now)}
		if hours > 0 {
			signals = t.Hours(k, now, hours)
		}
		for _, s := range signals {
			a.Rows = append(a.Rows, rowOf(builtIn(s, now), now))
		}
		if last := a.Rows[len(a.Rows)-1]; last.Quality == wattle.Prior.String() && !slices.Contains(a.Unknown, k.Zone) {
			a.Unknown = append(a.Unknown, k.Zone)
		}
	}
	if len(a.Rows) == 0 {
		return nil, fmt.Errorf("no provider of %s values can be asked: %s", strings.TrimSpace(r.Kind+" "+r.Scope), strings.Join(a.Skipped, "; "))
	}
	return a, nil
}

func (r *Request) wants(k grid.Key) bool {
	return (r.Kind == "" || r.Kind == k.Kind.String()) && (r.Scope == "" || r.Scope == k.Scope.String())
}

// builtIn replaces a yearly figure by the built-in mean of the same month and
// hour, where there is one. It is no more than a static figure either.
func builtIn(s wattle.Signal, now time.Time) wattle.Signal {
	if s.Kind != wattle.Average || s.Quality != wattle.Static && s.Quality != wattle.Prior {
		return s
	}
	p, err := signal.BuiltIn(s.Zone, s.Scope)
	if err != nil {
		return s
	}
	at := s.From
	if at.Before(now) {
		at = now
	}
	s.Intensity, s.Quality, s.Provider = p.At(at), wattle.Static, fmt.Sprintf("static:profile-%d", p.Year)
	return s
}

func rowOf(s wattle.Signal, now time.Time) Row {
	n, meaning := step(s.Quality)
	r := Row{Zone: s.Zone, Intensity: float64(s.Intensity), Kind: s.Kind.String(), Scope: s.Scope.String(), Quality: s.Quality.String(),
		Step: n, Meaning: meaning, Provider: s.Provider, From: s.From, To: s.To}
	if !s.FetchedAt.IsZero() {
		age := max(0, now.Sub(s.FetchedAt).Seconds())
		r.FetchedAt, r.AgeS = &s.FetchedAt, &age
	}
	return r
}

// Notes writes why sources were not asked or did not answer.
func (a *Answer) Notes(w io.Writer) {
	for _, s := range a.Skipped {
		fmt.Fprintln(w, "not asked:", s)
	}
	for _, s := range a.Failed {
		fmt.Fprintln(w, "failed:", s)
	}
	for _, z := range a.Unknown {
		fmt.Fprintf(w, "unknown: no figure of zone %q is built in and no provider gave one: see \"wattle grid zones\" for its spelling, or set a provider's credentials\n", z)
	}
}

// JSON writes the answer for programs.
func (a *Answer) JSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(a)
}

// Table writes one line per series.
func (a *Answer) Table(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(tw, "ZONE\tINTENSITY\tKIND\tSCOPE\tQUALITY\tAGE\tPROVIDER\tVALID UNTIL\tSTEP")
	for _, r := range a.Rows {
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d %s\n", r.Zone, value(r.Intensity), r.Kind, r.Scope, r.Quality, r.age(),
			r.Provider, r.To.UTC().Format("2006-01-02 15:04Z"), r.Step, r.Meaning)
	}
	return tw.Flush()
}

// Hours writes one line per hour with a bar, a block per series.
func (a *Answer) Hours(w io.Writer) error {
	top, last := 1.0, ""
	for _, r := range a.Rows {
		top = max(top, r.Intensity)
	}
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, r := range a.Rows {
		if head := fmt.Sprintf("%s %s %s", r.Zone, r.Kind, r.Scope); head != last {
			if last != "" {
				fmt.Fprintln(tw)
			}
			fmt.Fprintln(tw, head)
			last = head
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\n", r.From.UTC().Format("2006-01-02 15:04Z"), value(r.Intensity), r.Quality, r.Provider,
			strings.Repeat("█", max(1, int(30*r.Intensity/top))))
	}
	return tw.Flush()
}

func value(g float64) string { return fmt.Sprintf("%.4g g/kWh", g) }

func (r *Row) age() string {
	if r.AgeS == nil {
		return "-"
	}
	return (time.Duration(*r.AgeS) * time.Second).String()
}
