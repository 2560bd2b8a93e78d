package grid

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

var errNoSuchTime = errors.New("no such local time: the clock skips it")

func timeLayouts() []string {
	return []string{time.RFC3339, nesoTime, "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02T15:04:05", "2006-01-02T15:04"}
}

// parseTime reads a time in one of the layouts that data files use. Times
// without an offset are in location, and local says that this was so.
func parseTime(s string, location *time.Location) (t time.Time, local bool, err error) {
	s = strings.TrimSpace(s)
	for i, layout := range timeLayouts() {
		t, err = time.ParseInLocation(layout, s, location)
		if err != nil {
			continue
		}
		if i < 2 { // these carry an offset
			return t, false, nil
		}
		if t.Format(layout) != s {
			return t, true, fmt.Errorf("%s in %s: %w", s, location, errNoSuchTime)
		}
		return t, true, nil
	}
	return time.Time{}, false, fmt.Errorf("time %.30q: want for example 2023-01-31T18:00:00Z or 2023-01-31 18:00:00", s)
}

// localClock parses ascending local times. When clocks go back, one wall time
// names two instants: the first is taken unless it does not come after the row
// before.
type localClock struct {
	location *time.Location
	last     time.Time
}

func (c *localClock) parse(s string) (time.Time, error) {
	t, local, err := parseTime(s, c.location)
	if err != nil {
		return t, err
	}
	if local {
		t = c.choose(t)
	}
	c.last = t
	return t, nil
}

func (c *localClock) choose(t time.Time) time.Time {
	const wall = "2006-01-02 15:04:05"
	if earlier := t.Add(-time.Hour); earlier.Format(wall) == t.Format(wall) {
		t = earlier
	}
	if later := t.Add(time.Hour); !t.After(c.last) && later.Format(wall) == t.Format(wall) {
		t = later
	}
	return t
}
