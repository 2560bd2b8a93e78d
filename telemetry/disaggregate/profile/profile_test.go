package profile

import (
	"bytes"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/telemetry/disaggregate"
)

func begun() time.Time { return time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC) }

// learn runs a machine on which a draws 10 W and b 30 W while busy, cold starts
// of a 20 W, without noise.
func learn(t testing.TB) *Document {
	t.Helper()
	f, err := disaggregate.New(disaggregate.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	c := NewCollector()
	c.Holds("b", wattle.GiB)
	c.Reserves("b", 500, 256*wattle.MiB)
	c.Holds("b", 2*wattle.GiB)
	c.Holds("a", 32*wattle.MiB)
	for i := range 300 {
		a := disaggregate.Split("a", float64(1+i%5), 0.1*float64(1+i%5), float64(i%2), 0.3*float64(i%2), 0)
		b := disaggregate.Split("b", float64(i%3), 0.2*float64(i%3), 0, 0, 0)
		s := disaggregate.Step{
			From: begun().Add(time.Duration(i) * time.Second), To: begun().Add(time.Duration(i+1) * time.Second),
			Unknown: i%10 == 9, Idle: 40, Dynamic: wattle.Joules(10*a.WarmBusy + 20*a.ColdBusy + 30*b.WarmBusy), Runs: []disaggregate.Run{a, b},
		}
		if s.Unknown {
			s.Idle, s.Dynamic = 1, 0 // what was told of it
		}
		if err := f.Update(&s); err != nil {
			t.Fatal(err)
		}
		c.Add(&s)
	}
	return c.Document(f, About{Node: "n1", Hardware: "skylake", Program: "test", Sources: []string{"rapl", "nvml", "rapl"}})
}

func TestCollectorMakesProfiles(t *testing.T) {
	d := learn(t)
	if err := d.Validate(); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(d.Sources, []string{"nvml", "rapl"}) || d.Modelled() || d.IdleWatts != 40 || d.To.Sub(d.From) != 5*time.Minute || len(d.Functions) != 2 {
		t.Fatalf("%+v", d)
	}
	a, b := d.Functions[0], d.Functions[1]
	near := func(got, want float64) bool { return math.Abs(got-want) < 0.02*want }
	if a.Warm.Invocations != 750 || a.Cold.Invocations != 150 || !near(a.Warm.Seconds, 0.1) || !near(a.Cold.Seconds, 0.4) {
		t.Errorf("counts %+v %+v", a.Warm, a.Cold)
	}
	if !near(a.Warm.Joules.Value, 1) || !near(a.Cold.Joules.Value, 8) || !near(b.Warm.Joules.Value, 6) || b.Cold != nil {
		t.Errorf("joules %+v %+v %+v", a.Warm, a.Cold, b.Warm)
	}
	if b.CPU != 500 || b.Memory != 256<<20 || a.Memory != 32<<20 {
		t.Errorf("reservations %+v %+v", a, b)
	}
}

// TestLoadsThatNeverPause: a function that runs at rest too is named, one that
// pauses for as long as rest is learned over, or comes later, is not.
func TestLoadsThatNeverPause(t *testing.T) {
	var l loads
	for i := range 300 {
		s := disaggregate.Step{From: begun().Add(time.Duration(i) * time.Second), To: begun().Add(time.Duration(i+1) * time.Second)}
		s.Runs = append(s.Runs, disaggregate.Run{Function: "always", WarmBusy: 0.5 + 0.5*float64(i%2), ColdBusy: 0.1})
		if i%60 < 40 {
			s.Runs = append(s.Runs, disaggregate.Run{Function: "pauses", WarmBusy: 1})
		}
		if i >= 60 {
			s.Runs = append(s.Runs, disaggregate.Run{Function: "later", WarmBusy: 1})
		}
		s.Runs = append(s.Runs, disaggregate.Run{Function: "still"})
		bursts := disaggregate.Run{Function: "bursts", WarmBusy: 0.05} // nearly rests
		if i%20 < 10 {
			bursts.WarmBusy = 1
		}
		s.Runs = append(s.Runs, bursts)
		l.add(&s)
	}
	if got := strings.Join(l.remarks(), "\n"); !strings.HasPrefix(got, "always: never keeps fewer than 0.8 processors busy, on average 0.85;") || strings.Contains(got, "\n") {
		t.Errorf("got %q", got)
	}
}

func TestRoundTrip(t *testing.T) {
	d := learn(t)
	var first bytes.Buffer
	if err := d.Write(&first); err != nil {
		t.Fatal(err)
	}
	back, err := Read(bytes.NewReader(first.Bytes()), "p.json")
	if err != nil || !reflect.DeepEqual(d, back) {
		t.Fatalf("read %+v, %v", back, err)
	}
}

func TestReadIsStrict(t *testing.T) {
	var b bytes.Buffer
	if err := learn(t).Write(&b); err != nil {
		t.Fatal(err)
	}
	good := b.String()
	for _, c := range []struct{ old, new, want string }{
		{good, "", "p.json: empty"},
		{`"node"`, `"nod"`, `p.json:3:3: json: unknown field "nod"`},
		{`"meter_noise"`, `"meter_noise": 3 x`, "p.json:12:"},
		{`"idle_watts": 40`, `"idle_watts": "40"`, "p.json:13:"},
		{`"wattle_profiles": 1`, `"wattle_profiles": 2`, "version 2"},
		{`"function": "b"`, `"function": "a"`, `function "a" is there twice`},
		{`"invocations": 150`, `"invocations": -150`, `function "a": cold: want`},
		{"\n}\n", "\n}{}\n", "text after the object"},
		{`"to": "2026`, `"to": "2025`, "the window is empty"},
	} {
		text := strings.Replace(good, c.old, c.new, 1)
		if text == good {
			t.Fatalf("%q is not in the file", c.old)
		}
		if _, err := Read(strings.NewReader(text), "p.json"); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %s", c.new, err, c.want)
		}
	}
}

func FuzzRead(f *testing.F) {
	var b bytes.Buffer
	if err := learn(f).Write(&b); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, text []byte) {
		d, err := Read(bytes.NewReader(text), "p")
		if err != nil {
			return
		}
		var out bytes.Buffer
		if err := d.Write(&out); err != nil {
			t.Fatal(err)
		}
		if again, err := Read(&out, "p"); err != nil || !reflect.DeepEqual(d.Functions, again.Functions) {
			t.Fatalf("%+v became %+v, %v", d, again, err)
		}
	})
}
