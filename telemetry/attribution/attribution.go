package attribution

import (
	"cmp"
	"slices"
	"time"

	"github.com/wattle-project/wattle"
)

// Owner is whom the energy of a container is booked to, and what the container
// reserves on the node.
type Owner struct {
	Namespace string
	Pod       string
	// Function is empty for a pod that serves no function; such pods are added
	// up per namespace.
	Function string
	CPU      wattle.MilliCPU // reserved
	Memory   wattle.Bytes    // reserved
}

// Usage is the use of one container or cgroup.
type Usage struct {
	// ID must never be used for two containers.
	ID uint64
	// Key orders ties; the path of the cgroup.
	Key string
	// CPU is cumulative and starts at 0 when the container began or when
	// watching began, whichever is later.
	CPU time.Duration
	// Memory is held now.
	Memory wattle.Bytes
	// System marks work that belongs to no container, such as the remainder of a
	// slice: it gets its share of dynamic energy and no owner is sought.
	System bool
	// Gone marks the last report.
	Gone bool
}

// GPUUse is the use of a GPU by one container. Use by an ID that is not in Usage
// is work outside containers, which the system pays for.
type GPUUse struct {
	ID       uint64          // of the container, as in Usage
	Device   wattle.DeviceID // the physical GPU, also for a part of it
	Activity float64         // 0 to 1, of the part that the container has
	// Slices of OfSlices compute slices are the container's (1 of 7 for MIG
	// 1g); a whole GPU is 1 of 1. With several parts, give one GPUUse for each.
	Slices, OfSlices int
}

// Input is what one step takes in.
type Input struct {
	At time.Time
	// Energy holds the samples that were finished since the last step, of a
	// disjoint cover of the node; zones may be missing.
	Energy []wattle.Sample
	// Usage of all containers at At; only looked at when UsageRead.
	Usage     []Usage
	UsageRead bool
	// GPU is the mean use since the last step. While a GPU's energy is missing,
	// the means of several steps add up, each with the same weight.
	GPU []GPUUse
}

// Summary is what one step spent.
type Summary struct {
	// Charges is the energy of the zones that were divided in this step.
	Charges Charges
	// Rejected counts samples that were not used: negative energy or no length.
	Rejected int
}

// Attributor divides energy. It is not safe for concurrent use.
type Attributor struct {
	cfg     Config
	resolve func(*Usage) (Owner, bool)

	entities []entity // by slot
	free     []int
	slots    map[uint64]int
	zones    []*zone // by component, then device
	byZone   map[Zone]*zone
	accounts map[accountKey]*Account
	sorted   []*Account // the same, by namespace and function
	system   Account
	rest     Charges // unallocated
	lastRead time.Time
	began    time.Time // of the first reading of use
	parts    []part
	byRest   func(a, b part) bool
}

type accountKey struct{ namespace, function string }

// entity is a container.
type entity struct {
	live      bool
	usage     Usage // as last seen
	owner     Owner
	account   *Account
	pages     uint64 // memory held, KiB·ms; wraps, only differences are used
	held      Charges
	anyHeld   bool
	firstSeen time.Time
	seenAt    time.Time
	goneAt    time.Time
}

// New returns an Attributor. resolve names the owner of a container and is asked
// in every step until it knows; it must not wait.
func New(cfg Config, resolve func(*Usage) (Owner, bool)) (*Attributor, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	a := &Attributor{
		cfg: cfg, resolve: resolve, slots: map[uint64]int{},
		byZone: map[Zone]*zone{}, accounts: map[accountKey]*Account{},
	}
	a.byRest = func(x, y part) bool {
		if x.rest != y.rest {
			return x.rest > y.rest
		}
		return a.before(x.slot, y.slot)
	}
	return a, nil
}

// before orders claimants for ties: by key, then by ID, unallocated last.
func (a *Attributor) before(x, y int) bool {
	if x < 0 || y < 0 {
		return y < 0 && x >= 0
	}
	u, v := &a.entities[x].usage, &a.entities[y].usage
	return cmp.Or(cmp.Compare(u.Key, v.Key), cmp.Compare(u.ID, v.ID)) < 0
}

// Step takes in one interval and divides the energy of all zones for which
// both halves are there.
func (a *Attributor) Step(in Input) Summary {
	var s Summary
	for i := range in.Energy {
		s.Rejected += a.takeEnergy(&in.Energy[i])
	}
	if !in.UsageRead {
		return s
	}
	a.takeUsage(in)
	a.takeGPU(in)
	for _, z := range a.zones {
		a.divide(z, &s.Charges)
	}
	a.sweep(in.At)
	return s
}

