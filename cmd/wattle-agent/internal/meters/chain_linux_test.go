package meters

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/cmd/wattle-agent/internal/settings"
	"github.com/wattle-project/wattle/telemetry"
)

// only makes the chain of one meter.
func only(t *testing.T, name string, edit func(*settings.Settings)) *Set {
	t.Helper()
	s := settings.Default()
	s.Sys, s.Proc = t.TempDir(), t.TempDir()
	for _, n := range settings.Names() {
		if n != name {
			s.Meters.Skip = append(s.Meters.Skip, n)
		}
	}
	edit(&s)
	set, err := New(&s, time.Now, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// ask polls the one meter of the chain and reads it.
func ask(t *testing.T, set *Set) telemetry.Reading {
	t.Helper()
	if len(set.Chain.Meters) != 1 {
		t.Fatalf("%d meters, want 1; skipped %+v", len(set.Chain.Meters), set.Skipped)
	}
	m := set.Chain.Meters[0]
	m.(telemetry.Poller).Poll(t.Context())
	rs, err := m.Read(t.Context(), nil)
	if err != nil || len(rs) != 1 {
		t.Fatalf("%+v, %v", rs, err)
	}
	return rs[0]
}

// The model stands in only: it is in no chain beside a meter, and has what the
// settings tell of the machine.
func TestModelIsAFallbackWithItsSettings(t *testing.T) {
	set := only(t, "model", func(s *settings.Settings) {
		s.Meters.Model.TDP, s.Meters.Model.Share, s.Meters.Model.VCPUs, s.Meters.Model.Memory = 200, 0.25, 8, 16*wattle.GiB
		s.Proc = "/proc"
	})
	if len(set.Chain.Meters) != 0 || len(set.Chain.Fallback) != 1 {
		t.Fatalf("%d meters and %d fallbacks, want the model as fallback", len(set.Chain.Meters), len(set.Chain.Fallback))
	}
	m := set.Chain.Fallback[0]
	if _, err := m.Read(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	var how strings.Builder
	for _, p := range m.(telemetry.Prober).Probes() {
		how.WriteString(p.Reason + "; ")
	}
	if got := how.String(); !strings.Contains(got, "Teads curve over 0.25 of a TDP of 200W") || !strings.Contains(got, "16GiB") {
		t.Errorf("the model is told %q", got)
	}
}

func TestIPMICommandOfTheSettings(t *testing.T) {
	set := only(t, "ipmi", func(s *settings.Settings) {
		s.Meters.IPMI.Command = []string{"/bin/sh", "-c", "echo ' Instantaneous power reading: 223 Watts'"}
	})
	if r := ask(t, set); r.Power != 223 {
		t.Errorf("%v, want 223 W", r.Power)
	}
}

func TestExporterURLOfTheSettings(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{UUID="GPU-1"} 7000`+"\n")
	}))
	defer srv.Close()
	set := only(t, "dcgm-exporter", func(s *settings.Settings) { s.Meters.DCGMExporter.URL = srv.URL })
	if r := ask(t, set); r.Energy != 7_000_000 {
		t.Errorf("%d µJ, want 7 J", r.Energy)
	}
	if len(set.GPUs) != 1 {
		t.Errorf("%d meters tell who used boards, want 1", len(set.GPUs))
	}
}
