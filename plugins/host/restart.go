package host

import (
	"math/rand/v2"
	"time"
)

// pacer decides how long to wait before the next start.
type pacer struct {
	cfg      Restart
	rng      *rand.Rand
	failures int
}

func newPacer(c Restart) *pacer {
	return &pacer{cfg: c, rng: rand.New(rand.NewPCG(c.Seed, 0x9e3779b97f4a7c15))}
}

// ended notes that a process served for lived (0 if it did not start), and
// returns the wait and whether the breaker is open.
func (p *pacer) ended(lived time.Duration) (wait time.Duration, open bool) {
	if lived >= p.cfg.Healthy {
		p.failures = 0
	}
	p.failures++
	if p.failures > p.cfg.BreakAfter {
		return p.spread(p.cfg.OpenFor), true
	}
	wait = p.cfg.Base
	for i := 1; i < p.failures && wait < p.cfg.Max; i++ {
		wait *= 2
	}
	return p.spread(min(wait, p.cfg.Max)), false
}

// spread returns d ± 50 %.
func (p *pacer) spread(d time.Duration) time.Duration {
	return d/2 + time.Duration(p.rng.Int64N(int64(d)+1))
}
