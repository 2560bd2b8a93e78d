package host

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wattle-project/wattle/plugins/proto"
	"pgregory.net/rapid"
)

// fake is a process whose answers the test scripts.
type fake struct {
	mu           sync.Mutex
	dead, killed bool
	err          error
	stamp        int64 // negative: hangs
	calls        int
}

// set changes the script while Run is looking.
func (f *fake) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

func (f *fake) wasKilled() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.killed
}

func (f *fake) capabilities() proto.Capabilities { return proto.Capabilities{Name: "fake"} }
func (f *fake) pid() int                         { return 42 }
func (f *fake) kill()                            { f.set(func() { f.killed = true }) }

func (f *fake) alive() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return !f.dead
}

func (f *fake) read(ctx context.Context, known uint64) (*answer, error) {
	f.calls++
	if f.err != nil {
		return nil, f.err
	}
	if f.stamp < 0 {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	a := &answer{revision: 7, uses: []proto.Use{{Zone: "z", Share: 1}}}
	if known != 7 {
		a.zones = []proto.Zone{{Key: "z"}}
	}
	r := proto.Reading{At: time.Now(), Energy: uint64(f.calls), HasEnergy: true}
	a.readings = []proto.Stamped{{Reading: r, Stamp: f.stamp}}
	return a, nil
}

func testConfig() Config {
	c := DefaultConfig("/bin/plugin")
	c.Unverified = true
	return c
}

// start runs m with launches that take processes from procs in order; nil is a
// launch that fails.
func start(t *testing.T, c Config, procs ...*fake) (m *Meter, launches *atomic.Int64, stop func()) {
	t.Helper()
	m, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	launches = new(atomic.Int64)
	m.launch = func(context.Context) (session, error) {
		n := int(launches.Add(1))
		if n > len(procs) || procs[n-1] == nil {
			return nil, errors.New("does not start")
		}
		return procs[n-1], nil
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- m.Run(ctx) }()
	synctest.Wait()
	return m, launches, func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run = %v", err)
		}
		if s := m.Status(); s.State != Stopped {
			t.Errorf("state after Run: %v", s.State)
		}
	}
}

func TestDeadProcessIsReplacedAndReadingsStandIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := &fake{stamp: 1}, &fake{stamp: 2}
		m, launches, stop := start(t, testConfig(), a, nil, b)
		defer stop()
		first, err := m.Read(t.Context(), nil)
		if err != nil || len(first) != 1 || first[0].Energy != 1 || m.Name() != "fake" || m.Status().PID != 42 {
			t.Fatalf("first Read = %+v, %v", first, err)
		}
		a.set(func() { a.dead, a.err = true, errors.New("connection refused") })
		time.Sleep(100 * time.Millisecond)
		again, err := m.Read(t.Context(), nil)
		if err != nil || again[0] != first[0] || m.Uses() != nil {
			t.Fatalf("after the death: %+v, %v; want the last reading at its old time, without uses", again, err)
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if launches.Load() != 3 || !a.wasKilled() || m.Status().State != Serving || m.Status().Failures != 2 || m.Status().Starts != 2 {
			t.Fatalf("launches %d, killed %v, status %+v", launches.Load(), a.wasKilled(), m.Status())
		}
		if rs, err := m.Read(t.Context(), nil); err != nil || !rs[0].At.After(first[0].At) {
			t.Errorf("from the new process: %+v, %v", rs, err)
		}
	})
}

func TestReadingsGrowTooOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &fake{stamp: 1}
		m, _, stop := start(t, testConfig(), a)
		defer stop()
		if _, err := m.Read(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		a.set(func() { a.dead = true })
		time.Sleep(31 * time.Second)
		if rs, err := m.Read(t.Context(), nil); !errors.Is(err, ErrNotServing) || len(rs) != 0 || !strings.Contains(err.Error(), "does not start") {
			t.Errorf("after MaxAge: %+v, %v", rs, err)
		}
	})
}

