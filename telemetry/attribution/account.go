package attribution

import (
	"cmp"

	"github.com/wattle-project/wattle"
)

// components is the number of wattle.Components.
const components = int(wattle.OtherComponent) + 1

// Charge is energy by reason.
type Charge struct {
	Active wattle.Microjoules // dynamic: caused by work
	Idle   wattle.Microjoules // share of idle power
}

// Sum is both together.
func (c Charge) Sum() wattle.Microjoules { return c.Active + c.Idle }

func (c *Charge) add(o Charge) {
	c.Active += o.Active
	c.Idle += o.Idle
}

// Charges holds a Charge per component, indexed by wattle.Component.
type Charges [components]Charge

// Sum adds all components.
func (c *Charges) Sum() Charge {
	var s Charge
	for _, x := range c {
		s.add(x)
	}
	return s
}

func (c *Charges) add(o *Charges) {
	for i := range c {
		c[i].add(o[i])
	}
}

// Account is the energy of one function since the start.
type Account struct {
	Namespace, Function string
	Charges             Charges
}

// Balance is where the energy of one component is.
type Balance struct {
	Metered     wattle.Microjoules // all that was taken in
	Functions   wattle.Microjoules // booked to owners
	System      wattle.Microjoules // work outside containers, or without known owner
	Unallocated wattle.Microjoules // idle that nobody reserves, or no use at all
	Held        wattle.Microjoules // waits for the name of an owner
	Pending     wattle.Microjoules // waits for a reading of use
}

// AppendAccounts adds a copy of every account, ordered by namespace and function.
func (a *Attributor) AppendAccounts(dst []Account) []Account {
	for _, acc := range a.sorted {
		dst = append(dst, *acc)
	}
	return dst
}

func compareAccounts(x, y *Account) int {
	return cmp.Or(cmp.Compare(x.Namespace, y.Namespace), cmp.Compare(x.Function, y.Function))
}

// System is the energy of work outside containers and of containers without a
// known owner ("unattributed in slice").
func (a *Attributor) System() Charges { return a.system.Charges }

// Unallocated is idle energy that nobody reserves and energy of intervals in
// which nothing ran.
func (a *Attributor) Unallocated() Charges { return a.rest }

// Balance closes exactly for every component:
// Metered = Functions + System + Unallocated + Held + Pending.
func (a *Attributor) Balance(c wattle.Component) Balance {
	b := Balance{System: a.system.Charges[c].Sum(), Unallocated: a.rest[c].Sum()}
	for _, z := range a.zones {
		if z.Component == c {
			b.Metered += z.metered
			b.Pending += z.pending
		}
	}
	for _, acc := range a.sorted {
		b.Functions += acc.Charges[c].Sum()
	}
	for i := range a.entities {
		b.Held += a.entities[i].held[c].Sum()
	}
	return b
}

// IdlePower is the idle power that is used for z now, and whether z is known.
func (a *Attributor) IdlePower(z Zone) (wattle.Watts, bool) {
	if p, ok := a.byZone[z]; ok {
		return p.idle.power(), true
	}
	return 0, false
}
