package record

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/telemetry"
	"github.com/wattle-project/wattle/telemetry/fake"
)

func begun() time.Time { return time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC) }

const script = `
zone package-0 range=2000J bound=400W
at 0s 40W
at 5s 120W
ramp 20s 60W
repeat 30s
reset 13s
stuck 21s 3s
error 33s 2s
zone package-0/dram
at 0s 5W
unplug 25s 4s
zone gpu-0 power
at 0s 70W
at 12s 250W
`

// load is a node whose clock is stepped by hand.
type load struct {
	now  time.Time
	fake *fake.Meter
}

func newLoad(t testing.TB) *load {
	t.Helper()
	l := &load{now: begun()}
	m, err := fake.NewFromText(script, func() time.Time { return l.now })
	if err != nil {
		t.Fatal(err)
	}
	l.fake = m
	return l
}

func header(c telemetry.Chain) Header {
	return Header{Node: "n1", Interval: time.Second, Program: "test", CPU: 8000, Memory: 32 * wattle.GiB, Meters: Infos(c),
		Settings: map[string]string{"idle": "equal"}}
}

// usages are the cgroups of step i: the second leaves at step 20.
func usages(i int) []Usage {
	u := []Usage{
		{ID: 1, Identity: Identity{Key: "/a", Function: "resize", Namespace: "shop"}, CPU: time.Duration(i) * 300 * time.Millisecond, Memory: 5 * wattle.MiB, HasMemory: true},
		{ID: 3, Identity: Identity{Remainder: true}, CPU: time.Duration(i) * time.Millisecond, Err: errors.New("cgroup /: gone")},
	}
	if i <= 20 {
		u = append(u, Usage{ID: 2, Identity: Identity{Key: "/b", Container: "0123", Runtime: "cri-o", PodUID: "u"}, CPU: time.Duration(i) * 100 * time.Millisecond, Gone: i == 20})
	}
	return u
}

func signal(i int) wattle.Signal {
	from := begun().Add(time.Duration(i/15) * 15 * time.Second)
	return wattle.Signal{Zone: "DE", Intensity: wattle.GramsPerKWh(300 + i/15), Quality: wattle.Forecast, From: from, To: from.Add(15 * time.Second), FetchedAt: begun(), Provider: "csv"}
}

// beside is how feeds and the kubelet fare: fetches grow now and then.
func beside(i int) ([]Fetch, []Collector) {
	return []Fetch{{Feed: "carbon", Provider: "csv", Outcome: "ok", Count: int64(1 + i/10)}}, []Collector{{Name: "kubelet", Up: i/20%2 == 0}}
}

// reserved is what an instance of resize reserves, which is changed in place.
func reserved(i int) wattle.MilliCPU { return wattle.MilliCPU(500 + i/30*250) }

// batch is what ended before step i.
func batch(i int) Batch {
	to := begun().Add(time.Duration(i) * time.Second)
	return Batch{From: to.Add(-time.Second), To: to, ControlPlane: 0.05, Failed: i % 3, Late: i%4 == 1,
		Runs: []Run{{Namespace: "shop", Function: "resize", Count: 3, Seconds: 1.0 / 3, Cold: 1, ColdSeconds: 0.1, Untold: float64(i % 2)}}}
}

