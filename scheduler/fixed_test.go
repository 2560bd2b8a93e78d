package scheduler

import (
	"testing"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/scheduler/state"
)

// Instances that are evicted under pressure are not told of; what is remembered
// of them goes with their slot.
func TestFixedForgetsInstancesThatAreGone(t *testing.T) {
	k, start := &Fixed{T: time.Minute, Once: true}, time.Unix(1_000_000, 0)
	for generation := range 1000 {
		id := wattle.InstanceID(generation+1)<<32 | 3
		begun := start.Add(time.Duration(generation) * time.Second)
		for _, after := range []time.Duration{0, 20 * time.Second} {
			a := k.Step(begun.Add(after), nil, wattle.Event{Kind: wattle.Finished, Instance: id}, nil)
			if len(a) != 1 || a[0].Kind != wattle.Keep || !a[0].At.Equal(begun.Add(time.Minute)) {
				t.Fatalf("generation %d after %s: %+v", generation, after, a)
			}
		}
	}
	if n := len(k.ends); n > 1+int(state.Slot(3)) {
		t.Errorf("%d instances are remembered, one slot is in use", n)
	}
}
