package minute

import (
	"testing"

	"github.com/wattle-project/wattle/scheduler/lifecycle"
	"github.com/wattle-project/wattle/simulator/bound"
)

// BenchmarkDay replays EcoLife's day under each policy, reading included.
func BenchmarkDay(b *testing.B) {
	cfg := day(b, "US-CAL-CISO", "i3", "m5zn")
	cfg.Retain, cfg.ChargeStarts = true, true
	r := replay(b, cfg)
	for _, name := range lifecycle.Names() {
		b.Run(name, func(b *testing.B) {
			decisions := int64(0)
			for b.Loop() {
				x, err := r.Run(traces(b, dayMinutes), keeper(b, name, nil))
				if err != nil {
					b.Fatal(err)
				}
				decisions += x.Decisions
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(decisions), "ns/decision")
		})
	}
}

// BenchmarkTwelveDays replays the whole trace.
func BenchmarkTwelveDays(b *testing.B) {
	cfg := day(b, "US-CAL-CISO", "i3", "m5zn")
	cfg.Retain, cfg.ChargeStarts, cfg.Minutes = true, true, 17_280-cfg.Start
	r := replay(b, cfg)
	for _, name := range []string{"fixed", "ecolife-pso", "expected", "forecast", "expected-prewarm"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := r.Run(traces(b, 0), keeper(b, name, nil)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkBound computes the clairvoyant bound of the day.
func BenchmarkBound(b *testing.B) {
	r := replay(b, day(b, "US-CAL-CISO", "i3", "m5zn"))
	for b.Loop() {
		if _, err := r.Bound(traces(b, dayMinutes), bound.Space{Rate: 0.005, Retain: true}); err != nil {
			b.Fatal(err)
		}
	}
}
