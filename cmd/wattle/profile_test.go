package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/cmd/wattle/internal/profiles"
	"github.com/wattle-project/wattle/telemetry"
	"github.com/wattle-project/wattle/telemetry/disaggregate/profile"
	"github.com/wattle-project/wattle/telemetry/record"
)

// truth is a function of the recorded machine.
type truth struct {
	namespace, name         string
	seconds, watts          float64 // of a run
	startSeconds, startWatt float64 // of a start-up
	rate                    float64 // invocations a second
}

func truths() []truth {
	return []truth{
		{"shop", "resize", 0.3, 12, 0.8, 20, 4},
		{"shop", "mail", 0.1, 5, 0.4, 10, 8},
		{"", "report", 1.2, 30, 2, 25, 0.5},
	}
}

func (f *truth) id() string { return string(profiles.Name(f.namespace, f.name)) }

// fakeRecording is the script command "fakerecording FILE [restless]": ten
// minutes of a machine that draws 40 W at rest, with a meter that errs by 1 %. A
// restless one never rests: a function more is always busy.
func fakeRecording(ts *testscript.TestScript, _ bool, args []string) {
	at := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	w, err := record.Create(ts.MkAbs(args[0]), record.Header{Node: "n1", Interval: time.Second, Program: "test",
		Meters: []record.MeterInfo{{Name: "rapl"}}, CPU: 8000, Memory: 32 * wattle.GiB})
	ts.Check(err)
	zones := []telemetry.Zone{{Key: "package-0", Component: wattle.Package, Range: 262143328850, Bound: 400}}
	source, register := rand.New(rand.NewPCG(1, 2)), uint64(262143328850-5e9) // wraps after some minutes
	for i := range 600 {
		e := record.Epoch{At: at, Meters: []record.MeterRound{{Zones: zones}}}
		joules, batch := 40.0, record.Batch{From: at.Add(-time.Second), To: at}
		for _, f := range truths() {
			e.Usage = &record.UsageRound{Of: append(usageOf(e.Usage), record.Usage{ID: uint64(len(usageOf(e.Usage)) + 1),
				Identity: record.Identity{Key: "/" + f.name, Namespace: f.namespace, Function: f.name}, Memory: 100 * wattle.MiB, HasMemory: true})}
			if i < 10 || i%60 < 8 {
				continue // a rest now and then
			}
			run, j := f.second(source)
			joules += j
			batch.Runs = append(batch.Runs, run)
		}
		if len(args) > 1 {
			joules += 8
			batch.Runs = append(batch.Runs, record.Run{Namespace: "shop", Function: "poll", Count: 4, Seconds: 0.8})
		}
		register = (register + uint64(joules*(1+0.01*source.NormFloat64())*1e6)) % 262143328851
		e.Meters[0].Readings = []telemetry.Reading{{At: at, Energy: register, HasEnergy: true}}
		if i > 0 {
			e.Invocations = []record.Batch{batch}
		}
		ts.Check(w.Write(&e))
		at = at.Add(time.Second)
	}
	ts.Check(w.Close())
}

// profileServer is the script command "profileserver FILE": an agent that serves
// the profiles of the file, one that has learned nothing yet, and a page of
// something else.
func profileServer(ts *testscript.TestScript, _ bool, args []string) {
	file := ts.ReadFile(args[0])
	mux := http.NewServeMux()
	mux.HandleFunc("/v1/profiles", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, file)
	})
	mux.HandleFunc("/early/v1/profiles", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "nothing is learned yet", http.StatusServiceUnavailable)
	})
	mux.HandleFunc("/cut/v1/profiles", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, file[:len(file)/2])
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") })
	srv := httptest.NewServer(mux)
	ts.Defer(srv.Close)
	ts.Setenv("AGENT", srv.URL)
}

func usageOf(u *record.UsageRound) []record.Usage {
	if u == nil {
		return nil
	}
	return u.Of
}

// second draws what f did in a second, and its joules.
func (f *truth) second(r *rand.Rand) (record.Run, float64) {
	n := 0.0
	for p := r.Float64(); p > math.Exp(-f.rate); p *= r.Float64() {
		n++ // Poisson (Knuth)
	}
	cold := 0.0
	if n > 0 && r.Float64() < 0.3 {
		cold = 1
	}
	run := record.Run{Namespace: f.namespace, Function: f.name, Count: n, Seconds: n * f.seconds, Cold: cold, ColdSeconds: cold * f.startSeconds}
	return run, float64(run.Seconds*f.watts) + float64(run.ColdSeconds*f.startWatt)
}

// checkTruth is the script command "checktruth FILE": the profiles must come to
// the recorded machine's figures.
func checkTruth(ts *testscript.TestScript, _ bool, args []string) {
	d := readProfiles(ts, args[0])
	for _, f := range truths() {
		i := indexOfFunction(ts, d, f.id())
		warm, cold := d.Functions[i].Warm, d.Functions[i].Cold
		want := f.seconds * f.watts
		near(ts, f.id()+" warm J", warm.Joules.Value, want, 0.05)
		near(ts, f.id()+" cold J", cold.Joules.Value, want+f.startSeconds*f.startWatt, 0.05)
		near(ts, f.id()+" warm s", warm.Seconds, f.seconds, 0.001)
		near(ts, f.id()+" cold s", cold.Seconds, f.seconds+f.startSeconds, 0.001)
		if d.Functions[i].Memory != 100<<20 {
			ts.Fatalf("%s: memory %d", f.id(), d.Functions[i].Memory)
		}
	}
	near(ts, "idle W", d.IdleWatts, 40, 0.02)
}

// checkEnergy is the script command "checkenergy RUN PROFILES ID N": the joules
// of the run must be those of N warm invocations and its cold starts.
func checkEnergy(ts *testscript.TestScript, _ bool, args []string) {
	var run savedRun
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &run))
	d := readProfiles(ts, args[1])
	f := d.Functions[indexOfFunction(ts, d, args[2])]
	n, err := strconv.ParseFloat(args[3], 64)
	ts.Check(err)
	p := run.Report.Policies[0]
	cold := float64(p.ColdStarts)
	if cold < 1 || p.Invocations != int64(n) {
		ts.Fatalf("%d invocations with %g cold starts", p.Invocations, cold)
	}
	near(ts, "execution J", p.Energy.ExecutionJ, n*f.Warm.Joules.Value, 1e-6)
	near(ts, "start-up J", p.Energy.StartupJ, cold*(f.Cold.Joules.Value-f.Warm.Joules.Value), 1e-6)
}

func readProfiles(ts *testscript.TestScript, name string) *profile.Document {
	f, err := os.Open(filepath.Clean(ts.MkAbs(name)))
	ts.Check(err)
	defer f.Close()
	d, err := profile.Read(f, name)
	ts.Check(err)
	return d
}

func indexOfFunction(ts *testscript.TestScript, d *profile.Document, id string) int {
	for i := range d.Functions {
		if string(d.Functions[i].Function) == id {
			return i
		}
	}
	ts.Fatalf("no profile of %s", id)
	return -1
}

func near(ts *testscript.TestScript, what string, got, want, tolerance float64) {
	if !(math.Abs(got-want) <= tolerance*want) {
		ts.Fatalf("%s", fmt.Sprintf("%s: %g, want %g within %g %%", what, got, want, 100*tolerance))
	}
}
