package state

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/wattle-project/wattle"
)

const none = int32(-1)

// Status is where an instance is in its life.
type Status uint8

// States of an instance.
const (
	Gone     Status = iota
	Assumed         // reserved by a decision that is not confirmed yet
	Starting        // confirmed, being prepared without a request (pre-warm)
	Busy            // serving at least one request
	Idle            // warm, serving none
)

// Instance is one sandbox. Slots of ended instances are reused with a new
// generation, so an old InstanceID never reaches a new instance.
type Instance struct {
	Function *wattle.Function
	Target   int32
	Running  int32 // requests being served
	Status   Status
	// Since is when the present Status began, Created when the slot was taken,
	// Until when its keep-alive ends; all in Unix nanoseconds.
	Since, Created, Until int64
	// Rested is when the idle time that the running request ended had begun,
	// or 0 when the request found no idle instance.
	Rested int64

	generation uint32
	pool       int32
	prev, next int32 // list of available instances of the pool, oldest first
	before     int32 // list of idle instances of the target, longest idle first
	after      int32
}

// pool is the instances of one function on one target.
type pool struct {
	target      int32
	head, tail  int32 // available instances, oldest first
	avail, live int32
	next        int32 // next pool of the function
}

// usage is what is reserved in one pool of nodes or on one target.
type usage struct {
	used, idle wattle.Resources
}

// Store is the occupancy of a fleet. It is not safe for concurrent use.
type Store struct {
	view      Snapshot
	functions []*wattle.Function
	byID      []int32 // indexes of functions in order of their names
	instances []Instance
	free      []int32
	assumed   []assumption
	live      int
}

type assumption struct {
	id       wattle.InstanceID
	deadline int64
}

// NewStore holds functions against a fleet, of whose grids nothing is known until
// SetSignals. It keeps the slice, which nobody may
// change any more, and sets each Index to the position. Stores on several
// goroutines may share a slice whose indexes are set already.
func NewStore(fleet *Fleet, functions []wattle.Function) (*Store, error) {
	s := &Store{byID: make([]int32, len(functions))}
	s.view = Snapshot{Fleet: fleet, Epoch: 1, Load: newLoad(fleet, len(functions))}
	s.view.Load.instances = &s.instances
	s.view.Signals = unknown(fleet)
	s.functions = make([]*wattle.Function, len(functions))
	for i := range functions {
		f := &functions[i]
		if err := f.Validate(); err != nil {
			return nil, err
		}
		if f.Index != int32(i) {
			f.Index = int32(i)
		}
		s.byID[i], s.functions[i] = f.Index, f
	}
	slices.SortFunc(s.byID, func(a, b int32) int { return cmp.Compare(functions[a].ID, functions[b].ID) })
	for i := 1; i < len(s.byID); i++ {
		if id := functions[s.byID[i]].ID; id == functions[s.byID[i-1]].ID {
			return nil, fmt.Errorf("function %s is listed twice", id)
		}
	}
	return s, nil
}

// Functions lists the functions by index. The slice is the store's own.
func (s *Store) Functions() []*wattle.Function { return s.functions }

// Function finds a function by name.
func (s *Store) Function(id wattle.FunctionID) (*wattle.Function, bool) {
	i, ok := slices.BinarySearchFunc(s.byID, id, func(i int32, id wattle.FunctionID) int { return cmp.Compare(s.functions[i].ID, id) })
	if !ok {
		return nil, false
	}
	return s.functions[s.byID[i]], true
}

// View is the live state without a copy: valid until the next change.
func (s *Store) View() *Snapshot { return &s.view }

// Freeze is a copy of the state that other goroutines may keep.
func (s *Store) Freeze() *Snapshot {
	c := s.view
	c.Load, c.Promises = s.view.Load.clone(), s.view.Promises.clone()
	return &c
}

// SetSignals replaces the intensities and begins a new epoch.
func (s *Store) SetSignals(g *Signals) {
	s.view.Signals = g
	s.bump()
}

