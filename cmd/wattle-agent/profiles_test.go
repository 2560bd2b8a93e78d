package main

import (
	"bytes"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/cmd/wattle-agent/internal/agent"
	"github.com/wattle-project/wattle/telemetry/disaggregate/profile"
	"github.com/wattle-project/wattle/telemetry/exporter"
	"github.com/wattle-project/wattle/telemetry/record"
)

// linear is a machine under the load of the demo: its first package draws 10 W for
// each core that makes thumbnails above 40 W at rest, its second one 30 W for each of
// the report above 40 W, its GPU 100 W for each that classifies above 50 W.
const linear = `zone package-0
at 0s 42W
at 20s 100W
at 50s 60W
ramp 80s 42W
repeat 120s
zone package-1
at 0s 41.5W
at 35s 130W
at 70s 41.5W
repeat 120s
zone GPU-00000000-0000-0000-0000-000000000001 component=gpu
at 0s 60W
at 40s 200W
ramp 60s 60W
repeat 120s
`

// recorded records the linear script on node n1 and returns what plays it.
func recorded(t *testing.T, config, length string) (*record.Player, *agent.Agent) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "demo.jsonl")
	var log bytes.Buffer
	args := []string{"record", name, "--config", write(t, "agent.yaml", config), "--fake-script", write(t, "linear.txt", linear), "--node", "n1", "--for", length}
	if code := run(t.Context(), args, io.Discard, &log); code != 0 {
		t.Fatalf("record: exit code %d: %s", code, &log)
	}
	r, err := record.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	player := record.NewPlayer(r)
	a, err := replayer(player, func(*exporter.Snapshot) {})
	if err != nil {
		t.Fatal(err)
	}
	return player, a
}

// play plays all of a recording.
func play(t *testing.T, player *record.Player, a *agent.Agent) {
	t.Helper()
	for {
		at, err := player.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		a.Step(t.Context(), at)
	}
}

// TestProfilesOfTheDemo plays twenty minutes of the demo and asks for profiles
// beside every round, as somebody would by HTTP: each is whole, and the last one
// has the figures of the machine.
func TestProfilesOfTheDemo(t *testing.T) {
	player, a := recorded(t, "attribution: {idle: {package: 40W, gpu: 50W}}", "20m")
	if _, err := a.Profiles(profile.About{}); !errors.Is(err, agent.ErrNothingLearned) {
		t.Errorf("before the first round: %v", err)
	}
	stop, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- askOn(a, stop) }()
	play(t, player, a)
	close(stop)
	if err := <-ended; err != nil {
		t.Errorf("asked beside rounds: %v", err)
	}
	d, err := a.Profiles(profile.About{Hardware: "skylake", Program: "test"})
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Remarks) > 0 {
		t.Errorf("the power at rest is stated, but: %q", d.Remarks)
	}
	if d.Node != "n1" || d.Hardware != "skylake" || len(d.Functions) != 4 || len(d.Sources) != 1 || d.Sources[0] != "fake" {
		t.Fatalf("%+v", d)
	}
	for i, want := range []struct {
		function       wattle.FunctionID
		cpu, memory    int64
		seconds, watts float64
	}{
		{"ml/classify", 2000, 8 << 30, 0.1, 100},
		{"reports/nightly", 500, 1 << 30, 5, 30},
		{"web/checkout", 1000, 512 << 20, 0.04, 0}, // always the same: at rest too
		{"web/thumbnail", 4000, 2 << 30, 0.25, 10},
	} {
		f := d.Functions[i]
		w := f.Warm.Watts.Value
		if f.Function != want.function || f.CPU != want.cpu || f.Memory != want.memory || f.Cold != nil || f.Warm.Untold != 0 || math.Abs(f.Warm.Seconds-want.seconds) > 1e-9 {
			t.Errorf("%+v with %+v: want %+v", f, *f.Warm, want)
		}
		if want.watts > 0 && math.Abs(w-want.watts) > 0.05*want.watts {
			t.Errorf("%s draws %.2f W while it runs, want %g", f.Function, w, want.watts)
		}
	}
}

// TestProfilesNameWhoNeverPauses: where the power at rest is learned, the work of
// a function that always runs is in it, and whoever asks is told.
func TestProfilesNameWhoNeverPauses(t *testing.T) {
	for config, want := range map[string]string{
		"{}":                              "web/checkout: never keeps fewer than ",
		"attribution: {idle: {gpu: 50W}}": "web/checkout: never keeps fewer than ",
		"attribution: {idle: {package: 40W, gpu: 50W}}": "",
	} {
		player, a := recorded(t, config, "5m")
		play(t, player, a)
		d, err := a.Profiles(profile.About{})
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(d.Remarks, "\n"); !strings.Contains(got, want) || (got == "") != (want == "") || strings.Contains(got, "reports/nightly") {
			t.Errorf("%s: %q, want %q", config, got, want)
		}
	}
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// askOn asks for profiles until stop, and writes each.
func askOn(a *agent.Agent, stop <-chan struct{}) error {
	for {
		select {
		case <-stop:
			return nil
		default:
		}
		d, err := a.Profiles(profile.About{})
		if errors.Is(err, agent.ErrNothingLearned) {
			continue
		}
		var b bytes.Buffer
		if err == nil {
			err = d.Write(&b)
		}
		if err == nil {
			_, err = profile.Read(&b, "profiles")
		}
		if err != nil {
			return err
		}
	}
}