// recordTo runs 60 steps of the load through a Node and a Recorder.
func recordTo(t testing.TB, w io.Writer, name string) (samples string) {
	t.Helper()
	l := newLoad(t)
	chain := telemetry.Chain{Meters: []telemetry.Meter{l.fake}}
	out, err := NewWriter(w, name, header(chain))
	if err != nil {
		t.Fatal(err)
	}
	rec := NewRecorder(out)
	node, err := telemetry.NewNode(rec.Chain(chain), telemetry.DefaultNodeConfig("n1"))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for i := range 60 {
		l.now = begun().Add(time.Duration(i)*time.Second + time.Duration(i%7)*time.Millisecond)
		printSamples(&b, node)
		rec.Usage(usages(i), nil)
		rec.Owner(Owner{ID: 1, Namespace: "shop", Function: "resize", CPU: reserved(i)})
		uses := []GPUUse{{ID: 1, Device: "gpu-0", Activity: 0.1 * float64(i%10), Slices: 1, OfSlices: 7}}
		rec.GPU(uses)
		uses[0].OfSlices = 1 // the caller's own again
		rec.Signal(signal(i))
		rec.Signal(wattle.Signal{Zone: "FR", From: begun(), To: begun().Add(time.Hour)}) // 0 g/kWh cannot be
		rec.Price(Price{Zone: "DE", PerMWh: -3.5, Currency: "EUR", From: begun(), To: begun().Add(time.Hour)})
		rec.Beside(beside(i))
		if i <= 20 {
			rec.Owner(Owner{ID: 2, Namespace: "shop", Pod: "brief", Function: "resize"})
		}
		if i > 0 {
			b := batch(i)
			rec.Invocations(b)
			b.Runs[0].Count = 99
		}
		if err := rec.End(l.now); err != nil {
			t.Fatal(err)
		}
	}
	if err := rec.Close(); err != nil {
		t.Fatal(err)
	}
	if len(rec.owners) != 1 || len(out.known) != 2 {
		t.Errorf("%d owners and %d cgroups are held for ever, want those that are there", len(rec.owners), len(out.known))
	}
	return b.String()
}

func printSamples(b *strings.Builder, node *telemetry.Node) {
	err := node.Collect(context.Background(), func(s []wattle.Sample) {
		for _, x := range s {
			fmt.Fprintf(b, "%s %s %s %d %v\n", x.Device, x.From.Format(time.RFC3339Nano), x.To.Format(time.RFC3339Nano), x.Energy, x.Unknown)
		}
	})
	fmt.Fprintln(b, "err", err)
	for _, z := range node.Zones() {
		fmt.Fprintln(b, z.Meter, z.Zone, z.Total, z.Power, z.Stats, z.Present, z.Err)
	}
}

// TestReplayDrivesTheSamePipeline: a Node over the recording comes to the very
// samples, totals, resets and errors of the node that was recorded, twice.
func TestReplayDrivesTheSamePipeline(t *testing.T) {
	for _, name := range []string{"r.jsonl", "r.jsonl.zst", "r.jsonl.gz"} {
		var file bytes.Buffer
		live := recordTo(t, &file, name)
		if !strings.Contains(live, "true") || !strings.Contains(live, "scripted error") {
			t.Fatalf("the load lacks a reset or an error:\n%s", live)
		}
		for range 2 {
			if got := replay(t, file.Bytes(), name); got != live {
				t.Fatalf("%s: replay differs from live:\n%s\nlive:\n%s", name, got, live)
			}
		}
	}
}

func replay(t testing.TB, text []byte, name string) string {
	t.Helper()
	r, err := NewReader(bytes.NewReader(text), name)
	if err != nil {
		t.Fatal(err)
	}
	p := NewPlayer(r)
	node, err := telemetry.NewNode(p.Chain(), telemetry.DefaultNodeConfig(p.Header().Node))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for i := 0; ; i++ {
		if _, err := p.Next(); errors.Is(err, io.EOF) {
			if i != 60 || p.Truncated() != "" {
				t.Fatalf("%d epochs, truncated %q", i, p.Truncated())
			}
			if len(r.known) != 2 {
				t.Errorf("%d cgroups are held for ever, want those that are there", len(r.known))
			}
			return b.String()
		} else if err != nil {
			t.Fatal(err)
		}
		printSamples(&b, node)
		checkSources(t, p, i)
	}
}

