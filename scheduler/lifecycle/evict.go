package lifecycle

import (
	"fmt"
	"time"

	"github.com/wattle-project/wattle"
)

// Victim is an idle copy that may have to leave when memory is short.
type Victim struct {
	// Used is when it last ran, Expires when it would leave by itself.
	Used, Expires time.Duration
	// Uses counts the runs of its function since it last had no copy.
	Uses int64
	// Start is how long starting another takes, and Memory what this one holds.
	Start  time.Duration
	Memory wattle.Bytes
	// Clock is the evictor's clock when the copy was last used; see Evictor.
	Clock float64
	// ID breaks ties: the lower leaves first.
	ID wattle.InstanceID
}

// Order is the order in which idle copies leave.
type Order uint8

// Orders of eviction.
const (
	LeastRecent   Order = iota // longest unused first
	SoonestExpiry              // the one that would leave first anyway
	// GreedyDual is FaasCache's priority clock + uses·start/memory (Fuerst and
	// Sharma, ASPLOS 2021): seldom used, quickly started, large copies go first.
	GreedyDual
)

func orderNames() []string { return []string{"lru", "ttl", "greedy-dual"} }

// String returns the order's name.
func (o Order) String() string {
	if int(o) < len(orderNames()) {
		return orderNames()[o]
	}
	return fmt.Sprintf("invalid(%d)", uint8(o))
}

// Evictor chooses victims in an Order. The zero value evicts the least recent.
type Evictor struct {
	Order Order
	clock float64
}

// Clock is the value to store in a Victim when it is used: under GreedyDual it
// rises to the priority of each victim, so that copies age.
func (e *Evictor) Clock() float64 { return e.clock }

// Priority is the worth of v; the least leaves first.
func (e *Evictor) Priority(v *Victim) float64 {
	switch e.Order {
	case SoonestExpiry:
		return v.Expires.Seconds()
	case GreedyDual:
		return v.Clock + float64(v.Uses)*v.Start.Seconds()/max(v.Memory.GiB(), 1e-9)
	}
	return v.Used.Seconds()
}

// Choose returns the index of the copy that leaves, -1 if there is none.
func (e *Evictor) Choose(idle []Victim) int {
	best, least := -1, 0.0
	for i := range idle {
		p := e.Priority(&idle[i])
		if best < 0 || p < least || p == least && idle[i].ID < idle[best].ID {
			best, least = i, p
		}
	}
	if best >= 0 && e.Order == GreedyDual {
		e.clock = max(e.clock, least)
	}
	return best
}

// Bound applies the policy author's bounds of c to spans: KeepAliveMin extends and
// KeepAliveMax shortens those that begin now, NoPrewarm drops the others.
func Bound(c *Case, spans []Span) []Span {
	kept := spans[:0]
	b := &c.Bounds
	for _, s := range spans {
		if s.From > c.Now && b.NoPrewarm {
			continue
		}
		s.Until = max(s.Until, s.From+b.KeepAliveMin)
		if b.KeepAliveMax > 0 {
			s.Until = min(s.Until, s.From+b.KeepAliveMax)
		}
		kept = append(kept, s)
	}
	return kept
}
