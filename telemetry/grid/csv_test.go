package grid

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wattle-project/wattle"
)

const emCSV = "\ufeffDatetime (UTC),Country,Zone Name,Zone Id,Carbon Intensity gCO₂eq/kWh (direct),Carbon Intensity gCO₂eq/kWh (LCA),Low Carbon Percentage,Renewable Percentage,Data Source,Data Estimated,Data Estimation Method\n" +
	"2022-01-01 00:00:00,Spain,Spain,ES,133.64,175.54,76.35,42.94,entsoe.eu,false,\n" +
	"2022-01-01 01:00:00,Spain,Spain,ES,139.1,181.54,75.69,41.62,entsoe.eu,true,X\n" +
	"2022-01-01 02:00:00,Spain,Spain,ES,,,75.69,41.62,entsoe.eu,true,X\n"

func TestReadCSVShapes(t *testing.T) {
	later := strings.NewReplacer("Carbon Intensity gCO₂eq/kWh (LCA)", "Carbon intensity gCO₂eq/kWh (Life cycle)", "Zone Id", "Zone id", "Data Estimated", "Data estimated").Replace(emCSV)
	cases := []struct {
		name, text string
		o          CSVOptions
		want       []wattle.GramsPerKWh
		refused    int
	}{
		{"portal, life cycle", emCSV, CSVOptions{Zone: "ES"}, []wattle.GramsPerKWh{175.54, 181.54}, 1},
		{"portal, direct", emCSV, CSVOptions{Zone: "ES", Scope: wattle.Direct}, []wattle.GramsPerKWh{133.64, 139.1}, 1},
		{"portal, later headers", later, CSVOptions{Zone: "ES"}, []wattle.GramsPerKWh{175.54, 181.54}, 1},
		{"plain", "time,value\n2022-01-01T00:00:00Z,10\n2022-01-01T01:00:00Z,0\n2022-01-01T02:00:00Z,NaN\n2022-01-01T03:00:00Z,3001\n", CSVOptions{}, []wattle.GramsPerKWh{10}, 3},
		{"no header", "2022-01-01 00:00,10\n2022-01-01 01:00,11\n", CSVOptions{}, []wattle.GramsPerKWh{10, 11}, 0},
		{"one column per zone", "datetime_utc,AT,DE\n2022-01-01T00:00:00Z,1,2\n", CSVOptions{Zone: "DE"}, []wattle.GramsPerKWh{2}, 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			points, refused, err := ReadCSV(strings.NewReader(c.text), c.o)
			if err != nil || refused != c.refused || len(points) != len(c.want) {
				t.Fatalf("%v, refused %d, %v; want %v", points, refused, err, c.want)
			}
			for i, p := range points {
				if p.Intensity != c.want[i] {
					t.Errorf("value %d is %v, want %v", i, p.Intensity, c.want[i])
				}
			}
		})
	}
	points, _, _ := ReadCSV(strings.NewReader(emCSV), CSVOptions{Zone: "ES"})
	if points[0].Estimated || !points[1].Estimated {
		t.Error("the estimated column is not read")
	}
}

func TestReadCSVErrors(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"empty":      {"", "header"},
		"one column": {"time\n", "two columns"},
		"no value":   {"time,foo\n2022-01-01 00:00,1\n", "no column"},
		"other zone": {emCSV, `line 2: zone "ES" in a file for "FR"`},
		"bad time":   {"time,value\n01/02/2022,1\n", `time "01/02/2022"`},
		"bad number": {"time,value\n2022-01-01 00:00,1\n2022-01-01 01:00,x\n", "line 3: value"},
		"short row":  {"time,a,value\n2022-01-01 00:00,1\n", "2 columns"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, _, err := ReadCSV(strings.NewReader(c.text), CSVOptions{Zone: "FR"}); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want …%s…", err, c.want)
			}
		})
	}
}

// TestReadCSVLocalDays: in local time one day lacks an hour and one repeats it.
func TestReadCSVLocalDays(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip("no time zone database on this machine: ", err)
	}
	spring := "time,value\n2026-03-29 01:00,1\n2026-03-29 02:00,9\n2026-03-29 03:00,2\n"
	points, refused, err := ReadCSV(strings.NewReader(spring), CSVOptions{Location: berlin})
	if err != nil || refused != 1 || len(points) != 2 || !points[1].From.Equal(points[0].To) {
		t.Errorf("spring: %v refused %d, %v; want 02:00 refused and no gap", points, refused, err)
	}
	points, refused, err = ReadCSV(strings.NewReader("time,value\n2026-03-29 01:00,1\n2026-03-29 02:30,9\n"), CSVOptions{Location: berlin})
	if err != nil || refused != 1 || len(points) != 1 {
		t.Errorf("an hour that is not there became another one: %v refused %d, %v", points, refused, err)
	}
	autumn := "time,value\n2026-10-25 01:30,1\n2026-10-25 02:00,2\n2026-10-25 02:30,3\n2026-10-25 02:00,4\n2026-10-25 02:30,5\n2026-10-25 03:00,6\n"
	points, refused, err = ReadCSV(strings.NewReader(autumn), CSVOptions{Location: berlin, Step: 30 * time.Minute})
	if err != nil || refused != 0 || len(points) != 6 {
		t.Fatalf("autumn: %v refused %d, %v", points, refused, err)
	}
	for i, p := range points {
		if want := time.Date(2026, 10, 24, 23, 30, 0, 0, time.UTC).Add(time.Duration(i) * 30 * time.Minute); !p.From.Equal(want) {
			t.Errorf("row %d is at %s, want %s", i, p.From.UTC(), want)
		}
	}
	offset, _, err := ReadCSV(strings.NewReader("time,value\n2026-10-25T02:00:00+01:00,1\n"), CSVOptions{Location: berlin})
	if err != nil || offset[0].From.UTC().Hour() != 1 {
		t.Errorf("an explicit offset was reinterpreted: %v %v", offset, err)
	}
}

// TestRealFiles reads a year as downloaded from the portal, where it is at hand.
func TestRealFiles(t *testing.T) {
	dir := os.Getenv("WATTLE_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "data")
	}
	f, err := os.Open(filepath.Join(dir, "carbon-electricitymaps-raw", "ES_2022_hourly.csv"))
	if err != nil {
		t.Skip("real data is not here; set WATTLE_DATA to its folder: ", err)
	}
	defer f.Close()
	points, refused, err := ReadCSV(f, CSVOptions{Zone: "ES"})
	if err != nil || len(points)+refused != 8760 {
		t.Errorf("%d values, %d refused, %v; want 8760", len(points), refused, err)
	}
}
