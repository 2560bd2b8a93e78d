package lifecycle

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/scheduler/state"
)

// drawZone is a zone with a forecast, known or not.
func drawZone(t *rapid.T) *state.ZoneSignal {
	value := func(name string) wattle.GramsPerKWh {
		return wattle.GramsPerKWh(rapid.SampledFrom([]float64{0, 20, 100, 300, 700, 3000}).Draw(t, name))
	}
	z := &state.ZoneSignal{Period: time.Hour, Current: wattle.Signal{Intensity: value("now"), From: midnight(), To: midnight().Add(time.Hour)}}
	if rapid.Bool().Draw(t, "prior") {
		z.Current.Quality = wattle.Prior
	}
	for range rapid.IntRange(0, 30).Draw(t, "ahead") {
		z.Ahead = append(z.Ahead, value("value"))
	}
	return z
}

// Whatever is known, no policy lets work wait longer than its slack, a pause has
// something done before it, and work is at its end after finitely many stretches.
func TestShiftEndsWithinTheSlack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, err := NewShift(rapid.SampledFrom(DeferralNames()).Draw(t, "policy"), DefaultDeferralConfig())
		if err != nil {
			t.Fatal(err)
		}
		minutes := func(most int, name string) time.Duration {
			return time.Duration(rapid.IntRange(0, most).Draw(t, name)) * time.Minute
		}
		w := wattle.Task{Start: minutes(3, "start"), Exec: minutes(300, "exec"), Slack: minutes(1600, "slack"), Interruptible: rapid.Bool().Draw(t, "interruptible")}
		z, now := drawZone(t), midnight().Add(minutes(59, "now"))
		slack, exec := w.Slack, w.Exec
		for n := 0; ; n++ {
			if n > 2000 {
				t.Fatal("work never ends")
			}
			w.Holds = z.Current.To.Sub(now)
			st := s.First(now, z, &w)
			if st.Wait < 0 || st.Wait > w.Slack {
				t.Fatalf("waits %s of %s", st.Wait, w.Slack)
			}
			if st.Wait > 0 {
				now, w.Slack, w.Waited = now.Add(st.Wait), w.Slack-st.Wait, w.Waited+st.Wait
				z.Current.From = now.Truncate(time.Hour)
				z.Current.To = z.Current.From.Add(time.Hour)
				continue
			}
			if st.Run == 0 || st.Run >= w.Start+w.Exec {
				break
			}
			if st.Run <= 2*w.Start || !w.Interruptible {
				t.Fatalf("pauses after %s, with %s to start (%+v)", st.Run, w.Start, w)
			}
			now, w.Exec = now.Add(st.Run), w.Exec-(st.Run-w.Start)
		}
		if w.Waited > slack || w.Exec > exec {
			t.Fatalf("waited %s of %s", w.Waited, slack)
		}
	})
}
