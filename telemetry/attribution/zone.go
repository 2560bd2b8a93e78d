package attribution

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/wattle-project/wattle"
)

// zone holds the energy of one register and how much of the containers' use it
// has paid for.
type zone struct {
	Zone
	pending wattle.Microjoules
	length  time.Duration // that pending was counted over
	unknown bool          // an interval without a figure is among the pending
	metered wattle.Microjoules
	idle    baseline
	paid    []paid // by slot
	stray   uint64 // as paid.gpu, of no known container
}

// paid is the use of a container up to which a zone has charged it.
type paid struct {
	cpu   time.Duration
	pages uint64
	gpu   uint64 // not yet charged, activity × slices × time
	share uint64 // of the device that the container holds, in millionths
}

// zone returns the state of a zone. A new one pays for the use since watching
// began if its first sample reaches back so far, else since the last reading.
func (a *Attributor) zone(key Zone, from time.Time) *zone {
	if z, ok := a.byZone[key]; ok {
		return z
	}
	z := &zone{Zone: key}
	z.idle = baseline{window: a.cfg.LearnWindow, horizon: a.cfg.LearnHorizon}
	z.idle.watts, z.idle.fixed = a.cfg.IdleOf(key)
	for slot := range a.entities {
		z.grow(slot)
		if from.After(a.began) {
			z.paid[slot].cpu, z.paid[slot].pages = a.entities[slot].usage.CPU, a.entities[slot].pages
		}
	}
	a.byZone[key] = z
	i, _ := slices.BinarySearchFunc(a.zones, key, func(z *zone, k Zone) int {
		return cmp.Or(cmp.Compare(z.Component, k.Component), cmp.Compare(z.Device, k.Device))
	})
	a.zones = slices.Insert(a.zones, i, z)
	return z
}

func (z *zone) grow(slot int) {
	for len(z.paid) <= slot {
		z.paid = append(z.paid, paid{})
	}
}

func (z *zone) reset(slot int) {
	z.grow(slot)
	z.paid[slot] = paid{}
}

func (z *zone) spent(slot int, e *entity) bool {
	p := z.paid[slot]
	switch z.Component {
	case wattle.GPU:
		return p.gpu == 0
	case wattle.DRAM:
		return p.pages == e.pages && p.cpu == e.usage.CPU
	}
	return p.cpu == e.usage.CPU
}

// takeGPU adds the use of GPUs since the last step.
func (a *Attributor) takeGPU(in Input) {
	for _, z := range a.zones {
		if z.Component == wattle.GPU {
			for i := range z.paid {
				z.paid[i].share = 0
			}
		}
	}
	for _, g := range in.GPU {
		slot, ok := a.slots[g.ID]
		z := a.byZone[Zone{wattle.GPU, g.Device}]
		if z == nil {
			continue
		}
		share := shareOf(g)
		use := uint64(math.Round(clampUnit(g.Activity) * float64(share)))
		if !ok {
			z.stray += use
			continue
		}
		z.paid[slot].share += share
		z.paid[slot].gpu += use
	}
}

// shareOf is the part of the device in millionths.
func shareOf(g GPUUse) uint64 {
	if g.Slices <= 0 || g.OfSlices <= 0 || g.Slices > g.OfSlices {
		return 1e6
	}
	return 1e6 * uint64(g.Slices) / uint64(g.OfSlices)
}

func clampUnit(f float64) float64 {
	if !(f > 0) { // NaN too
		return 0
	}
	return min(f, 1)
}

// divide spends the pending energy of z on the use since z was last divided.
// Without energy the use waits. After an interval without a figure the use is
// dropped, because later energy did not pay for it.
func (a *Attributor) divide(z *zone, sum *Charges) {
	if z.length <= 0 {
		if z.unknown {
			a.markPaid(z)
		}
		z.unknown = false
		return
	}
	idle := min(z.idle.power().For(z.length).Micro(), z.pending)
	active := z.pending - idle
	a.spread(z, active, a.claimsOnActive(z), func(e wattle.Microjoules) Charge { return Charge{Active: e} })
	a.spread(z, idle, a.claimsOnIdle(z), func(e wattle.Microjoules) Charge { return Charge{Idle: e} })
	sum[z.Component].add(Charge{active, idle})
	z.pending, z.length, z.unknown = 0, 0, false
	a.markPaid(z)
}

// spread books energy e by the claims; with no claim it is unallocated.
func (a *Attributor) spread(z *zone, e wattle.Microjoules, claims []part, as func(wattle.Microjoules) Charge) {
	if e == 0 {
		return
	}
	if !apportion(uint64(e), claims, a.byRest) {
		a.book(nobody, z.Component, as(e))
		return
	}
	for i := range claims {
		if q := claims[i].quota; q > 0 {
			a.book(claims[i].slot, z.Component, as(wattle.Microjoules(q)))
		}
	}
}

// claimsOnActive weighs containers by what they used of this kind of zone.
// Where nobody's memory is known, that of memory goes by processor time too.
func (a *Attributor) claimsOnActive(z *zone) []part {
	a.parts = a.parts[:0]
	if z.Component == wattle.DRAM && a.claim(z, memoryUse) {
		return a.parts
	}
	if z.Component == wattle.GPU {
		a.claim(z, gpuUse)
		if z.stray > 0 {
			a.parts = append(a.parts, part{weight: z.stray, slot: outside})
		}
	} else {
		a.claim(z, cpuUse)
	}
	return a.parts
}

func cpuUse(p *paid, e *entity) uint64    { return uint64(e.usage.CPU - p.cpu) }
func memoryUse(p *paid, e *entity) uint64 { return e.pages - p.pages }
func gpuUse(p *paid, _ *entity) uint64    { return p.gpu }

// claim collects all weights that are not 0 and reports whether there is any.
func (a *Attributor) claim(z *zone, weight func(*paid, *entity) uint64) bool {
	for slot := range a.entities {
		e := &a.entities[slot]
		if !e.live {
			continue
		}
		if w := weight(&z.paid[slot], e); w > 0 {
			a.parts = append(a.parts, part{weight: w, slot: slot})
		}
	}
	return len(a.parts) > 0
}

// claimsOnIdle weighs containers by what they reserve, and nobody by the rest
// of the capacity. Reservations over the capacity share it in proportion.
func (a *Attributor) claimsOnIdle(z *zone) []part {
	a.parts = a.parts[:0]
	reserved, capacity := cpuReserved, uint64(a.cfg.CPU)
	switch z.Component {
	case wattle.DRAM:
		reserved, capacity = memoryReserved, uint64(a.cfg.Memory)
	case wattle.GPU:
		reserved, capacity = gpuReserved, 1e6
	}
	a.claim(z, reserved)
	var sum uint64
	for i := range a.parts {
		sum += a.parts[i].weight
	}
	if sum < capacity {
		a.parts = append(a.parts, part{weight: capacity - sum, slot: nobody})
	}
	return a.parts
}

func cpuReserved(_ *paid, e *entity) uint64    { return uint64(max(e.owner.CPU, 0)) }
func memoryReserved(_ *paid, e *entity) uint64 { return uint64(max(e.owner.Memory, 0)) }
func gpuReserved(p *paid, _ *entity) uint64    { return p.share }

// markPaid notes that z has charged all use up to now.
func (a *Attributor) markPaid(z *zone) {
	z.stray = 0
	for slot := range a.entities {
		e, p := &a.entities[slot], &z.paid[slot]
		p.cpu, p.pages, p.gpu = e.usage.CPU, e.pages, 0
	}
}
