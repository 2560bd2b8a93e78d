package dcgmexporter

import (
	"bytes"
	"errors"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/telemetry"
	"github.com/wattle-project/wattle/telemetry/gpu"
)

func parseFile(t *testing.T, name string) []gpu.Board {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	boards, err := Parse(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return boards
}

func TestMIGPowerIsCountedOnce(t *testing.T) {
	boards := parseFile(t, "mig.prom")
	if len(boards) != 1 {
		t.Fatalf("%d boards, want 1", len(boards))
	}
	b := boards[0]
	if b.Energy != 723_452_001_000 || !b.HasEnergy || b.Power != 301.5 {
		t.Errorf("energy %d µJ, power %v", b.Energy, b.Power)
	}
	shares, basis := gpu.Shares(b.Instances)
	// 0.8·1, 0.4·2, 0.1·4 in the order of first appearance.
	for i, want := range []float64{0.4, 0.4, 0.2} {
		if math.Abs(shares[i]-want) > 1e-12 {
			t.Errorf("share of %s = %v, want %v", b.Instances[i].Key, shares[i], want)
		}
	}
	if basis != gpu.ByEngine || b.Instances[0].Memory != 512*wattle.MiB || b.Instances[0].Key != "GPU-0aa1/gi-7" {
		t.Errorf("basis %v, instance %+v", basis, b.Instances[0])
	}
	want := gpu.Owner{Namespace: "faas", Pod: "embed-1", Container: "main", Instance: "GPU-0aa1/gi-3"}
	if len(b.Owners) != 2 || b.Owners[1] != want {
		t.Errorf("owners %+v", b.Owners)
	}
}

func TestSharedBoardAndBlanks(t *testing.T) {
	boards := parseFile(t, "shared.prom")
	if len(boards) != 2 {
		t.Fatalf("%d boards, want 2", len(boards))
	}
	a, b := boards[0], boards[1]
	if a.Energy != 5_120_500_000 || a.Power != 120.25 || len(a.Owners) != 2 || len(a.Instances) != 0 || a.Utilisation != gpu.KnownRatio(0.97) {
		t.Errorf("shared board %+v", a)
	}
	if b.HasEnergy || b.Utilisation.Known || !b.HasPower || b.Power != 43.7 {
		t.Errorf("board with blanks %+v", b)
	}
}

func TestOldNamespace(t *testing.T) {
	b := parseFile(t, "old.prom")[0]
	if b.Energy != 12_000_000_000 || b.Power != 55.25 || b.Utilisation != gpu.KnownRatio(0.31) {
		t.Errorf("board %+v", b)
	}
	if len(b.Owners) != 1 || b.Owners[0] != (gpu.Owner{Namespace: "default", Pod: "old-1", Container: "main"}) {
		t.Errorf("owners %+v", b.Owners)
	}
}

// What a page shows that is no board, no power of a GPU, or no value.
func TestSeriesThatMustNotCount(t *testing.T) {
	boards, err := Parse(strings.NewReader(`
DCGM_FI_DEV_POWER_USAGE{UUID="MIG-5a7c"} 99
DCGM_FI_DEV_CPU_POWER_UTIL_CURRENT{UUID="GPU-1"} 250
DCGM_FI_DEV_FB_USED{UUID="GPU-1"} 2147483634
DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{UUID="GPU-1"} 9223372036854775794
`))
	if err != nil || len(boards) != 1 || boards[0].UUID != "GPU-1" {
		t.Fatalf("%+v, %v, want GPU-1 alone", boards, err)
	}
	if b := boards[0]; b.HasPower || b.HasEnergy || b.Memory != 0 {
		t.Errorf("power %v, energy %d, memory %v of blanks and a Grace CPU", b.Power, b.Energy, b.Memory)
	}
}

// A compute instance shares its GPU instance, whose slices are what is weighed.
func TestSlicesAreThoseOfTheGPUInstance(t *testing.T) {
	boards, err := Parse(strings.NewReader(`DCGM_FI_PROF_GR_ENGINE_ACTIVE{UUID="GPU-1",modelName="NVIDIA A30",GPU_I_ID="3",GPU_I_PROFILE="1c.2g.12gb"} 0.5`))
	if err != nil || len(boards) != 1 || len(boards[0].Instances) != 1 {
		t.Fatalf("%+v, %v", boards, err)
	}
	if in := boards[0].Instances[0]; in.Slices != 2 || in.OfSlices != 4 {
		t.Errorf("%d of %d slices, want 2 of 4", in.Slices, in.OfSlices)
	}
}

func TestBrokenPages(t *testing.T) {
	for name, page := range map[string]string{
		"html":        "<html><body>502 Bad Gateway</body></html>",
		"open quote":  `DCGM_FI_DEV_POWER_USAGE{UUID="GPU-1} 3`,
		"open braces": `DCGM_FI_DEV_POWER_USAGE{UUID="GPU-1"`,
		"no value":    `DCGM_FI_DEV_POWER_USAGE{UUID="GPU-1"}`,
		"bare label":  `DCGM_FI_DEV_POWER_USAGE{UUID=GPU-1} 3`,
	} {
		if got, err := Parse(strings.NewReader(page)); err == nil {
			t.Errorf("%s: parsed as %+v", name, got)
		}
	}
	boards, err := Parse(strings.NewReader("other_metric 3\nDCGM_FI_DEV_POWER_USAGE{UUID=\"GPU-1\"} NaN\n"))
	if err != nil || len(boards) != 1 || boards[0].HasPower {
		t.Errorf("NaN: %+v, %v", boards, err)
	}
}

// exporter serves one board with the energy that the test sets, in mJ.
type exporter struct {
	millijoules string
	scrapes     int
}

func (p *exporter) RoundTrip(*http.Request) (*http.Response, error) {
	p.scrapes++
	w := httptest.NewRecorder()
	_, _ = w.WriteString(`DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{UUID="GPU-1"} ` + p.millijoules + "\n")
	return w.Result(), nil
}

func TestRepeatedSamplesKeepTheirTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &exporter{millijoules: "1000"}
		c := DefaultConfig()
		c.Client = &http.Client{Transport: p}
		m, err := NewMeter(c, gpu.DefaultConfig())
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		counter := telemetry.NewCounter(telemetry.Zone{Bound: 200}, telemetry.DefaultCounterConfig())
		read := func() telemetry.Reading {
			rs, err := m.Read(t.Context(), nil)
			if err != nil || len(rs) != 1 {
				t.Fatalf("Read = %+v, %v", rs, err)
			}
			counter.Add(rs[0])
			return rs[0]
		}
		read()
		for i := range 30 { // the exporter samples at 100 W every 30 s
			time.Sleep(time.Second)
			if i == 29 {
				p.millijoules = "3001000"
			}
			if r := read(); i < 29 && !r.At.Equal(start) {
				t.Fatalf("second %d: repeated sample dated %v", i, r.At.Sub(start))
			}
		}
		if p.scrapes != 7 {
			t.Errorf("%d scrapes in 31 reads of 30 s, want one in 5 s", p.scrapes)
		}
		if got := counter.Total(); got != 3_000_000_000 || counter.Stats().Resets != 0 {
			t.Errorf("counted %d µJ with %d resets, want 3 kJ and none", got, counter.Stats().Resets)
		}
		time.Sleep(3 * time.Minute)
		if _, err := m.Read(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "stopped sampling") {
			t.Errorf("after 3 min without change: %v", err)
		}
	})
}

