package bound

import "math"

// climb raises the bound of a sweep towards the highest over all levels, the linear
// relaxation of the flow. The bound is concave in the levels: each arrival adds its
// cheapest way to be served at them. Up is where the soft minimum over the ways rises,
// whose width narrows with the distance to the target, with momentum and by Polyak's
// steps; the target comes nearer whenever it proves too far (the level rule). After each
// step the levels are replaced by the nearest that never rise.
type climb struct {
	*sweep
	ways  [][]options // by berth and arrival
	slope [][]float64 // by berth and arrival, as the levels
	path  [][]float64 // the same: where the last steps went
	best  [][]float64 // levels
	costs []float64   // of the ways of the arrival at hand: three for each berth
	pools []pool      // room for those of settle
	// top is the sum of the values at the best levels, distance that from there to the
	// target, and stale the steps without a gain.
	top, distance float64
	stale         int
}

// options are the ways to serve an arrival at a berth: on an instance that waited, on
// one started ahead, or on arrival.
type options struct {
	warm, cold route
	hold       float64 // up to the arrival
	early      float64 // what an instance takes that is there; +Inf if none is started ahead
}

// pool is the sum of n neighbouring levels that are to be equal.
type pool struct {
	sum float64
	n   int
}

// route is what a way takes beside the instance, the hold up to its end, what an instance
// is worth that leaves then, and the next arrival that it could serve.
type route struct {
	cost, hold, gone float64
	next             int
}

const (
	momentum = 0.8  // part of the last direction that stays
	softness = 2.0  // width of the soft minimum, in distances to the target by arrival
	patience = 6    // steps without a gain after which the target comes nearer
	gain     = 0.05 // of the distance, that counts as one
	near     = 1e-4 // distance to the plan, as a share of it, that is near enough
)

// newClimb starts at the levels of a sweep.
func newClimb(s *sweep) *climb {
	c := &climb{sweep: s, top: s.back(nil), distance: math.Inf(1), costs: make([]float64, 3*len(s.berths))}
	n := len(s.course.at)
	for h := range s.berths {
		b := &s.berths[h]
		list := make([]options, n)
		for i, at := range s.course.at {
			x := &list[i]
			end, last := s.end(h, i, at), s.end(h, i, at+b.time)
			x.warm = route{s.run(h, i, at, end), b.own.until(s.m, end), s.gone(h, end), s.next(i, end)}
			x.cold = route{b.begin(s.m, at) + s.run(h, i, at+b.time, last), b.own.until(s.m, last), s.gone(h, last), s.next(i, last)}
			if x.hold, x.early = b.own.until(s.m, at), math.Inf(1); !s.rule.still {
				x.early = b.own.early(s.m, at)
			}
		}
		c.ways = append(c.ways, list)
		c.slope, c.path, c.best = append(c.slope, make([]float64, n+1)), append(c.path, make([]float64, n)), append(c.best, make([]float64, n+1))
	}
	c.keep()
	return c
}

// up takes some steps towards a plan that takes high.
func (c *climb) up(high float64, steps int) {
	c.distance = min(c.distance, high-c.top)
	for range steps {
		if c.distance <= near*high {
			return
		}
		sum := c.look(c.width())
		if c.stale++; sum > c.top {
			if sum > c.top+float64(gain*c.distance) {
				c.stale = 0
			}
			c.top = sum
			c.keep()
		}
		if c.stale >= patience {
			c.distance, c.stale = c.distance/2, 0
			c.restore()
			sum = c.look(c.width())
		}
		c.step(c.top + c.distance - sum)
	}
}

// width is that of the soft minimum.
func (c *climb) width() float64 { return softness * c.distance / float64(len(c.value)) }

// planner is the sweep at the best levels.
func (c *climb) planner() *sweep {
	s := *c.sweep
	s.level = c.best
	return &s
}

// keep takes the levels for the best.
func (c *climb) keep() {
	for h := range c.best {
		copy(c.best[h], c.level[h])
	}
}

// restore goes back to the best levels.
func (c *climb) restore() {
	for h := range c.best {
		copy(c.level[h], c.best[h])
		clear(c.path[h])
	}
}

// look sets the values at the levels, each the least of the ways, and the slope of the
// soft minimum of a width, and returns the sum of the values.
func (c *climb) look(width float64) (sum float64) {
	for h := range c.slope {
		clear(c.slope[h])
	}
	for i := range c.value {
		least := math.Inf(1)
		for h := range c.berths {
			x := &c.ways[h][i]
			bare := x.warm.cost - max(x.warm.gone, c.level[h][x.warm.next]+x.warm.hold)
			w := c.costs[3*h : 3*h+3]
			w[0] = bare + c.level[h][i] + x.hold
			w[1] = bare + x.early
			w[2] = x.cold.cost - max(x.cold.gone, c.level[h][x.cold.next]+x.cold.hold)
			least = min(least, w[0], w[1], w[2])
		}
		c.value[i] = least
		if sum += least; width > 0 {
			c.lean(i, least, width)
		}
	}
	return sum
}

// fade is e^-x, nearly: (1 - x/8)^8, and 0 from 8 on. It is the same on every processor.
func fade(x float64) float64 {
	if x >= 8 {
		return 0
	}
	y := 1 - x/8
	y *= y
	y *= y
	return y * y
}

// lean adds arrival i to the slope.
func (c *climb) lean(i int, least, width float64) {
	all := 0.0
	for k, cost := range c.costs {
		c.costs[k] = fade((cost - least) / width)
		all += c.costs[k]
	}
	for k, part := range c.costs {
		if part == 0 {
			continue
		}
		h, x := k/3, &c.ways[k/3][i].warm
		if k%3 == 2 {
			x = &c.ways[h][i].cold
		}
		part /= all
		if k%3 == 0 {
			c.slope[h][i] += part
		}
		if above := (c.level[h][x.next] + x.hold - x.gone) / width; above > 0 {
			c.slope[h][x.next] -= part / (1 + fade(above))
		} else {
			c.slope[h][x.next] -= float64(part*fade(-above)) / (1 + fade(-above))
		}
	}
}

// step goes along the slope as far as it takes to rise by the distance if all were linear.
func (c *climb) step(distance float64) {
	norm := 0.0
	for h, path := range c.path {
		for i := range path {
			path[i] = float64(momentum*path[i]) + c.slope[h][i]
			norm += float64(path[i] * path[i])
		}
	}
	if norm == 0 {
		return
	}
	for h, path := range c.path {
		for i := range path {
			c.level[h][i] += float64(path[i] * (distance / norm))
		}
		c.settle(h)
	}
}

// settle replaces the levels of a berth by the nearest that never rise (pool adjacent
// violators), and that are no higher than what a start ahead allows.
func (c *climb) settle(h int) {
	level := c.level[h][:len(c.value)]
	pools := c.pools[:0]
	for _, v := range level {
		p := pool{v, 1}
		for k := len(pools) - 1; k >= 0 && float64(pools[k].sum*float64(p.n)) < float64(p.sum*float64(pools[k].n)); k-- {
			p.sum, p.n, pools = p.sum+pools[k].sum, p.n+pools[k].n, pools[:k]
		}
		pools = append(pools, p)
	}
	c.pools = pools
	i, most := 0, math.Inf(1)
	for _, p := range pools {
		for range p.n {
			most = min(most, c.ways[h][i].early-c.ways[h][i].hold)
			level[i] = min(p.sum/float64(p.n), most)
			i++
		}
	}
}
