package trace

import (
	"time"

	"github.com/wattle-project/wattle/simulator/workload/random"
)

// percentiles is a distribution of execution times as multiples of its mean:
// the 0th, 1st, 25th, 50th, 75th, 99th and 100th percentile.
type percentiles [7]float32

func levels() [7]float64 { return [7]float64{0, 0.01, 0.25, 0.5, 0.75, 0.99, 1} }

// at returns the quantile of u in (0, 1), linear between percentiles.
func (p *percentiles) at(u float64) float64 {
	grid := levels()
	i := 1
	for i < len(grid)-1 && u > grid[i] {
		i++
	}
	low, high := float64(p[i-1]), float64(p[i])
	return low + float64((high-low)*float64((u-grid[i-1])/(grid[i]-grid[i-1])))
}

// unit scales p so that its mean is 1, and reports whether that is possible.
func (p *percentiles) unit() bool {
	grid, mean := levels(), 0.0
	for i := 1; i < len(grid); i++ {
		mean += float64(float64(grid[i]-grid[i-1]) * float64(0.5*(float64(p[i-1])+float64(p[i]))))
	}
	if !(mean > 0) {
		return false
	}
	for i := range p {
		p[i] = float32(float64(p[i]) / mean)
	}
	return true
}

// spreads says how execution times scatter: measured percentiles where a
// function has them, else lognormal of its Sigma.
type spreads struct {
	sigma    []float32
	measured []percentiles // nil, or per function; a zero last entry means none
}

func newSpreads(functions []Function, measured []percentiles) spreads {
	s := spreads{sigma: make([]float32, len(functions)), measured: measured}
	for i, f := range functions {
		s.sigma[i] = float32(f.Sigma)
	}
	return s
}

// tiny stands for a time of 0, because a Scale of 0 has another meaning.
const tiny = 1e-9

// single is a Scale that is drawn: 24 bits of it are enough.
func single(scale float64) float64 { return max(tiny, float64(float32(scale))) }

// scale fills in the Scale of arrivals of f.
func (s *spreads) scale(a []Arrival, f int32, stream *random.Stream, t *random.Tables) {
	if s.measured != nil && s.measured[f][len(percentiles{})-1] > 0 {
		for i := range a {
			a[i].Scale = single(s.measured[f].at(stream.Float64()))
		}
		return
	}
	sigma := float64(s.sigma[f])
	if sigma == 0 {
		return
	}
	for i := range a {
		a[i].Scale = single(t.Lognormal(stream, sigma))
	}
}

// counted is the Emitter of a table of counts.
type counted struct {
	counts    *sparse
	cursors   []cursor
	streams   []random.Stream
	tables    *random.Tables
	spreads   *spreads
	placement Placement
	first     int32 // minute of counts at which time 0 lies
	epoch     int32 // minute of the trace at which counts begin
}

// First implements Emitter.
func (c *counted) First(f int32) int64 {
	cur := &c.cursors[f]
	*cur = c.counts.cursor(int(f))
	for cur.next(c.counts, int(f)) {
		if cur.minute >= c.first {
			return int64(cur.minute-c.first) * window
		}
	}
	return Never
}

// Emit implements Emitter; the window is the minute that the cursor stands on.
func (c *counted) Emit(dst []Arrival, f int32, from, _ int64) ([]Arrival, int64) {
	cur, n := &c.cursors[f], len(dst)
	stream := c.streams[f].At(uint64(c.epoch + cur.minute))
	dst = c.placement.place(dst, f, from, cur.count, &stream, c.tables)
	c.spreads.scale(dst[n:], f, &stream, c.tables)
	if !cur.next(c.counts, int(f)) {
		return dst, Never
	}
	return dst, int64(cur.minute-c.first) * window
}

func streams(functions []Function, seed uint64) []random.Stream {
	s := make([]random.Stream, len(functions))
	for i, f := range functions {
		s[i] = random.New(seed, string(f.ID))
	}
	return s
}

// minutesLong is a count of minutes as a duration.
func minutesLong(n int) time.Duration { return time.Duration(n) * time.Minute }
