package signal

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/wattle-project/wattle/simulator/trace/tabular"
)

// Prices is a step-hold series of day-ahead electricity prices per MWh, in the
// market's currency, which files do not say. It is immutable.
type Prices struct {
	// Name is the market, from the file's name; of a forecast its column's name.
	Name string
	steps
}

// At returns the price per MWh at t, which may be negative, and false in a gap
// or outside of the series.
func (p Prices) At(t time.Time) (perMWh float64, ok bool) {
	v := p.value(t.UnixNano())
	return v, v == v
}

// ReadPrices reads a day-ahead price file in the format of epftoolbox (Lago et
// al., Applied Energy 293, 2021): a column of times without a name, "Real
// price", and columns of forecasts, which are returned by their names. Times
// are the market's local time and are taken as they stand.
func ReadPrices(path string) (actual Prices, forecasts []Prices, err error) {
	files, err := tabular.Find(path)
	if err != nil {
		return actual, nil, err
	}
	if len(files) > 1 {
		return actual, nil, fmt.Errorf("%s names %d files: name one market's file", path, len(files))
	}
	in, err := files[0].Open()
	if err != nil {
		return actual, nil, err
	}
	defer in.Close()
	all, err := readPrices(tabular.NewReader(files[0].Name, in), strings.TrimSuffix(files[0].Base(), ".csv"))
	if err != nil {
		return actual, nil, err
	}
	return all[0], all[1:], nil
}

func readPrices(r *tabular.Reader, market string) ([]Prices, error) {
	at, err := r.ReadHeader("Real price")
	if err != nil {
		return nil, err
	}
	columns := []int{at[0]}
	for i := 1; i < len(r.Header()); i++ {
		if i != at[0] {
			columns = append(columns, i)
		}
	}
	points := make([][]point, len(columns))
	for {
		if _, err := r.Read(); err == io.EOF {
			break
		} else if err != nil {
			return nil, err
		}
		when, err := parseTime(string(r.Field(0)))
		if err != nil {
			return nil, r.Fail(1, err)
		}
		for i, c := range columns {
			v, err := number(r, c)
			if err != nil {
				return nil, err
			}
			points[i] = append(points[i], point{when, v, strconv.Itoa(r.Line())})
		}
	}
	all := make([]Prices, len(columns))
	for i, c := range columns {
		s, _, err := regular(points[i], func(v float64) bool { return math.Abs(v) < 1e6 })
		if err != nil {
			return nil, fmt.Errorf("%s, %s: %w", market, r.Header()[c], err)
		}
		all[i] = Prices{Name: market, steps: s}
		if i > 0 {
			all[i].Name = r.Header()[c]
		}
	}
	return all, nil
}
