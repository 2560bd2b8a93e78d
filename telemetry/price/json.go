package price

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Shape says where the prices are in a JSON document. A path is a list of keys
// and indexes with dots between, for example "data.0.prices"; "" is the whole
// document.
type Shape struct {
	// Items is the path of an array of objects; Time and Value are then paths
	// in each of them. Without Items, Time and Value are the paths of two arrays
	// of the same length.
	Items string `yaml:"items"`
	Time  string `yaml:"time"`
	Value string `yaml:"value"`
	// Flat says that Time and Value are arrays, and Items is not used.
	Flat bool `yaml:"flat"`
	// TimeFormat is "rfc3339" (the default), "unix", "unixms" or a Go time
	// layout, which is read in Location.
	TimeFormat string `yaml:"time_format"`
	// Scale multiplies a value to make it a price per MWh: 1000 for prices per
	// kWh, 10 for cents per kWh; 0 is 1.
	Scale float64 `yaml:"scale"`
	// Zone is the path of the zone's name in the answer; when set, it must be
	// the name asked for.
	Zone string `yaml:"zone"`
}

var errOtherZone = errors.New("answer is for another zone")

// ReadJSON reads prices of the given shape. name is what Shape.Zone must hold.
func ReadJSON(body []byte, s Shape, name string, location *time.Location, step time.Duration) (points []Point, refused int, err error) {
	if trimmed := bytes.TrimSpace(body); len(trimmed) > 0 && trimmed[0] == '<' {
		return nil, 0, errors.New("answer is HTML or XML, not JSON: a proxy, a login page or a wrong url")
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var doc any
	if err := decoder.Decode(&doc); err != nil {
		return nil, 0, fmt.Errorf("decoding %d bytes of JSON: %w", len(body), err)
	}
	if s.Zone != "" {
		if got := fmt.Sprint(at(doc, s.Zone)); got != name {
			return nil, 0, fmt.Errorf("%w: asked for %q, answered for %.40q", errOtherZone, name, got)
		}
	}
	times, values, err := s.columns(doc)
	if err != nil {
		return nil, 0, err
	}
	if location == nil {
		location = time.UTC
	}
	return s.points(times, values, &localClock{layout: s.layout(), location: location}, step)
}

func (s Shape) layout() string {
	if s.TimeFormat == "" || s.TimeFormat == "rfc3339" {
		return time.RFC3339
	}
	return s.TimeFormat
}

// columns returns the times and the values as two lists of equal length.
func (s Shape) columns(doc any) (times, values []any, err error) {
	if s.Flat {
		times, _ = at(doc, s.Time).([]any)
		values, _ = at(doc, s.Value).([]any)
		if len(times) == 0 || len(times) != len(values) {
			return nil, nil, fmt.Errorf("%d times at %q and %d values at %q: want two arrays of one length", len(times), s.Time, len(values), s.Value)
		}
		return times, values, nil
	}
	items, _ := at(doc, s.Items).([]any)
	if len(items) == 0 {
		return nil, nil, fmt.Errorf("no array with entries at %q", s.Items)
	}
	for _, item := range items {
		times = append(times, at(item, s.Time))
		values = append(values, at(item, s.Value))
	}
	return times, values, nil
}

func (s Shape) points(times, values []any, clock *localClock, step time.Duration) ([]Point, int, error) {
	scale := s.Scale
	if scale == 0 {
		scale = 1
	}
	var points []Point
	refused := 0
	for i := range times {
		from, err := s.instant(times[i], clock)
		if errors.Is(err, errNoSuchTime) {
			refused++
			continue
		}
		if err != nil {
			return nil, 0, fmt.Errorf("entry %d: %w", i, err)
		}
		v, ok := number(values[i])
		if !ok { // null, or not a number
			refused++
			continue
		}
		points = append(points, Point{From: from, Price: PerMWh(v * scale)})
	}
	if step <= 0 {
		step = time.Hour
	}
	kept, dropped := tidy(spread(points, step))
	return kept, refused + dropped, nil
}

func (s Shape) instant(v any, clock *localClock) (time.Time, error) {
	if s.TimeFormat == "unix" || s.TimeFormat == "unixms" {
		seconds, ok := number(v)
		if !ok {
			return time.Time{}, fmt.Errorf("time %.40q is not a number", fmt.Sprint(v))
		}
		if s.TimeFormat == "unixms" {
			seconds /= 1000
		}
		return unixTime(seconds)
	}
	text, ok := v.(string)
	if !ok {
		return time.Time{}, fmt.Errorf("no time at %q", s.Time)
	}
	return clock.parse(text)
}

// number accepts JSON numbers and strings that hold one.
func number(v any) (float64, bool) {
	var text string
	switch x := v.(type) {
	case json.Number:
		text = string(x)
	case string:
		text = x
	default:
		return 0, false
	}
	f, err := strconv.ParseFloat(text, 64)
	return f, err == nil
}

// at follows a path; nil when a step of it is not there.
func at(v any, path string) any {
	if path == "" {
		return v
	}
	for _, key := range strings.Split(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			v = x[key]
		case []any:
			i, err := strconv.Atoi(key)
			if err != nil || i < 0 || i >= len(x) {
				return nil
			}
			v = x[i]
		default:
			return nil
		}
	}
	return v
}
