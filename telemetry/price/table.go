package price

import (
	"time"

	"github.com/wattle-project/wattle"
)

const hourNanos = int64(time.Hour)

// segment is a price on the nanosecond clock.
type segment struct {
	from, to, fetched int64
	price             PerMWh
	quality           wattle.Quality // Measured or Forecast
	source            uint16
}

// entry is everything known about one zone. It is never changed once in a Table.
type entry struct {
	zone     wattle.ZoneID
	currency string
	segments []segment // ascending, disjoint
	names    []string  // of sources
	hold     []int64   // per source, ns: how long its last price serves
	longest  int64     // of hold
	hours    [24]mean
	newest   int64 // end of the newest published price
	static   PerMWh
	fixed    bool // static is configured
}

type mean struct {
	sum, span float64
	source    uint16
}

// Table holds every zone's prices at one moment. It is immutable and safe for
// concurrent use; a lookup allocates nothing and takes no lock.
type Table struct {
	entries map[wattle.ZoneID]*entry
}

// At returns the best quote of zone for the moment at, past or future, and
// false when nothing at all is known. Asking again before Quote.To gives the
// same answer as long as the table is the same.
func (t *Table) At(zone wattle.ZoneID, at time.Time) (Quote, bool) {
	e := t.entries[zone]
	if e == nil {
		return Quote{}, false
	}
	now := at.UnixNano()
	i := e.after(now)
	if i > 0 && now < e.segments[i-1].to {
		s := &e.segments[i-1]
		return e.quote(s, s.from, s.to, s.quality), true
	}
	next := nextHour(now)
	if i < len(e.segments) {
		next = min(next, e.segments[i].from)
	}
	if s := e.lastGood(i, now); s != nil {
		until := s.to + e.hold[s.source]
		if i < len(e.segments) {
			until = min(until, e.segments[i].from)
		}
		return e.quote(s, e.segments[i-1].to, until, wattle.LastGood), true
	}
	return e.fallback(now, next)
}

// after returns the index of the first segment that starts after now.
func (e *entry) after(now int64) int {
	lo, hi := 0, len(e.segments)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if e.segments[mid].from <= now {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// lastGood walks back over forecasts to a published price that ended at most
// two periods before now.
func (e *entry) lastGood(i int, now int64) *segment {
	for i--; i >= 0; i-- {
		s := &e.segments[i]
		if s.to+e.longest <= now {
			return nil
		}
		if s.quality != wattle.Forecast && s.to+e.hold[s.source] > now {
			return s
		}
	}
	return nil
}

func (e *entry) fallback(now, next int64) (Quote, bool) {
	q := Quote{Zone: e.zone, Currency: e.currency, From: instant(nextHour(now) - hourNanos), To: instant(next)}
	expires := e.newest + int64(window)
	if hour := now / hourNanos % 24; hour >= 0 && e.hours[hour].span > 0 && now < expires {
		m := &e.hours[hour]
		q.Price, q.Quality, q.Provider, q.To = PerMWh(m.sum/m.span), wattle.Historic, e.names[m.source], instant(min(next, expires))
		return q, true
	}
	q.Price, q.Quality, q.Provider = e.static, wattle.Static, "static:config"
	return q, e.fixed
}

func (e *entry) quote(s *segment, from, to int64, q wattle.Quality) Quote {
	return Quote{Zone: e.zone, Price: s.price, Currency: e.currency, Quality: q, From: instant(from), To: instant(to),
		FetchedAt: instant(s.fetched), Provider: e.names[s.source]}
}

// fill resolves segments and means from what the sources said, in order of preference.
func (e *entry) fill(records []*record, now time.Time) {
	for _, r := range records {
		e.segments = overlay(e.segments, r.actual)
	}
	oldest := now.Add(-window).UnixNano()
	for _, s := range e.segments {
		e.newest = max(e.newest, s.to)
		for from := max(s.from, oldest); from < s.to; {
			end := min(s.to, nextHour(from))
			m := &e.hours[from/hourNanos%24]
			m.sum += float64(float64(s.price) * float64(end-from))
			m.span += float64(end - from)
			m.source = s.source
			from = end
		}
	}
	for _, r := range records {
		e.segments = overlay(e.segments, r.forecast)
	}
	for _, h := range e.hold {
		e.longest = max(e.longest, h)
	}
}

// overlay returns top with the parts of under that top leaves uncovered.
func overlay(top, under []segment) []segment {
	out := make([]segment, 0, len(top)+len(under))
	i := 0
	for _, u := range under {
		for u.from < u.to {
			for i < len(top) && top[i].to <= u.from {
				out = append(out, top[i])
				i++
			}
			if i == len(top) || top[i].from >= u.to {
				out = append(out, u)
				break
			}
			if head := u; top[i].from > u.from {
				head.to = top[i].from
				out = append(out, head)
			}
			u.from = top[i].to
		}
	}
	return append(out, top[i:]...)
}

func instant(ns int64) time.Time { return time.Unix(0, ns).UTC() }

func nextHour(now int64) int64 {
	into := now % hourNanos
	if into < 0 {
		into += hourNanos
	}
	return now - into + hourNanos
}
