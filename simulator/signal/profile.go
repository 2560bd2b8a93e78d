package signal

import (
	"bytes"
	"embed"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/simulator/trace/tabular"
)

//go:embed profiles.csv
var tables embed.FS

// Profile is the mean intensity of one zone by month and UTC hour: what a
// simulation uses where it has no file. The built-in ones are means of hourly
// data of Electricity Maps (ODbL 1.0), see NOTICE.
type Profile struct {
	Zone  wattle.ZoneID
	Scope wattle.SignalScope
	Year  int // of the data
	// Grams holds g/kWh by month (January is 0) and UTC hour.
	Grams [12][24]uint16
}

// Profiles returns the built-in profiles, ordered by zone and scope. The
// life-cycle ones are all of one year, so that zones compare.
func Profiles() []Profile {
	text, err := tables.ReadFile("profiles.csv")
	if err != nil {
		panic(err) // it is part of the program
	}
	all, err := parseProfiles(text)
	if err != nil {
		panic(err) // the table is part of the program and a test reads it
	}
	return all
}

// BuiltIn returns the built-in profile of a zone.
func BuiltIn(zone wattle.ZoneID, scope wattle.SignalScope) (Profile, error) {
	var zones []string
	for _, p := range Profiles() {
		if p.Zone == zone && p.Scope == scope {
			return p, nil
		}
		if p.Scope == scope {
			zones = append(zones, string(p.Zone))
		}
	}
	return Profile{}, fmt.Errorf("no built-in %s profile of zone %q: give a file, or choose one of %s", scope, zone, strings.Join(zones, ", "))
}

func parseProfiles(text []byte) ([]Profile, error) {
	r := tabular.NewReader("profiles.csv", bytes.NewReader(text))
	at, err := r.ReadHeader("zone", "scope", "year", "month", "h00")
	if err != nil {
		return nil, err
	}
	var all []Profile
	for {
		if _, err := r.Read(); err == io.EOF {
			break
		} else if err != nil {
			return nil, err
		}
		p := Profile{Zone: wattle.ZoneID(r.Field(at[0]))}
		if err := p.Scope.UnmarshalText(r.Field(at[1])); err != nil {
			return nil, r.Fail(at[1]+1, err)
		}
		year, err := r.Float(at[2], 1990, 2100)
		if err != nil {
			return nil, err
		}
		month, err := r.Float(at[3], 1, 12)
		if err != nil {
			return nil, err
		}
		p.Year = int(year)
		if n := len(all); n == 0 || all[n-1].Zone != p.Zone || all[n-1].Scope != p.Scope {
			all = append(all, p)
		}
		for h := range 24 {
			v, err := r.Float(at[4]+h, 1, float64(wattle.MaxIntensity))
			if err != nil {
				return nil, err
			}
			all[len(all)-1].Grams[int(month)-1][h] = uint16(v)
		}
	}
	slices.SortStableFunc(all, func(a, b Profile) int {
		if a.Zone != b.Zone {
			return strings.Compare(string(a.Zone), string(b.Zone))
		}
		return int(a.Scope) - int(b.Scope)
	})
	return all, nil
}

// At returns the profile's intensity at t.
func (p *Profile) At(t time.Time) wattle.GramsPerKWh {
	t = t.UTC()
	return wattle.GramsPerKWh(p.Grams[t.Month()-1][t.Hour()])
}

// Mean returns the mean over the year, every month weighing the same.
func (p *Profile) Mean() wattle.GramsPerKWh {
	sum := 0
	for _, month := range p.Grams {
		for _, v := range month {
			sum += int(v)
		}
	}
	return wattle.GramsPerKWh(float64(sum) / (12 * 24))
}

// Actual returns the profile as an hourly series that covers [from, from+length).
func (p *Profile) Actual(from time.Time, length time.Duration) Actual {
	start := from.UTC().Truncate(time.Hour)
	n := int((from.Add(length).Sub(start) + time.Hour - 1) / time.Hour)
	values := make([]float64, max(n, 0))
	for i := range values {
		values[i] = float64(p.At(start.Add(time.Duration(i) * time.Hour)))
	}
	return Actual{Series{
		Zone: p.Zone, Scope: p.Scope, Provider: fmt.Sprintf("built-in profile, means of %d", p.Year),
		steps: newSteps(start, time.Hour, values, validIntensity),
	}}
}
