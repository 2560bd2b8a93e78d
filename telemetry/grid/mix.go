package grid

import (
	"cmp"
	"encoding/xml"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wattle-project/wattle"
)

var (
	errOtherArea = errors.New("answer is for another area")
	errNoData    = errors.New("acknowledged without data")
)

// maxSlots bounds the values of one period: a leap year of quarter hours, the
// longest that the service gives.
const maxSlots = 366 * 96

// hourOf is one fuel's output within one hour.
type hourOf struct {
	megawattHours float64
	covered       time.Duration // of the hour
}

// generationMix is energy per fuel and hour.
type generationMix struct {
	fuels map[string]fuel
	hours map[int64]map[string]hourOf // by Unix hour, then production type
}

func newGenerationMix() *generationMix {
	return &generationMix{fuels: fuels(), hours: map[int64]map[string]hourOf{}}
}

// add books one document that must be about area. Series that are consumption
// (pumping) carry an out domain and are skipped.
func (m *generationMix) add(doc []byte, area string) error {
	var d glDocument
	if err := xml.Unmarshal(doc, &d); err != nil {
		return fmt.Errorf("decoding %d bytes of XML: %w", len(doc), err)
	}
	if d.XMLName.Local == "Acknowledgement_MarketDocument" {
		if reason := acknowledgement(doc); reason != nil {
			return fmt.Errorf("%w: %w", errNoData, reason)
		}
		return errNoData
	}
	if d.XMLName.Local != "GL_MarketDocument" {
		return fmt.Errorf("root element %.40q, want GL_MarketDocument", d.XMLName.Local)
	}
	for _, s := range d.TimeSeries {
		if s.Out != "" && s.In == "" {
			continue
		}
		if s.In != area {
			return fmt.Errorf("%w: asked for %s, answered for %.20q", errOtherArea, area, s.In)
		}
		if s.Unit != "" && s.Unit != "MAW" {
			return fmt.Errorf("unit %.10q, want MAW", s.Unit)
		}
		for _, period := range s.Periods {
			if err := m.addPeriod(s, period); err != nil {
				return err
			}
		}
	}
	return nil
}

func (m *generationMix) addPeriod(s glSeries, p glPeriod) error {
	start, err1 := time.Parse(nesoTime, p.Start)
	end, err2 := time.Parse(nesoTime, p.End)
	step, err3 := resolution(p.Resolution)
	if err := errors.Join(err1, err2, err3); err != nil {
		return fmt.Errorf("period: %w", err)
	}
	if !representable(start) || !representable(end) {
		return fmt.Errorf("period %s to %s is out of range", p.Start, p.End)
	}
	slots := int(end.Sub(start) / step)
	if slots <= 0 || slots > maxSlots {
		return fmt.Errorf("period %s to %s in steps of %s: want 1 to %d values", p.Start, p.End, step, maxSlots)
	}
	return m.addPoints(s, p.Points, start, step, slots)
}

func (m *generationMix) addPoints(s glSeries, points []glPoint, start time.Time, step time.Duration, slots int) error {
	points = slices.Clone(points)
	slices.SortFunc(points, func(a, b glPoint) int { return cmp.Compare(a.Position, b.Position) })
	for i, q := range points {
		if q.Position < 1 || q.Position > slots {
			return fmt.Errorf("position %d of %d", q.Position, slots)
		}
		// Curve A03 leaves out positions that repeat the one before.
		last := q.Position
		if s.Curve == "A03" {
			last = slots
			if i+1 < len(points) {
				last = points[i+1].Position - 1
			}
		}
		for pos := q.Position; pos <= last; pos++ {
			m.book(s.Type, start.Add(time.Duration(pos-1)*step), step, q.Quantity)
		}
	}
	return nil
}

// book adds megawatts over [from, from+step), which never crosses an hour.
func (m *generationMix) book(kind string, from time.Time, step time.Duration, megawatts float64) {
	if math.IsNaN(megawatts) || megawatts < 0 || megawatts > 1e6 {
		return // leaves the hour uncovered, so it is not used
	}
	hour := from.Unix() / 3600
	if m.hours[hour] == nil {
		m.hours[hour] = map[string]hourOf{}
	}
	h := m.hours[hour][kind]
	h.megawattHours += float64(megawatts * step.Hours())
	h.covered += step
	m.hours[hour][kind] = h
}

// hourly returns Σ energy·factor ÷ Σ energy for every complete hour. Types
// arrive at different times: an hour counts only when each type that makes up
// at least 1 % of the document's energy covers all of it.
func (m *generationMix) hourly() []Point {
	needed := m.majorTypes()
	var points []Point
	for _, hour := range slices.Sorted(maps.Keys(m.hours)) {
		if v, ok := m.intensity(m.hours[hour], needed); ok {
			from := time.Unix(hour*3600, 0).UTC()
			points = append(points, Point{From: from, To: from.Add(time.Hour), Intensity: v, Estimated: true})
		}
	}
	return points
}

func (m *generationMix) intensity(types map[string]hourOf, needed []string) (wattle.GramsPerKWh, bool) {
	for _, k := range needed {
		if types[k].covered != time.Hour {
			return 0, false
		}
	}
	var energy, grams float64
	for _, k := range slices.Sorted(maps.Keys(types)) {
		f, known := m.fuels[k]
		if !known {
			f = m.fuels["B20"]
		}
		if f.factor > 0 {
			energy += types[k].megawattHours
			grams += float64(types[k].megawattHours * f.factor)
		}
	}
	return wattle.GramsPerKWh(grams / energy), energy > 0
}

func (m *generationMix) majorTypes() []string {
	sums, total := map[string]float64{}, 0.0
	for _, hour := range slices.Sorted(maps.Keys(m.hours)) {
		for _, k := range slices.Sorted(maps.Keys(m.hours[hour])) {
			sums[k] += m.hours[hour][k].megawattHours
			total += m.hours[hour][k].megawattHours
		}
	}
	return slices.DeleteFunc(slices.Sorted(maps.Keys(sums)), func(k string) bool {
		return sums[k] < total/100 || m.fuels[k].factor == 0 && m.fuels[k].name != ""
	})
}

// resolution reads the ISO 8601 durations in use: PT15M, PT30M, PT60M, PT1H.
func resolution(s string) (time.Duration, error) {
	if s == "PT1H" {
		return time.Hour, nil
	}
	n, ok := strings.CutPrefix(s, "PT")
	n, ok2 := strings.CutSuffix(n, "M")
	v, err := strconv.Atoi(n)
	if !ok || !ok2 || err != nil || v <= 0 || 60%v != 0 {
		return 0, fmt.Errorf("resolution %.20q: want PT15M, PT30M, PT60M or PT1H", s)
	}
	return time.Duration(v) * time.Minute, nil
}
