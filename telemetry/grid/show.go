package grid

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/wattle-project/wattle"
)

// Show writes the signals of zones at now as a text table, one line per series
// of the zone, and of all zones when none is named.
func (t *Table) Show(w io.Writer, now time.Time, zones ...wattle.ZoneID) error {
	keys, err := t.keysOf(zones)
	if err != nil {
		return err
	}
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(tw, "ZONE\tINTENSITY\tKIND\tSCOPE\tQUALITY\tPROVIDER\tVALID UNTIL\tAGE")
	for _, k := range keys {
		s := t.At(k, now)
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", s.Zone, s.Intensity, s.Kind, s.Scope, s.Quality, s.Provider,
			s.To.Format("2006-01-02 15:04Z"), age(s, now))
	}
	return tw.Flush()
}

// ShowForecast writes one line per hour of the next hours for every series of
// zone, with a bar whose full length is the highest value shown.
func (t *Table) ShowForecast(w io.Writer, now time.Time, hours int, zone wattle.ZoneID) error {
	keys, err := t.keysOf([]wattle.ZoneID{zone})
	if err != nil {
		return err
	}
	for i, k := range keys {
		if i > 0 {
			fmt.Fprintln(w)
		}
		if err := t.showHours(w, k, now, hours); err != nil {
			return err
		}
	}
	return nil
}

func (t *Table) showHours(w io.Writer, k Key, now time.Time, hours int) error {
	if _, err := fmt.Fprintf(w, "%s\n", k); err != nil {
		return err
	}
	values, top := t.Hours(k, now, hours), wattle.GramsPerKWh(1)
	for _, s := range values {
		top = max(top, s.Intensity)
	}
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, s := range values {
		bar := strings.Repeat("█", max(1, int(30*s.Intensity/top)))
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\n", s.From.Format("2006-01-02 15:04Z"), s.Intensity, s.Quality, s.Provider, bar)
	}
	return tw.Flush()
}

// Hours returns one signal for each of the next hours from the hour of now on:
// the mean over the hour with the worst quality of its parts, labelled with the
// provider of its first part. From and To are the hour's bounds.
func (t *Table) Hours(k Key, now time.Time, hours int) []wattle.Signal {
	from := now.UTC().Truncate(time.Hour)
	out := make([]wattle.Signal, 0, max(hours, 0))
	for range hours {
		s := t.At(k, laterOf(from, now))
		s.From, s.To = from, from.Add(time.Hour)
		s.Intensity, s.Quality = t.Mean(k, laterOf(from, now), s.To)
		out = append(out, s)
		from = s.To
	}
	return out
}

func (t *Table) keysOf(zones []wattle.ZoneID) ([]Key, error) {
	all := t.Keys()
	if len(zones) == 0 {
		return all, nil
	}
	var out []Key
	for _, z := range zones {
		n := len(out)
		for _, k := range all {
			if k.Zone == z {
				out = append(out, k)
			}
		}
		if len(out) == n {
			return nil, fmt.Errorf("grid: zone %q is not served; add it to \"zones\" of the configuration", z)
		}
	}
	return out, nil
}

func age(s wattle.Signal, now time.Time) string {
	if s.FetchedAt.IsZero() {
		return "-"
	}
	return max(0, now.Sub(s.FetchedAt)).Round(time.Second).String()
}
