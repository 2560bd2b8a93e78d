package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/telemetry/grid"
)

// TestIntensitiesOfTheWholeInterval: energy of a time over several hours is told
// the intensity of each, not the newest.
func TestIntensitiesOfTheWholeInterval(t *testing.T) {
	text := "time,value\n"
	for h := range 13 {
		text += fmt.Sprintf("2026-03-10T%02d:00:00Z,%d\n", h, 100+h)
	}
	path := filepath.Join(t.TempDir(), "de.csv")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	at := func(h, m int) time.Time { return time.Date(2026, 3, 10, h, m, 0, 0, time.UTC) }
	c := grid.DefaultConfig()
	c.Sources = []grid.SourceConfig{{Type: "csv", Path: path, Zones: []wattle.ZoneID{"DE"}}}
	feed, err := grid.NewFromConfig(c, grid.Options{Now: func() time.Time { return at(12, 5) }})
	if err != nil {
		t.Fatal(err)
	}
	if err := feed.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, w := range []struct {
		from, to time.Time
		want     string
	}{
		{at(10, 10), at(12, 5), "110 111 112"},
		{at(11, 59), at(12, 0), "111"},
		{at(11, 59), at(12, 1), "111 112"},
		{at(12, 5), at(12, 5), "112"},
	} {
		var got []string
		until := w.from
		intensities{feed, grid.Key{Zone: "DE"}}.Walk(w.from, w.to, func(s wattle.Signal) {
			if s.From.After(until) || !s.To.After(until) {
				t.Errorf("from %s: %+v does not hold at %s", w.from, s, until)
			}
			until = s.To
			got = append(got, fmt.Sprint(float64(s.Intensity)))
		})
		if !slices.Equal(got, strings.Fields(w.want)) || until.Before(w.to) {
			t.Errorf("from %s to %s: %s up to %s, want %s", w.from, w.to, got, until, w.want)
		}
	}
}
