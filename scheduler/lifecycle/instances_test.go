package lifecycle

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/scheduler/power"
	"github.com/wattle-project/wattle/scheduler/state"
)

// orderly holds every case of a series to its contract.
type orderly struct {
	t      *rapid.T
	ended  map[int32]time.Duration
	shared int
}

func (o *orderly) Decide(c *Case, dst []Span) []Span {
	if c.Arrived < o.ended[c.Series] || c.Now < c.Arrived {
		o.t.Fatalf("series %d: a use from %d to %d after one that ended at %d", c.Series, c.Arrived, c.Now, o.ended[c.Series])
	}
	if c.Arrived == o.ended[c.Series] {
		o.shared++
	}
	o.ended[c.Series] = c.Now
	return dst
}

// flat measures nothing.
type flat struct{}

func (flat) Estimate(time.Time, *state.Snapshot, *wattle.Function, int32, wattle.Sandbox) wattle.Estimate {
	return wattle.Estimate{}
}

// Uses of a series never overlap, whatever the order in which a function's
// instances begin and end, with more of them busy than there are series.
func TestUsesOfASeriesDoNotOverlap(t *testing.T) {
	fleet, err := state.NewFleet([]state.Cluster{{ID: "c", Zone: "Z", Region: "r", PUE: 1, Pools: []state.Pool{{Name: "p", Nodes: 1, Hardware: "h", Speed: 1, Machine: power.Machine{VCPU: 8, Memory: 16 * wattle.GiB}}}}})
	if err != nil {
		t.Fatal(err)
	}
	shared := 0
	rapid.Check(t, func(t *rapid.T) {
		o := &orderly{t: t, ended: map[int32]time.Duration{}}
		k := &Instances{keeper: o}
		k.Bind(flat{})
		s := &state.Snapshot{Fleet: fleet, Signals: state.NewSignals(make([]state.ZoneSignal, 1), time.Unix(0, 0))}
		f := &wattle.Function{}
		busy, now := []wattle.InstanceID(nil), int64(1)
		most := rapid.SampledFrom([]int{3, seriesLevels, 2 * seriesLevels}).Draw(t, "most")
		for range 10 * most {
			now += int64(rapid.IntRange(1, 100).Draw(t, "pause"))
			e := wattle.Event{Function: f}
			if n := len(busy); n > 0 && (n == most || rapid.IntRange(0, 2).Draw(t, "end") == 0) {
				i := rapid.IntRange(0, n-1).Draw(t, "which")
				e.Kind, e.Instance = wattle.Finished, busy[i]
				busy[i] = busy[n-1]
				busy = busy[:n-1]
			} else {
				e.Kind, e.Instance = wattle.Started, wattle.InstanceID(n)
				busy = append(busy, e.Instance)
			}
			k.Step(time.Unix(0, now), s, e, nil)
		}
		shared += o.shared
	})
	if shared == 0 {
		t.Error("no use was ever counted from the end of one that it overlapped")
	}
}
