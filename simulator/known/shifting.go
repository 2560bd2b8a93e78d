package known

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/simulator/signal"
)

// shifting compares the best starts of a deferrable job over a year with
// published tables, row by row: sums of g/kWh over the job's hours.
func shifting(_ context.Context, dir string, yield func(Case) bool) bool {
	for _, c := range []struct {
		job, slack int
		zone       wattle.ZoneID
	}{{1, 24, "GB"}, {6, 24, "GB"}, {24, 168, "US-CAL-CISO"}} {
		name := fmt.Sprintf("%d h job, %d h slack, %s", c.job, c.slack, c.zone)
		file := filepath.Join(dir, "known-answers-temporal-shifting", fmt.Sprintf("job_%d_slack_%d_%s.csv", c.job, c.slack, c.zone))
		if _, err := os.Stat(file); dir == "" || err != nil {
			if !yield(Case{Group: "shifting", Name: name, Skipped: "the published data is not in --data"}) {
				return false
			}
			continue
		}
		rows, worst, err := compareShifting(dir, file, c.zone, c.job, c.slack)
		for k, column := range []string{"now", "best window", "cheapest hours"} {
			if !yield(Case{
				Group: "shifting", Name: fmt.Sprintf("%s: %s, worst of %d rows", name, column, rows),
				Unit: "g/kWh·h", Got: worst[k], Tolerance: 1e-6, Err: err,
			}) {
				return false
			}
		}
	}
	return true
}

// compareShifting returns the number of rows and the largest error per column.
func compareShifting(dir, file string, zone wattle.ZoneID, job, slack int) (rows int, worst [3]float64, err error) {
	series, _, err := signal.ReadFile(filepath.Join(dir, "carbon-123-regions-2022"), signal.Options{Zones: []wattle.ZoneID{zone}})
	if err != nil {
		return 0, worst, err
	}
	a := series[0]
	hours := make([]float64, a.Len())
	for i := range hours {
		v, _ := a.At(a.Start().Add(time.Duration(i) * a.Period()))
		hours[i] = float64(v)
	}
	f, err := os.Open(file)
	if err != nil {
		return 0, worst, err
	}
	defer f.Close()
	r := csv.NewReader(f)
	if _, err := r.Read(); err != nil {
		return 0, worst, err
	}
	for ; ; rows++ {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return rows, worst, nil
		}
		if err != nil {
			return rows, worst, err
		}
		got := shift(hours, rows, job, slack)
		for k := range got {
			want, err := strconv.ParseFloat(row[k], 64)
			if err != nil {
				return rows, worst, err
			}
			worst[k] = max(worst[k], math.Abs(got[k]-want))
		}
	}
}

// shift returns the carbon of a job released at hour t: run now; in the best
// window that starts within the slack; in the cheapest hours up to the deadline.
// Both are clipped at the last full window of the year.
func shift(hours []float64, t, job, slack int) [3]float64 {
	sum := func(s int) (v float64) {
		for _, h := range hours[s : s+job] {
			v += h
		}
		return v
	}
	best := sum(t)
	for s := t + 1; s <= min(t+slack, len(hours)-job); s++ {
		best = min(best, sum(s))
	}
	window := slices.Clone(hours[t:min(t+job+slack, len(hours))])
	slices.Sort(window)
	cheapest := 0.0
	for _, h := range window[:job] {
		cheapest += h
	}
	return [3]float64{sum(t), best, cheapest}
}