func checkSources(t testing.TB, p *Player, i int) {
	t.Helper()
	got, read, err := p.Usage(nil)
	want := usages(i)
	if err != nil || !read || len(got) != len(want) {
		t.Fatalf("step %d: %d cgroups, %v", i, len(got), err)
	}
	for k := range got {
		if (got[k].Err == nil) != (want[k].Err == nil) {
			t.Fatalf("step %d: error %v", i, got[k].Err)
		}
		got[k].Err, want[k].Err = nil, nil
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("step %d: got %+v, want %+v", i, got, want)
	}
	if s, ok := p.Signal("DE", wattle.Average, wattle.Lifecycle); !ok || s != signal(i) {
		t.Fatalf("step %d: signal %+v, want %+v", i, s, signal(i))
	}
	if o, ok := p.Owner(1); !ok || o.Function != "resize" || o.CPU != reserved(i) {
		t.Fatalf("step %d: owner %+v", i, o)
	}
	if o, ok := p.Owner(2); ok != (i <= 20) || ok && o.Pod != "brief" {
		t.Fatalf("step %d: owner of the cgroup that leaves at 20: %+v, %v", i, o, ok)
	}
	if q, ok := p.Price("DE"); !ok || q.PerMWh != -3.5 {
		t.Fatalf("step %d: price %+v", i, q)
	}
	if b := p.Invocations(); i > 0 && !reflect.DeepEqual(b, []Batch{batch(i)}) {
		t.Fatalf("step %d: %+v, want %+v", i, b, batch(i))
	}
	if g := p.GPU(); len(g) != 1 || g[0].OfSlices != 7 {
		t.Fatalf("step %d: %+v", i, g)
	}
	if f, c := beside(i); !slices.Equal(p.Fetches(), f) || !slices.Equal(p.Collectors(), c) {
		t.Fatalf("step %d: %+v %+v, want %+v %+v", i, p.Fetches(), p.Collectors(), f, c)
	}
	if news := len(p.News()); news != 0 != (i%15 == 0) {
		t.Fatalf("step %d: %d signals are news", i, news)
	}
}

// TestCutAnywhere: whatever is left of a recording after a crash is read up to
// the last whole line, and what is lost is said.
func TestCutAnywhere(t *testing.T) {
	for _, name := range []string{"r.jsonl", "r.jsonl.zst", "r.jsonl.gz"} {
		var file bytes.Buffer
		recordTo(t, &file, name)
		whole := file.Bytes()
		last := -1
		for cut := 1; cut < len(whole); cut += 1 + len(whole)/257 {
			n, truncated, err := count(whole[:cut], name)
			if err != nil {
				if last >= 0 { // a header was readable before
					t.Fatalf("%s cut at %d: %v", name, cut, err)
				}
				continue
			}
			if n < last {
				t.Fatalf("%s cut at %d: %d epochs, a shorter rest gave %d", name, cut, n, last)
			}
			last = n
			atLine := name == "r.jsonl" && (whole[cut-1] == '\n' || whole[cut] == '\n')
			if !truncated && !atLine {
				t.Fatalf("%s cut at %d: not said to be cut off", name, cut)
			}
		}
		if last < 55 {
			t.Fatalf("%s: only %d epochs came out", name, last)
		}
	}
}

func count(text []byte, name string) (n int, truncated bool, err error) {
	r, err := NewReader(bytes.NewReader(text), name)
	if err != nil {
		return 0, false, err
	}
	defer r.Close()
	for {
		if _, err := r.Next(); errors.Is(err, io.EOF) {
			return n, r.Truncated() != "", nil
		} else if err != nil {
			return n, false, err
		}
		n++
	}
}

const head = `{"wattle_recording":1,"node":"n1","begun":"2026-03-01T08:00:00Z","interval":"1s","meters":[{"name":"rapl"}]}` + "\n"

