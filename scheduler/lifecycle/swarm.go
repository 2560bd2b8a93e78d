package lifecycle

import "math"

// swarm is EcoLife's particle swarm of one series: one step per use; best
// positions are kept over uses and compared under the conditions of the
// present one.
type swarm struct {
	started        bool
	random         splitmix
	particles      [swarmSize]particle
	best           position
	gaps           int
	intensity      float64
	maxGap, maxInt float64
}

const (
	swarmSize   = 15
	swarmRedraw = 7
)

// position is an option and a number of minutes.
type position struct{ l, k int8 }

type particle struct{ x, best position }

// splitmix is the generator of Steele, Lea and Flood (OOPSLA 2014).
type splitmix uint64

func (s *splitmix) float() float64 {
	*s += 0x9E3779B97F4A7C15
	z := uint64(*s)
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return float64((z^z>>31)>>11) / (1 << 53)
}

func (s *swarm) start(options int, f *ecoObjective, seed uint64, series int32) {
	s.started = true
	s.random = splitmix(seed ^ uint64(series+1)*0xD1342543DE82EF95)
	s.maxGap, s.maxInt = 0.1, 0.1
	for i := range s.particles {
		p := &s.particles[i]
		p.x = s.draw(options)
		p.best = p.x
		if i == 0 || f.value(p.x) < f.value(s.best) {
			s.best = p.x
		}
	}
}

func (s *swarm) draw(options int) position {
	return position{int8(s.random.float() * float64(options)), int8(s.random.float() * (ecoMinutes + 1))}
}

// step moves the swarm once and returns its best position.
func (s *swarm) step(f *ecoObjective, c *Case, seed uint64) (option, minutes int) {
	options := min(len(c.Options), ecoOptions)
	z := 0.0
	if s.started {
		z = s.change(f, c)
	} else {
		s.start(options, f, seed, c.Series)
	}
	s.gaps, s.intensity = f.count, float64(c.Intensity)
	if z > 0 {
		for i := range swarmRedraw {
			s.particles[i].x = s.draw(options)
		}
	}
	w, pull := min(max(z, 0.5), 1), min(max(1-z, 0.3), 1)
	for i := range s.particles {
		s.move(&s.particles[i], w, pull, options)
		s.judge(&s.particles[i], f)
	}
	return int(s.best.l), int(s.best.k)
}

// change measures how much the series and the grid moved since the last step;
// both scales only grow, after they were used.
func (s *swarm) change(f *ecoObjective, c *Case) float64 {
	gap := math.Abs(float64(f.count - s.gaps))
	grid := math.Abs(float64(c.Intensity) - s.intensity)
	z := gap/s.maxGap + grid/s.maxInt
	s.maxGap, s.maxInt = max(s.maxGap, gap), max(s.maxInt, grid)
	return z
}

func (s *swarm) judge(p *particle, f *ecoObjective) {
	v := f.value(p.x)
	if v < f.value(p.best) {
		p.best = p.x
	}
	if v < f.value(s.best) {
		s.best = p.x
	}
}

func (s *swarm) move(p *particle, w, pull float64, options int) {
	vl, vk := s.random.float(), s.random.float()
	r1, r2 := s.random.float(), s.random.float()
	next := func(v float64, x, own, all int8, high int) int8 {
		v = w*v + pull*r1*float64(own-x) + pull*r2*float64(all-x)
		return int8(min(max(math.Trunc(float64(x)+v), 0), float64(high)))
	}
	p.x.l = next(vl, p.x.l, p.best.l, s.best.l, options-1)
	p.x.k = next(vk, p.x.k, p.best.k, s.best.k, ecoMinutes)
}
