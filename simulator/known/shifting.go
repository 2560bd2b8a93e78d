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
	"strconv"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/scheduler/lifecycle"
	"github.com/wattle-project/wattle/simulator/signal"
)

// shifting compares the best starts of a deferrable job over a year with
// published tables, row by row: sums of g/kWh over the job's hours. The deferral
// policies that decide in production plan on the actual series as outlook.
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
	values := make([]wattle.GramsPerKWh, a.Len())
	for i := range values {
		values[i], _ = a.At(a.Start().Add(time.Duration(i) * a.Period()))
	}
	y, err := newYear(a.Start(), values)
	if err != nil {
		return 0, worst, err
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
		got := y.shift(rows, job, slack)
		for k := range got {
			want, err := strconv.ParseFloat(row[k], 64)
			if err != nil {
				return rows, worst, err
			}
			worst[k] = max(worst[k], math.Abs(got[k]-want))
		}
	}
}

// year is a series of hours, the outlook that knows it perfectly and the
// policies in the order of the tables' columns.
type year struct {
	outlook  lifecycle.Outlook
	policies [3]lifecycle.Deferral
	plan     []lifecycle.Stretch
}

func newYear(start time.Time, values []wattle.GramsPerKWh) (*year, error) {
	y := &year{outlook: lifecycle.Outlook{Start: start, Period: time.Hour, Values: values}}
	for k, name := range []string{"run-now", "lowest-window", "cheapest-slots"} {
		var err error
		if y.policies[k], err = lifecycle.NewDeferral(name, lifecycle.DefaultDeferralConfig()); err != nil {
			return nil, err
		}
	}
	return y, nil
}

// shift returns the carbon of a job of constant power released at hour t under
// each policy. The deadline is job + slack hours later, at most the end of the
// year.
func (y *year) shift(t, job, slack int) (out [3]float64) {
	at := func(h int) time.Time { return y.outlook.Start.Add(time.Duration(h) * time.Hour) }
	w := lifecycle.Work{
		Release: at(t), Deadline: at(min(t+job+slack, len(y.outlook.Values))),
		Length: time.Duration(job) * time.Hour, Interruptible: true,
	}
	for k, p := range y.policies {
		y.plan = p.Plan(y.plan[:0], &w, &y.outlook)
		for _, s := range y.plan {
			for h := int(s.Start.Sub(at(0)).Hours()); at(h).Before(s.End); h++ {
				out[k] += float64(y.outlook.Values[h])
			}
		}
	}
	return out
}