func TestReaderIsStrict(t *testing.T) {
	zone := `"zones":[{"key":"package-0","component":"package","socket":0}]`
	for text, want := range map[string]string{
		"":               "r:1: empty, not a recording",
		"hello\n":        "r:1: not a recording",
		`{"a":1}` + "\n": "r:1: not a recording",
		`{"wattle_recording":2,"node":"n1"}` + "\n":                                                               "version 2, this program reads version 1",
		strings.Replace(head, "node", "nod", 1):                                                                   `unknown field "nod"`,
		strings.Replace(head, `"1s"`, `"-1s"`, 1):                                                                 "interval",
		strings.Replace(head, `"n1"`, `""`, 1):                                                                    "no name",
		head + `{"at":1,"metres":[]}` + "\n":                                                                      `r:2: json: unknown field "metres"`,
		head + `{"at":1}` + "\n" + `{"at":0}` + "\n":                                                              "r:3: epoch at 0 ns follows one at 1 ns",
		head + `{"at":1}{}` + "\n":                                                                                "r:2: column 9: text after the object",
		head + "\n{\"at\":1}\n":                                                                                   "r:2: empty line",
		head + `{"at":"x"}` + "\n":                                                                                "r:2: column",
		head + `{"at":9223372036854775807}` + "\n":                                                                "not within a hundred years",
		head + `{"at":1,"meters":[{"meter":-1}]}` + "\n":                                                          "r:2: meter -1: the header names 1",
		head + `{"at":1,"meters":[{"meter":1}]}` + "\n":                                                           "r:2: meter 1: the header names 1",
		head + `{"at":1,"meters":[{"meter":0,"readings":[{"zone":0,"energy":1}]}]}` + "\n":                        "a reading is of zone 0, the meter has 0",
		head + `{"at":1,"meters":[{"meter":0,` + zone + `,"readings":[{"zone":-1,"energy":1}]}]}` + "\n":          "a reading is of zone -1, the meter has 1",
		strings.Replace(head, "2026", "1926", 1):                                                                  "want a year from 1970",
		head + `{"at":1,"meters":[{"meter":0,` + zone + `,"readings":[{"zone":0,"energy":-1}]}]}` + "\n":          "cannot unmarshal number -1",
		head + `{"at":1,"meters":[{"meter":0,` + zone + `,"readings":[{"zone":0,"energy":1,"power":1}]}]}` + "\n": "both energy and power",
		head + `{"at":1,"meters":[{"meter":0,"zones":[{"key":"x","component":"pakage","socket":0}]}]}` + "\n":     "pakage",
		head + `{"at":1,"usage":{"of":[{"id":4,"cpu":1}]}}` + "\n":                                                "cgroup 4 is not said to be who",
		head + `{"at":1,"usage":{"of":[{"id":4,"who":{"key":"/a"},"cpu":-1}]}}` + "\n":                            "negative processor time",
		head + `{"at":1,"gpu":[{"id":4,"device":"g","activity":2}]}` + "\n":                                       "activity 2",
		head + `{"at":1,"invocations":[{"from":0,"to":1,"runs":[{"function":"f","count":-1}]}]}` + "\n":           "invocations: ",
		head + `{"at":1,"invocations":[{"from":2,"to":1}]}` + "\n":                                                "invocations: ",
		head + `{"at":1,"signals":[{"zone":"DE","intensity":0,"kind":"average","scope":"direct","quality":"static","from":"2026-03-01T08:00:00Z","to":"2026-03-01T09:00:00Z"}]}` + "\n": "intensity 0",
		head + `{"at":1,"prices":[{"zone":"","per_mwh":1,"quality":"static","from":"2026-03-01T08:00:00Z","to":"2026-03-01T09:00:00Z"}]}` + "\n":                                        "a price of zone",
		head + `{"at":1,"fetches":[{"feed":"carbon","provider":"","outcome":"ok","count":1}]}` + "\n":                                                                                   "a name is missing",
		head + `{"at":1,"collectors":[{"name":"","up":true}]}` + "\n":                                                                                                                   "a collector has no name",
	} {
		_, _, err := count([]byte(text), "r")
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q:\n got %v\nwant %s", text, err, want)
		}
	}
}

// endless is one line.
type endless struct{ left int }

