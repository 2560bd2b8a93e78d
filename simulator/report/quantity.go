package report

import (
	"math"
	"strconv"
	"strings"
)

// dimension says what kind of quantity a figure is, and so how it is scaled
// for people.
type dimension uint8

const (
	count    dimension = iota // whole things
	share                     // of 1, shown in %
	seconds                   // s
	joules                    // J
	grams                     // g CO2e
	dollars                   // USD
	perSec                    // 1/s
	mebibyte                  // MiB
	delays                    // s of waiting by choice, up to days
	change                    // of 1, shown in % with its sign
)

// step is one unit of a dimension: a value of at least From base units is
// shown multiplied by Factor. Steps are ordered from large to small.
type step struct {
	from, factor float64
	unit         string
}

func steps(d dimension) []step {
	switch d {
	case share, change:
		return []step{{0, 100, "%"}}
	case seconds:
		return []step{{10, 1, "s"}, {1e-3, 1e3, "ms"}, {0, 1e6, "µs"}}
	case delays:
		return []step{{3600, 1. / 3600, "h"}, {60, 1. / 60, "min"}, {0, 1, "s"}}
	case joules:
		return []step{{3.6e9, 1 / 3.6e9, "MWh"}, {3.6e6, 1 / 3.6e6, "kWh"}, {3.6e4, 1 / 3.6e3, "Wh"}, {1, 1, "J"}, {0, 1e3, "mJ"}}
	case grams:
		return []step{{1e7, 1e-6, "t"}, {1e4, 1e-3, "kg"}, {1, 1, "g"}, {1e-3, 1e3, "mg"}, {0, 1e6, "µg"}}
	case dollars:
		return []step{{0.1, 1, "USD"}, {1e-4, 1e3, "mUSD"}, {0, 1e6, "µUSD"}}
	case perSec:
		return []step{{1e6, 1e-6, "M/s"}, {1e3, 1e-3, "k/s"}, {0, 1, "/s"}}
	case mebibyte:
		return []step{{0, 1, "MiB"}}
	}
	return []step{{0, 1, ""}}
}

// scale is how the values of one group of columns are shown: all in one unit
// and with equally many decimals, so that they compare at a glance.
type scale struct {
	dim      dimension
	factor   float64
	unit     string
	decimals int
}

// scaleFor picks the unit in which the largest value reads best. Three
// significant digits of the largest are kept, four where small ones need them.
func scaleFor(d dimension, values ...float64) scale {
	low, top := extent(values)
	all := steps(d)
	pick := all[len(all)-1]
	if top == 0 { // nothing to scale by: the base unit
		for _, s := range all {
			if s.factor == 1 {
				pick = s
			}
		}
	} else {
		for i := len(all) - 1; i >= 0; i-- {
			if top >= all[i].from {
				pick = all[i]
			}
		}
	}
	return scale{dim: d, factor: pick.factor, unit: pick.unit, decimals: decimals(d, float64(low*pick.factor), float64(top*pick.factor))}
}

// extent returns the smallest and largest magnitude of v, zeros left out.
func extent(v []float64) (low, top float64) {
	for _, x := range v {
		if a := math.Abs(x); a > 0 {
			top = math.Max(top, a)
			if low == 0 || a < low {
				low = a
			}
		}
	}
	return low, top
}

// decimals keeps three significant digits of the largest value, four where the
// smallest would be left with fewer than three.
func decimals(d dimension, low, top float64) int {
	switch {
	case d == count:
		return 0
	case d == share || d == change:
		return 2 - b2i(d == change)
	case top == 0 || top >= 1000:
		return 0
	}
	if low == top {
		low = 10 * top // a value on its own: three digits
	}
	magnitude := func(v float64) int { return int(math.Floor(math.Log10(v) + 1e-9)) }
	return max(0, min(4, max(2-magnitude(top), min(2-magnitude(low), 3-magnitude(top)))))
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// text renders v without its unit.
func (s scale) text(v float64) string {
	t := strconv.FormatFloat(float64(v*s.factor), 'f', s.decimals, 64)
	if strings.Trim(t, "-0.") == "" {
		t = strings.TrimPrefix(t, "-")
	}
	if s.dim == change && v > 0 && !strings.HasPrefix(t, "-") {
		t = "+" + t
	}
	return strings.Replace(group(t), "-", "−", 1)
}

// with renders v with its unit, as "12.3 kg".
func (s scale) with(v float64) string {
	if s.unit == "" {
		return s.text(v)
	}
	return s.text(v) + " " + s.unit
}

// human renders one value in the unit that suits it.
func human(d dimension, v float64) string { return scaleFor(d, v).with(v) }

// group puts a comma between every three digits before the point.
func group(t string) string {
	sign := ""
	if t != "" && (t[0] == '-' || t[0] == '+') {
		sign, t = t[:1], t[1:]
	}
	whole, rest, point := strings.Cut(t, ".")
	var b strings.Builder
	for i, c := range whole {
		if i > 0 && (len(whole)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(c)
	}
	if point {
		rest = "." + rest
	}
	return sign + b.String() + rest
}

// plain renders v for machines: the shortest text that reads back to v.
func plain(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// span renders a length of time in the largest unit that divides it well.
func span(s float64) string {
	switch {
	case s >= 2*86400 && math.Mod(s, 86400) == 0:
		return group(plain(s/86400)) + " days"
	case s >= 3600 && math.Mod(s, 3600) == 0:
		return plain(s/3600) + " h"
	case s >= 60 && math.Mod(s, 60) == 0:
		return plain(s/60) + " min"
	}
	return human(seconds, s)
}