func (a *Attributor) takeEnergy(e *wattle.Sample) (rejected int) {
	z := a.zone(Zone{e.Component, e.Device}, e.From)
	d := e.To.Sub(e.From)
	switch {
	case e.Unknown:
		z.unknown = true
	case e.Energy < 0 || d <= 0:
		return 1
	default:
		z.pending += e.Energy
		z.length += d
		z.metered += e.Energy
		z.idle.observe(e.Energy, d)
	}
	return 0
}

// takeUsage advances the counters of all containers.
func (a *Attributor) takeUsage(in Input) {
	elapsed := time.Duration(0)
	if !a.lastRead.IsZero() {
		elapsed = max(in.At.Sub(a.lastRead), 0)
	}
	if a.began.IsZero() {
		a.began = in.At
	}
	a.lastRead = in.At
	for i := range in.Usage {
		u := &in.Usage[i]
		slot, ok := a.slots[u.ID]
		if !ok {
			slot = a.admit(u, in.At)
		}
		e := &a.entities[slot]
		cpu := max(u.CPU, e.usage.CPU) // a counter that went back adds nothing
		e.usage, e.seenAt = *u, in.At
		e.usage.CPU = cpu
		e.pages += uint64(u.Memory/wattle.KiB) * uint64(elapsed/time.Millisecond)
		if u.Gone && e.goneAt.IsZero() {
			e.goneAt = in.At
		}
		a.name(e, in.At)
	}
}

// admit gives a new container a slot. Its counters start at 0 in every zone.
func (a *Attributor) admit(u *Usage, at time.Time) int {
	slot := len(a.entities)
	if n := len(a.free); n > 0 {
		slot, a.free = a.free[n-1], a.free[:n-1]
	} else {
		a.entities = append(a.entities, entity{})
	}
	a.entities[slot] = entity{live: true, usage: Usage{ID: u.ID, Key: u.Key}, firstSeen: at}
	a.slots[u.ID] = slot
	for _, z := range a.zones {
		z.reset(slot)
	}
	return slot
}

// name seeks the owner of e. Energy that was held is booked with the first
// answer, or to the system when the grace is over. An owner that becomes known
// even later gets what follows.
func (a *Attributor) name(e *entity, at time.Time) {
	if e.account != nil && e.account != &a.system || e.usage.System && e.account != nil {
		return
	}
	if e.usage.System {
		e.account = &a.system
		return
	}
	if o, ok := a.resolve(&e.usage); ok {
		e.owner, e.account = o, a.account(o)
		a.release(e)
	} else if e.account == nil && at.Sub(e.firstSeen) >= a.cfg.OwnerGrace {
		e.account = &a.system
		a.release(e)
	}
}

func (a *Attributor) release(e *entity) {
	if e.anyHeld {
		e.account.Charges.add(&e.held)
		e.held, e.anyHeld = Charges{}, false
	}
}

func (a *Attributor) account(o Owner) *Account {
	k := accountKey{o.Namespace, o.Function}
	acc := a.accounts[k]
	if acc == nil {
		acc = &Account{Namespace: o.Namespace, Function: o.Function}
		a.accounts[k] = acc
		i, _ := slices.BinarySearchFunc(a.sorted, acc, compareAccounts)
		a.sorted = slices.Insert(a.sorted, i, acc)
	}
	return acc
}

// Claims that are of no container.
const (
	nobody  = -1 // what is not allocated
	outside = -2 // work outside containers
)

// book adds energy to whoever holds slot.
func (a *Attributor) book(slot int, c wattle.Component, ch Charge) {
	switch slot {
	case nobody:
		a.rest[c].add(ch)
		return
	case outside:
		a.system.Charges[c].add(ch)
		return
	}
	e := &a.entities[slot]
	if e.account != nil {
		e.account.Charges[c].add(ch)
		return
	}
	e.held[c].add(ch)
	e.anyHeld = true
}

// sweep frees containers that are gone, that no zone has use of any more and
// whose energy is booked.
func (a *Attributor) sweep(at time.Time) {
	for slot := range a.entities {
		e := &a.entities[slot]
		if e.live && e.goneAt.IsZero() && at.Sub(e.seenAt) >= a.cfg.Keep {
			e.goneAt = e.seenAt // its last report was lost
		}
		if !e.live || e.goneAt.IsZero() {
			continue
		}
		a.name(e, at)
		e.owner.CPU, e.owner.Memory = 0, 0 // reserves nothing from here on
		overdue := at.Sub(e.goneAt) >= a.cfg.Keep
		if e.account == nil && overdue {
			e.account = &a.system
			a.release(e)
		}
		if e.account == nil || !overdue && !a.spent(slot) {
			continue
		}
		delete(a.slots, e.usage.ID)
		a.entities[slot] = entity{}
		a.free = append(a.free, slot)
	}
}

// spent reports whether every zone has charged all that slot used.
func (a *Attributor) spent(slot int) bool {
	for _, z := range a.zones {
		if !z.spent(slot, &a.entities[slot]) {
			return false
		}
	}
	return true
}
