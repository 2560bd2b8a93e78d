package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/wattle-project/wattle/cmd/wattle-agent/internal/agent"
	"github.com/wattle-project/wattle/cmd/wattle-agent/internal/settings"
	"github.com/wattle-project/wattle/telemetry/exporter"
)

func TestAliveAndReady(t *testing.T) {
	begin := time.Unix(1000, 0)
	for name, tc := range map[string]struct {
		health       agent.Health
		after        time.Duration
		alive, ready bool
	}{
		"starting":             {agent.Health{}, 5 * time.Second, true, false},
		"never ran":            {agent.Health{}, 21 * time.Second, false, false},
		"runs":                 {agent.Health{Rounds: 9, Last: begin.Add(time.Minute)}, 80 * time.Second, true, true},
		"hangs":                {agent.Health{Rounds: 9, Last: begin.Add(time.Minute)}, 81 * time.Second, false, true},
		"no meter can be read": {agent.Health{Rounds: 9, Last: begin.Add(time.Minute), Err: errors.New("x")}, time.Minute, true, false},
	} {
		if err := alive(tc.health, begin, begin.Add(tc.after), time.Second); (err == nil) != tc.alive {
			t.Errorf("%s: alive says %v", name, err)
		}
		if err := ready(tc.health); (err == nil) != tc.ready {
			t.Errorf("%s: ready says %v", name, err)
		}
	}
}

// The start says of each meter whether it is used, and if not why and what
// would mend it.
func TestStartExplainsEveryMeter(t *testing.T) {
	s := settings.Default()
	s.Sys, s.Meters.Skip, s.Kubernetes.Enabled = t.TempDir(), []string{"nvml", "dcgm-exporter", "ipmi"}, "off"
	p, err := wire(&s, surroundings{now: time.Now, publish: func(*exporter.Snapshot) {}, log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer p.agent.Close()
	for range explainAfter {
		p.agent.Step(t.Context(), time.Now())
	}
	var out strings.Builder
	p.explain(&out)
	for _, want := range []string{
		`(?m)^skip rapl +no powercap tree at .*; to mend: load the driver`,
		`(?m)^skip hwmon +no hwmon class at `,
		`(?m)^use  model +is read$`,
		`(?m)^skip nvml +is switched off by meters.skip$`,
		`(?m)^skip redfish +no management controller is named; to mend: set meters.redfish.url$`,
	} {
		if !regexp.MustCompile(want).MatchString(out.String()) {
			t.Errorf("no line %q in\n%s", want, out.String())
		}
	}
}

func TestInterruptedBeforeAResult(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var stderr strings.Builder
	if got := run(ctx, []string{"--once", "--fake"}, io.Discard, &stderr); got != 130 || !strings.Contains(stderr.String(), "interrupted") {
		t.Errorf("exit %d, %q, want 130", got, stderr.String())
	}
}
