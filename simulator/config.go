package simulator

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/scheduler"
	"github.com/wattle-project/wattle/scheduler/state"
	"github.com/wattle-project/wattle/simulator/trace"
)

// Config is one run: one policy on one workload.
type Config struct {
	Fleet *state.Fleet
	// Functions is indexed like the trace's functions.
	Functions []wattle.Function
	Trace     trace.Trace
	// Start is the simulated time of the first instant, Horizon how long the
	// run lasts. Reservations and meters are clipped at the horizon.
	Start   time.Time
	Horizon time.Duration
	// Slot is the accounting period; intensities are constant within one.
	Slot time.Duration
	// Grid is what the grids really do: [cluster][slot], one slot per Slot from
	// Start, at least to the horizon.
	Grid [][]wattle.GramsPerKWh
	// Feed is what the scheduler sees of the grids; nil shows the actual value
	// of the slot and no forecast.
	Feed Feed
	// Core is the decision core to run. Keeper, Policy and Chooser must not be
	// shared between runs.
	Core scheduler.Config
	Pick state.Pick
	// Queue bounds how many requests may wait for one target or function:
	// 0 rejects at once, a negative number is no bound. Order says whether a
	// newcomer may pass those who wait.
	Queue int
	Order Order
	// Congestion sets prices every PriceEpoch; 0 disables.
	Congestion scheduler.Congestion
	PriceEpoch time.Duration
	// Network is the energy of data in the report.
	Network wattle.KWhPerGB
	// Held asks for Result.Held.
	Held bool
	// Explain lists sequence numbers of decisions whose table is kept.
	Explain []uint64
	// OnEpoch is called when a slot begins, before decisions see its signals;
	// policies that read a clock are told the time here.
	OnEpoch func(now time.Time)
	// Progress is called once per simulated slot with the share done in [0, 1].
	Progress func(float64)
}

// Feed tells what the scheduler knows of a cluster's grid at a time.
type Feed interface {
	Observe(cluster int, now time.Time) state.ZoneSignal
}

// MarginalFeed is a Feed that knows marginal intensities too, for policies that ask
// for them. A zone without any answers with the zero ZoneSignal.
type MarginalFeed interface {
	Feed
	Marginal(cluster int, now time.Time) state.ZoneSignal
}

// Validate says what is missing or contradictory.
func (c *Config) Validate() error {
	switch {
	case c.Fleet == nil || len(c.Fleet.Targets) == 0:
		return errors.New("simulator: the fleet has no targets")
	case c.Trace == nil || len(c.Functions) != len(c.Trace.Functions()):
		return errors.New("simulator: functions and the trace's functions must correspond one to one")
	case c.Horizon <= 0 || c.Slot <= 0:
		return errors.New("simulator: horizon and slot must be above 0")
	case c.Slot%time.Microsecond != 0 || c.Start.Nanosecond()%1000 != 0:
		return errors.New("simulator: start and slot must be whole microseconds")
	case len(c.Grid) != len(c.Fleet.Clusters):
		return fmt.Errorf("simulator: %d grids for %d clusters", len(c.Grid), len(c.Fleet.Clusters))
	}
	if e := c.atRest(); e > math.MaxInt64/2 {
		return fmt.Errorf("simulator: the fleet draws %.3g µJ at rest until the horizon, more than can be counted: shorten the horizon or shrink the fleet", e)
	}
	for i, g := range c.Grid {
		if len(g) < c.slots() {
			return fmt.Errorf("simulator: the grid of %s has %d slots, want %d", c.Fleet.Clusters[i].ID, len(g), c.slots())
		}
		for k, v := range g {
			if !v.Valid() {
				return fmt.Errorf("simulator: the grid of %s is %g g/kWh in slot %d", c.Fleet.Clusters[i].ID, float64(v), k)
			}
		}
	}
	return nil
}

// atRest is the µJ that the whole fleet would draw without work.
func (c *Config) atRest() (sum float64) {
	for i := range c.Fleet.Pools {
		p := &c.Fleet.Pools[i]
		sum += float64(float64(p.Machine.Idle())*float64(p.Nodes)) * c.Horizon.Seconds() * 1e6
	}
	return sum
}

// slots is the number of slots that the horizon touches.
func (c *Config) slots() int { return int((c.Horizon + c.Slot - 1) / c.Slot) }
