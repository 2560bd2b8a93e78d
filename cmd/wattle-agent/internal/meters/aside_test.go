package meters

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/telemetry"
	"github.com/wattle-project/wattle/telemetry/gpu"
)

// cards is a driver with one board in two instances. It answers, fails or hangs.
type cards struct {
	err  error
	hang chan struct{} // nil: does not
}

func (c *cards) Boards(ctx context.Context, dst []gpu.Board) ([]gpu.Board, error) {
	if c.hang != nil {
		<-c.hang
	}
	return append(dst, gpu.Board{UUID: "GPU-1", At: time.Now(), Limit: 400, Power: 100, HasPower: true, Instances: []gpu.Instance{
		{Key: "MIG-a", Place: "GPU-1/gi-3", Slices: 1, OfSlices: 7}, {Key: "MIG-b", Place: "GPU-1/gi-5", Slices: 3, OfSlices: 7},
	}}), c.err
}

func (c *cards) Close() error { return nil }

func aside(t *testing.T, c *cards) *Aside {
	t.Helper()
	m, err := gpu.NewMeter("nvml", c, gpu.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	return NewAside(m, time.Second)
}

// TestAsidePassesOnWhoUsedABoard: users and instances come with the readings
// that they are of, and change with the next Read only.
func TestAsidePassesOnWhoUsedABoard(t *testing.T) {
	a := aside(t, &cards{})
	a.Poll(t.Context())
	if len(a.Uses()) != 0 || len(a.Zones()) != 0 {
		t.Error("a poll shows before it was read")
	}
	rs, err := a.Read(t.Context(), nil)
	if err != nil || len(rs) != 3 || rs[0].Power != 100 {
		t.Fatalf("%+v, %v", rs, err)
	}
	var zones []string
	for _, z := range a.Zones() {
		zones = append(zones, z.Key)
	}
	if !slices.Equal(zones, []string{"GPU-1", "MIG-a", "MIG-b"}) {
		t.Errorf("zones %v", zones)
	}
	if u := a.Uses(); len(u) != 2 || u[0].Instance != "MIG-a" || u[1].Share != 0.75 {
		t.Errorf("uses %+v", u)
	}
	if in := a.Instances(); len(in) != 2 || in[0].Place != "GPU-1/gi-3" || in[1].Slices != 3 {
		t.Errorf("instances %+v", in)
	}
}

// parts is a meter process, which is no gpu.Meter but knows instances too.
type parts struct{ telemetry.Meter }

func (parts) Uses() []gpu.Use           { return []gpu.Use{{Board: "GPU-1", Instance: "x", Share: 1}} }
func (parts) Instances() []gpu.Instance { return []gpu.Instance{{Key: "x", Slices: 2, OfSlices: 7}} }
func (parts) Zones() []telemetry.Zone   { return nil }
func (parts) Read(context.Context, []telemetry.Reading) ([]telemetry.Reading, error) {
	return []telemetry.Reading{{HasPower: true, Power: wattle.Watts(1)}}, nil
}

func TestAsidePassesOnTheInstancesOfAProcess(t *testing.T) {
	a := NewAside(parts{}, time.Second)
	a.Poll(t.Context())
	if _, err := a.Read(t.Context(), nil); err != nil || len(a.Uses()) != 1 || len(a.Instances()) != 1 || a.Instances()[0].Slices != 2 {
		t.Errorf("%+v, %+v, %v", a.Uses(), a.Instances(), err)
	}
}

// TestAsideNeverWaits: while the driver hangs its last readings are repeated,
// until they are old; then the reason is told. It counts on when it answers.
func TestAsideNeverWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		driver := &cards{}
		a := aside(t, driver)
		if _, err := a.Read(t.Context(), nil); err == nil {
			t.Error("it answers before it was asked")
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- a.Run(ctx) }()
		time.Sleep(1500 * time.Millisecond)
		synctest.Wait()
		first, err := a.Read(t.Context(), nil)
		if err != nil || len(first) != 3 {
			t.Fatalf("%+v, %v", first, err)
		}
		driver.hang = make(chan struct{})
		time.Sleep(19 * time.Second)
		begin := time.Now()
		rs, err := a.Read(t.Context(), nil)
		if err != nil || len(rs) != 3 || !rs[0].At.Equal(first[0].At) || time.Since(begin) != 0 {
			t.Errorf("while it hangs: %+v, %v after %s", rs, err, time.Since(begin))
		}
		time.Sleep(3 * time.Second)
		if _, err := a.Read(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "hangs") {
			t.Errorf("after long: %v", err)
		}
		close(driver.hang)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if rs, err := a.Read(t.Context(), nil); err != nil || !rs[0].At.After(first[0].At) {
			t.Errorf("it answers again: %+v, %v", rs, err)
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}