// SetPrices replaces the congestion prices (grams per vCPU·s, indexed like
// Fleet.Pools).
func (s *Store) SetPrices(p []wattle.GramsCO2e) {
	same := len(p) == len(s.view.Prices) || len(s.view.Prices) == 0
	for i := 0; same && i < len(p); i++ {
		same = i < len(s.view.Prices) && p[i] == s.view.Prices[i] || len(s.view.Prices) == 0 && p[i] == 0
	}
	if !same {
		s.view.Prices = append([]wattle.GramsCO2e(nil), p...)
		s.view.PriceRevision++
		s.view.Revision++
	}
}

// SetHealthy marks a cluster as able or unable to take work.
func (s *Store) SetHealthy(cluster int, ok bool) {
	if s.view.Load.down[cluster] == ok {
		s.view.Load.down[cluster] = !ok
		s.bump()
	}
}

func (s *Store) bump() {
	s.view.Epoch++
	s.view.Revision++
}

// Instance returns the instance behind id, or nil when it is gone.
func (s *Store) Instance(id wattle.InstanceID) *Instance {
	slot := Slot(id)
	if int(slot) >= len(s.instances) {
		return nil
	}
	in := &s.instances[slot]
	if in.Status == Gone || in.generation != uint32(id>>32) {
		return nil
	}
	return in
}

// Slot is the dense number of an instance: small, and reused after its end.
func Slot(id wattle.InstanceID) int32 { return int32(id & 0xffff_ffff) }

// IDAt returns the identity of the instance that holds slot now.
func (s *Store) IDAt(slot int32) wattle.InstanceID {
	return identity(slot, s.instances[slot].generation)
}

func identity(slot int32, generation uint32) wattle.InstanceID {
	return wattle.InstanceID(uint64(generation)<<32 | uint64(uint32(slot)))
}

// Live is the number of instances that are not gone.
func (s *Store) Live() int { return s.live }

// Slots is one more than the highest slot ever used.
func (s *Store) Slots() int { return len(s.instances) }

// Assume reserves what a placed decision chose: an available instance for a
// warm one, a new instance otherwise. Until Confirm or the deadline the
// reservation is only assumed. It fails when the place is no longer there.
func (s *Store) Assume(d *wattle.Decision, pick Pick, now, deadline time.Time) (wattle.InstanceID, error) {
	if !d.Placed {
		return 0, fmt.Errorf("function %s: the decision placed nothing", d.Function.ID)
	}
	var id wattle.InstanceID
	if d.Sandbox == wattle.Warm {
		slot := s.pickWarm(d.Function, d.Target, pick, d.Sequence)
		if slot == none {
			return 0, fmt.Errorf("function %s: no warm instance left on target %d", d.Function.ID, d.Target)
		}
		id = s.IDAt(slot)
		s.occupy(slot, now.UnixNano())
	} else {
		if most := d.Function.MaxInstances; most > 0 && s.view.Load.Live(d.Function.Index) >= most {
			return 0, fmt.Errorf("function %s: already has its %d instances", d.Function.ID, most)
		}
		if !s.view.Load.Fits(s.view.Fleet, d.Target, d.Function.Needs) {
			return 0, fmt.Errorf("function %s: target %d has no room left", d.Function.ID, d.Target)
		}
		id = s.create(d.Function, d.Target, Busy, now.UnixNano())
		s.instances[Slot(id)].Running = 1
		if d.Function.Concurrency > 1 {
			s.makeAvailable(Slot(id))
		}
	}
	if deadline.After(now) {
		s.assumed = append(s.assumed, assumption{id, deadline.UnixNano()})
	}
	s.view.Revision++
	return id, nil
}

// Confirm makes an assumed reservation lasting.
func (s *Store) Confirm(id wattle.InstanceID) { s.drop(id) }

// drop forgets the oldest assumption on id.
func (s *Store) drop(id wattle.InstanceID) {
	for i := range s.assumed {
		if s.assumed[i].id == id {
			s.assumed = append(s.assumed[:i], s.assumed[i+1:]...)
			return
		}
	}
}