func (e *endless) Read(p []byte) (int, error) {
	n := min(len(p), e.left)
	for i := range p[:n] {
		p[i] = 'x'
	}
	if e.left -= n; n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

func TestLinesAreBounded(t *testing.T) {
	r, err := NewReader(io.MultiReader(strings.NewReader(head), &endless{maxLine + 1<<20}), "r")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Next(); err == nil || !strings.Contains(err.Error(), "r:2: line of more than") {
		t.Errorf("err = %.200v", err)
	}
}

// TestMeterThatWasNotRead: in an epoch without a round of a meter it is silent,
// and does not answer with the round before.
func TestMeterThatWasNotRead(t *testing.T) {
	text := head +
		`{"at":1,"meters":[{"meter":0,"zones":[{"key":"package-0","component":"package","socket":0}],"readings":[{"zone":0,"energy":5}]}]}` + "\n" + `{"at":2}` + "\n"
	r, err := NewReader(strings.NewReader(text), "r")
	if err != nil {
		t.Fatal(err)
	}
	p := NewPlayer(r)
	for i, want := range []int{1, 0} {
		if _, err := p.Next(); err != nil {
			t.Fatal(err)
		}
		got, err := p.Chain().Meters[0].Read(t.Context(), nil)
		if len(got) != want || (err == nil) != (want == 1) {
			t.Errorf("epoch %d: %d readings, %v", i, len(got), err)
		}
	}
}

func TestWriterRefuses(t *testing.T) {
	if _, err := NewWriter(io.Discard, "r", Header{Interval: time.Second}); err == nil {
		t.Error("a header without node was accepted")
	}
	w, err := NewWriter(io.Discard, "r", Header{Node: "n", Interval: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(&Epoch{At: begun()}); err != nil {
		t.Error(err)
	}
	if err := w.Write(&Epoch{At: begun().Add(-1)}); err == nil {
		t.Error("an epoch before the last was accepted")
	}
	if err := w.Write(&Epoch{At: begun(), Meters: []MeterRound{{Meter: 0}}}); err == nil {
		t.Error("a meter that the header lacks was accepted")
	}
}

// fullDisk takes a number of bytes.
type fullDisk struct {
	bytes.Buffer
	room int
}

func (d *fullDisk) Write(p []byte) (int, error) {
	if n := d.room - d.Len(); n < len(p) {
		_, _ = d.Buffer.Write(p[:max(n, 0)])
		return max(n, 0), errors.New("no space left")
	}
	return d.Buffer.Write(p)
}

// TestFullDiskLeavesAReadableRecording: nothing follows the line that is cut off,
// also if space is made later.
func TestFullDiskLeavesAReadableRecording(t *testing.T) {
	d := &fullDisk{room: 140}
	w, err := NewWriter(d, "r", Header{Node: "n", Interval: time.Second, Meters: []MeterInfo{}})
	if err != nil {
		t.Fatal(err)
	}
	failed := 0
	for i := range 10 {
		if w.Write(&Epoch{At: begun().Add(time.Duration(i) * time.Second)}) != nil {
			failed++
			d.room = 1 << 20
		}
	}
	n, truncated, err := count(d.Bytes(), "r")
	if err != nil || failed == 0 || n != 10-failed || !truncated {
		t.Errorf("%d epochs of %d, truncated %v, %v\n%s", n, 10-failed, truncated, err, d.Bytes())
	}
}

// TestPowerThatIsNoNumber is recorded as a failed reading, not as an unreadable line.
func TestPowerThatIsNoNumber(t *testing.T) {
	for _, power := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		noNumber(t, wattle.Watts(power))
	}
}

func noNumber(t *testing.T, power wattle.Watts) {
	t.Helper()
	var b bytes.Buffer
	w, err := NewWriter(&b, "r", Header{Node: "n", Interval: time.Second, Meters: []MeterInfo{{Name: "hwmon"}}})
	if err != nil {
		t.Fatal(err)
	}
	e := Epoch{At: begun(), Meters: []MeterRound{{Zones: []telemetry.Zone{{Key: "z"}}, Readings: []telemetry.Reading{{At: begun(), HasPower: true, Power: power}}}}}
	if err := errors.Join(w.Write(&e), w.Close()); err != nil {
		t.Fatal(err)
	}
	r, err := NewReader(&b, "r")
	if err != nil {
		t.Fatal(err)
	}
	if e, err := r.Next(); err != nil || e.Meters[0].Readings[0].Err == nil {
		t.Errorf("got %+v, %v", e, err)
	}
}

func TestFilesAreNotOverwritten(t *testing.T) {
	name := filepath.Join(t.TempDir(), "r.jsonl")
	w, err := Create(name, Header{Node: "n", Interval: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Write(&Epoch{At: begun()}), w.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := Create(name, Header{Node: "n", Interval: time.Second}); err == nil || !strings.Contains(err.Error(), "exists already") {
		t.Errorf("a second recording: %v", err)
	}
	r, err := Open(name)
	if err != nil {
		t.Fatal(err)
	}
	if e, err := r.Next(); err != nil || !e.At.Equal(begun()) {
		t.Errorf("%+v, %v", e, err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if _, err := Open(name + "x"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
}

// FuzzReader: no text breaks the reader, and what it accepts can be written
// again and read to the same.
func FuzzReader(f *testing.F) {
	var file bytes.Buffer
	recordTo(f, &file, "r")
	lines := bytes.SplitAfter(file.Bytes(), []byte("\n"))
	f.Add(bytes.Join(lines[:4], nil))
	f.Add([]byte(head + `{"at":1,"meters":[{"meter":0,"error":"x"}],"usage":{"error":"y"}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		first, h, ok := readAll(text)
		if !ok {
			return
		}
		var again bytes.Buffer
		w, err := NewWriter(&again, "r", h)
		if err != nil {
			t.Fatal(err)
		}
		for i := range first {
			if err := w.Write(&first[i]); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if len(first) == 0 {
			return
		}
		second, h2, ok := readAll(again.Bytes())
		if !ok || !reflect.DeepEqual(h, h2) || !reflect.DeepEqual(first, second) {
			t.Fatalf("written again:\n%+v\nread:\n%+v\n%s", second, first, again.Bytes())
		}
	})
}

func readAll(text []byte) (out []Epoch, h Header, ok bool) {
	r, err := NewReader(bytes.NewReader(text), "r")
	if err != nil {
		return nil, h, false
	}
	for {
		e, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out, r.Header(), true
		}
		if err != nil {
			return nil, h, false
		}
		out = append(out, *e)
	}
}

// BenchmarkEpoch writes one epoch of 200 cgroups and 4 zones.
func BenchmarkEpoch(b *testing.B) {
	for _, name := range []string{"plain", "r.zst"} {
		b.Run(name, func(b *testing.B) {
			var bytes counter
			w, err := NewWriter(&bytes, name, Header{Node: "n", Interval: time.Second, Meters: []MeterInfo{{Name: "rapl"}}})
			if err != nil {
				b.Fatal(err)
			}
			e := Epoch{At: begun(), Usage: &UsageRound{}}
			m := MeterRound{}
			for z := range 4 {
				m.Zones = append(m.Zones, telemetry.Zone{Key: fmt.Sprint("package-", z)})
				m.Readings = append(m.Readings, telemetry.Reading{Zone: z, HasEnergy: true})
			}
			e.Meters = []MeterRound{m}
			for i := range 200 {
				e.Usage.Of = append(e.Usage.Of, Usage{ID: uint64(i), Identity: Identity{Key: fmt.Sprintf("/kubepods/pod%d", i)}, HasMemory: true, Memory: 64 * wattle.MiB})
			}
			b.ReportAllocs()
			for b.Loop() {
				e.At = e.At.Add(time.Second)
				for i := range e.Usage.Of {
					e.Usage.Of[i].CPU += time.Duration(i*i) * time.Microsecond
				}
				for z := range m.Readings {
					m.Readings[z].At, m.Readings[z].Energy = e.At, m.Readings[z].Energy+uint64(40e6+z*12345)
				}
				if err := w.Write(&e); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(bytes)/float64(b.N), "bytes/epoch")
		})
	}
}

type counter int

func (c *counter) Write(p []byte) (int, error) { *c += counter(len(p)); return len(p), nil }