func TestHangingProcessIsKilled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := &fake{stamp: -1}, &fake{stamp: 1}
		m, _, stop := start(t, testConfig(), a, b)
		defer stop()
		began := time.Now()
		if _, err := m.Read(t.Context(), nil); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != m.cfg.ReadTimeout {
			t.Errorf("Read = %v after %v", err, time.Since(began))
		}
		synctest.Wait()
		if !a.wasKilled() {
			t.Error("the hanging process lives")
		}
		time.Sleep(time.Second)
		if _, err := m.Read(t.Context(), nil); err != nil {
			t.Errorf("second process: %v", err)
		}
	})
}

func TestSickMeterAndImpatientCallerDoNotCostTheProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &fake{err: meterError("no GPU")}
		m, launches, stop := start(t, testConfig(), a)
		defer stop()
		if _, err := m.Read(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "no GPU") {
			t.Errorf("sick meter: %v", err)
		}
		a.err, a.stamp = nil, -1
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, err := m.Read(ctx, nil); err == nil {
			t.Error("impatient caller: no error")
		}
		time.Sleep(3 * time.Second)
		if a.wasKilled() || launches.Load() != 1 {
			t.Errorf("killed %v, launches %d", a.wasKilled(), launches.Load())
		}
	})
}

func TestRepeatedObservationKeepsItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &fake{stamp: 5}
		m, _, stop := start(t, testConfig(), a)
		defer stop()
		first, _ := m.Read(t.Context(), nil)
		time.Sleep(3 * time.Second)
		second, _ := m.Read(t.Context(), nil)
		a.stamp = 6
		third, err := m.Read(t.Context(), nil)
		if err != nil || !second[0].At.Equal(first[0].At) || !third[0].At.After(first[0].At) {
			t.Errorf("times %v %v %v, %v", first[0].At, second[0].At, third[0].At, err)
		}
	})
}

func TestBreakerOpensAfterFailuresInARow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := testConfig()
		var states []State
		c.Notify = func(s Status) { states = append(states, s.State) }
		m, launches, stop := start(t, c)
		time.Sleep(4 * time.Minute)
		if s := m.Status(); s.State != Open || int(launches.Load()) != c.Restart.BreakAfter+1 || !s.Next.After(time.Now()) {
			t.Errorf("status %+v after %d launches", s, launches.Load())
		}
		time.Sleep(15 * time.Minute)
		if int(launches.Load()) <= c.Restart.BreakAfter+1 {
			t.Error("an open breaker never tries again")
		}
		stop()
		if states[0] != Starting || states[len(states)-1] != Stopped {
			t.Errorf("states told: %v", states)
		}
	})
}

func TestPacer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := DefaultConfig("/x").Restart
		r.Seed = rapid.Uint64().Draw(t, "seed")
		p := newPacer(r)
		ideal := r.Base
		for i := range 12 {
			wait, open := p.ended(0)
			if open != (i >= r.BreakAfter) {
				t.Fatalf("failure %d: open %v", i, open)
			}
			want := min(ideal, r.Max)
			if open {
				want = r.OpenFor
			}
			if wait < want/2 || wait > want*3/2+1 {
				t.Fatalf("failure %d: wait %v, want %v ± 50 %%", i, wait, want)
			}
			ideal *= 2
		}
		if wait, open := p.ended(r.Healthy); open || wait > r.Base*3/2+1 {
			t.Fatalf("after a healthy run: %v, open %v", wait, open)
		}
	})
}

func TestConfigValidate(t *testing.T) {
	good := testConfig()
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*Config){
		"relative path":   func(c *Config) { c.Path = "plugin" },
		"no checksum":     func(c *Config) { c.Unverified = false },
		"short checksum":  func(c *Config) { c.Checksum = "abcd" },
		"no hexadecimal":  func(c *Config) { c.Checksum = strings.Repeat("z", 64) },
		"no timeout":      func(c *Config) { c.ReadTimeout = 0 },
		"environment":     func(c *Config) { c.Env = []string{"PATH"} },
		"restart":         func(c *Config) { c.Restart.Base = 0 },
		"long socket dir": func(c *Config) { c.SocketDir = "/" + strings.Repeat("x", 80) },
	} {
		c := good
		if spoil(&c); c.Validate() == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