// ExpireAssumed gives back every reservation whose deadline has passed without
// a Confirm, and returns how many there were.
func (s *Store) ExpireAssumed(now time.Time) int {
	kept, n := s.assumed[:0], 0
	for _, a := range s.assumed {
		if a.deadline > now.UnixNano() {
			kept = append(kept, a)
			continue
		}
		n++
		s.abandon(a.id, now.UnixNano())
	}
	s.assumed = kept
	return n
}

func (s *Store) abandon(id wattle.InstanceID, now int64) {
	in := s.Instance(id)
	if in == nil {
		return
	}
	fresh := in.Created == in.Since && in.Running == 1
	if s.leave(id, now); fresh {
		s.Evict(id)
	}
}

// Prewarm creates an idle instance without a request, or fails when the target
// has no room. The instance counts as warm from ready on.
func (s *Store) Prewarm(f *wattle.Function, target int32, now int64) (wattle.InstanceID, error) {
	if f.MaxInstances > 0 && s.view.Load.Live(f.Index) >= f.MaxInstances {
		return 0, fmt.Errorf("function %s: already has its %d instances", f.ID, f.MaxInstances)
	}
	if !s.view.Load.Fits(s.view.Fleet, target, f.Needs) {
		return 0, fmt.Errorf("function %s: target %d has no room to pre-warm", f.ID, target)
	}
	s.view.Revision++
	return s.create(f, target, Starting, now), nil
}

// Ready turns a pre-warmed instance idle.
func (s *Store) Ready(id wattle.InstanceID, now int64) {
	if in := s.Instance(id); in != nil && in.Status == Starting {
		s.rest(Slot(id), now)
	}
}

// Finish ends one request on id. It reports whether the instance is idle now.
// What ran needs no confirmation any more: no more reservations stay assumed
// than requests run.
func (s *Store) Finish(id wattle.InstanceID, now int64) bool {
	idle := s.leave(id, now)
	if len(s.assumed) == 0 {
		return idle
	}
	n := int32(0)
	for i := range s.assumed {
		if s.assumed[i].id == id {
			n++
		}
	}
	if in := s.Instance(id); in != nil && n > in.Running {
		s.drop(id)
	}
	return idle
}

// leave takes one request off id and reports whether the instance is idle now.
func (s *Store) leave(id wattle.InstanceID, now int64) bool {
	in := s.Instance(id)
	if in == nil || in.Running == 0 {
		return false
	}
	s.view.Revision++
	full := in.Running == in.Function.Concurrency
	in.Running--
	s.view.Load.running[in.Target]--
	if in.Running == 0 {
		if !full {
			s.unlink(Slot(id)) // it was available with room to spare
		}
		s.rest(Slot(id), now)
		return true
	}
	if full {
		s.makeAvailable(Slot(id))
	}
	return false
}

// Keep sets the end of an idle instance's keep-alive.
func (s *Store) Keep(id wattle.InstanceID, until int64) {
	if in := s.Instance(id); in != nil {
		in.Until = until
	}
}

// Evict ends an instance that serves nothing and gives its resources back.
// Busy instances are left alone and false is returned.
func (s *Store) Evict(id wattle.InstanceID) bool {
	in := s.Instance(id)
	if in == nil || in.Running > 0 {
		return false
	}
	slot := Slot(id)
	load := s.view.Load
	if in.Status == Idle {
		s.unlink(slot)
		s.unrest(slot)
	}
	load.release(s.view.Fleet, in.Target, in.Function.Needs)
	load.pools[in.pool].live--
	load.live[in.Function.Index]--
	in.Status = Gone
	s.free = append(s.free, slot)
	s.live--
	s.view.Revision++
	return true
}

// LongestIdle is the instance that has been idle longest of those that would
// make room on target, or 0: the default victim under pressure.
func (s *Store) LongestIdle(target int32) (victim wattle.InstanceID) {
	s.view.Load.Idle(s.view.Fleet, target, func(id wattle.InstanceID, _ *Instance) bool {
		victim = id
		return false
	})
	return victim
}