func TestScrapeFailures(t *testing.T) {
	status := http.StatusServiceUnavailable
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write(bytes.Repeat([]byte("# padding\n"), 100))
	}))
	defer srv.Close()
	c := DefaultConfig()
	c.URL, c.MaxBytes = srv.URL, 64
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Boards(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "503") {
		t.Errorf("status 503: %v", err)
	}
	status = http.StatusOK
	if _, err := s.Boards(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "longer than") {
		t.Errorf("long page: %v", err)
	}
	srv.Close()
	var u *telemetry.Unavailable
	if _, err := s.Boards(t.Context(), nil); !errors.As(err, &u) {
		t.Errorf("no server: %v", err)
	}
}

func TestConfigValidate(t *testing.T) {
	for name, spoil := range map[string]func(*Config){
		"no scheme": func(c *Config) { c.URL = "localhost:9400" }, "bad url": func(c *Config) { c.URL = ":" },
		"timeout": func(c *Config) { c.Timeout = 0 }, "bytes": func(c *Config) { c.MaxBytes = 0 },
	} {
		c := DefaultConfig()
		if spoil(&c); c.Validate() == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, name := range []string{"mig.prom", "shared.prom", "old.prom"} {
		b, err := os.ReadFile("testdata/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(b))
	}
	f.Add(`DCGM_FI_DEV_POWER_USAGE{UUID="GPU-\"\\\n",GPU_I_ID="0",} 1e300 1700000000000`)
	f.Fuzz(func(t *testing.T, page string) {
		boards, err := Parse(strings.NewReader(page))
		if err != nil {
			return
		}
		for i, b := range boards {
			if b.UUID == "" || i > 0 && boards[i-1].UUID >= b.UUID {
				t.Fatalf("boards not unique and sorted: %q", b.UUID)
			}
			if b.HasPower && !(b.Power >= 0 && b.Power < 1e15) {
				t.Fatalf("power %v", b.Power)
			}
			for _, in := range b.Instances {
				if in.Slices <= 0 || in.Graphics.Value < 0 || in.Graphics.Value > 1 {
					t.Fatalf("instance %+v", in)
				}
			}
		}
	})
}
