package price

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
)

// CSVOptions say how to read a file of prices.
type CSVOptions struct {
	// Column is the header of the prices, matched without case and spaces
	// around; empty is the second column.
	Column string
	// Location is the zone of the times; nil is UTC. In local time a day has 23
	// or 25 hours twice a year: an hour that the clock skips is left out, an
	// hour that comes twice is taken once or twice, as the file has it.
	Location *time.Location
	// Step is the length of the market's intervals; 0 is one hour.
	Step time.Duration
}

const csvLayout = "2006-01-02 15:04:05"

// ReadCSV reads prices per MWh in ascending time from a file as epftoolbox
// distributes them: a header, times "2006-01-02 15:04:05" in the first column
// and one column each for the price and its forecasts
// ("Real price", "DNN Ensemble", "LEAR Ensemble"). Values that cannot be a
// price are left out and counted.
func ReadCSV(r io.Reader, o CSVOptions) (points []Point, refused int, err error) {
	if o.Step <= 0 {
		o.Step = time.Hour
	}
	if o.Location == nil {
		o.Location = time.UTC
	}
	rows := csv.NewReader(r)
	rows.ReuseRecord = true
	header, err := rows.Read()
	if err != nil {
		return nil, 0, fmt.Errorf("reading the header: %w", err)
	}
	column, err := columnOf(header, o.Column)
	if err != nil {
		return nil, 0, err
	}
	clock := localClock{layout: csvLayout, location: o.Location}
	for {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			var p Point
			if p, err = readRow(&clock, row[0], row[column]); err == nil {
				points = append(points, p)
				continue
			}
		}
		if !errors.Is(err, errNoSuchTime) {
			return nil, 0, located(rows, err)
		}
		refused++
	}
	points, dropped := tidy(spread(points, o.Step))
	return points, refused + dropped, nil
}

// located adds the line of the last row to err, which a parse error of the CSV
// itself names already: then there is no row to ask for its position.
func located(rows *csv.Reader, err error) error {
	var parse *csv.ParseError
	if errors.As(err, &parse) {
		return fmt.Errorf("reading CSV: %w", err)
	}
	line, _ := rows.FieldPos(0)
	return fmt.Errorf("line %d: %w", line, err)
}

func columnOf(header []string, name string) (int, error) {
	if name == "" && len(header) > 1 {
		return 1, nil
	}
	for i, h := range header {
		if i > 0 && strings.EqualFold(strings.TrimSpace(h), strings.TrimSpace(name)) {
			return i, nil
		}
	}
	return 0, fmt.Errorf("no column %q among %q", name, header)
}

func readRow(clock *localClock, at, value string) (Point, error) {
	from, err := clock.parse(strings.TrimSpace(at))
	if err != nil {
		return Point{}, err
	}
	price := math.NaN()
	if text := strings.TrimSpace(value); text != "" {
		if price, err = strconv.ParseFloat(text, 64); err != nil {
			return Point{}, fmt.Errorf("price %.20q is not a number", text)
		}
	}
	return Point{From: from, Price: PerMWh(price)}, nil
}
