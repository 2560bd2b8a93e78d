package state

import "github.com/wattle-project/wattle"

// Pick says which of several warm instances serves a request. The choice
// changes idle memory by a factor of up to two, so it is always named.
type Pick uint8

// Ways to pick a warm instance.
const (
	Newest Pick = iota // the one that became available last (default)
	Oldest
	Random // seeded by the request's sequence number
)

// create takes a slot and reserves what f needs on target.
func (s *Store) create(f *wattle.Function, target int32, status Status, now int64) wattle.InstanceID {
	var slot int32
	if n := len(s.free); n > 0 {
		slot, s.free = s.free[n-1], s.free[:n-1]
	} else {
		slot = int32(len(s.instances))
		s.instances = append(s.instances, Instance{})
	}
	load := s.view.Load
	p := load.poolOf(f.Index, target)
	in := &s.instances[slot]
	*in = Instance{
		Function: f, Target: target, Status: status, Since: now, Created: now, pool: p,
		generation: in.generation + 1, prev: none, next: none, before: none, after: none,
	}
	load.pools[p].live++
	load.live[f.Index]++
	load.reserve(s.view.Fleet, target, f.Needs)
	if status == Busy {
		load.running[target]++
	}
	s.live++
	return s.IDAt(slot)
}

// occupy adds one request to an available instance.
func (s *Store) occupy(slot int32, now int64) {
	in := &s.instances[slot]
	in.Rested = 0
	if in.Status == Idle {
		s.unrest(slot)
		in.Status, in.Since, in.Rested = Busy, now, in.Since
	}
	in.Running++
	s.view.Load.running[in.Target]++
	if in.Running == in.Function.Concurrency {
		s.unlink(slot)
	}
}

// rest makes an instance idle: available, and a candidate for eviction.
func (s *Store) rest(slot int32, now int64) {
	in := &s.instances[slot]
	in.Status, in.Since = Idle, now
	s.makeAvailable(slot)
	load := s.view.Load
	fleet := s.view.Fleet
	p := fleet.Targets[in.Target].Pool
	l := &load.rested[p]
	in.before, in.after = l.tail, none
	if l.tail == none {
		l.head = slot
	} else {
		s.instances[l.tail].after = slot
	}
	l.tail = slot
	load.idle(fleet, in.Target, in.Function.Needs, 1)
}

// unrest takes an idle instance off the eviction list.
func (s *Store) unrest(slot int32) {
	in := &s.instances[slot]
	load := s.view.Load
	l := &load.rested[s.view.Fleet.Targets[in.Target].Pool]
	if in.before == none {
		l.head = in.after
	} else {
		s.instances[in.before].after = in.after
	}
	if in.after == none {
		l.tail = in.before
	} else {
		s.instances[in.after].before = in.before
	}
	load.idle(s.view.Fleet, in.Target, in.Function.Needs, -1)
}

// makeAvailable appends an instance to the available ones of its pool.
func (s *Store) makeAvailable(slot int32) {
	in := &s.instances[slot]
	p := &s.view.Load.pools[in.pool]
	in.prev, in.next = p.tail, none
	if p.tail == none {
		p.head = slot
	} else {
		s.instances[p.tail].next = slot
	}
	p.tail = slot
	p.avail++
}

// unlink takes an instance off the available ones of its pool.
func (s *Store) unlink(slot int32) {
	in := &s.instances[slot]
	p := &s.view.Load.pools[in.pool]
	if in.prev == none {
		p.head = in.next
	} else {
		s.instances[in.prev].next = in.next
	}
	if in.next == none {
		p.tail = in.prev
	} else {
		s.instances[in.next].prev = in.prev
	}
	p.avail--
}

// pickWarm chooses an available instance of f on target, or none.
func (s *Store) pickWarm(f *wattle.Function, target int32, pick Pick, seed uint64) int32 {
	p := s.view.Load.find(f.Index, target)
	if p == nil || p.avail == 0 {
		return none
	}
	switch pick {
	case Oldest:
		return p.head
	case Random:
		slot := p.head
		for range mix(seed) % uint64(p.avail) {
			slot = s.instances[slot].next
		}
		return slot
	}
	return p.tail
}

// mix is the finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
func mix(z uint64) uint64 {
	z += 0x9E3779B97F4A7C15
	z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9
	z = (z ^ (z >> 27)) * 0x94D049BB133111EB
	return z ^ (z >> 31)
}
