package wattle

import "time"

// EventKind names what happened to the core's world.
type EventKind uint8

// Events that Core.Step understands. At one instant they are handled in this
// order: finished, price epoch, arrived (and its started), then expiries; so an
// instance that finishes or is ready at t serves an arrival at t, and one whose
// keep-alive ends at t still serves an arrival at t.
const (
	Finished EventKind = iota // an invocation ended on Instance
	Epoch                     // signals, prices or the fleet changed
	Arrived                   // an invocation of Function arrived
	Started                   // an invocation began on Instance (Sandbox says how)
	Expired                   // the keep-alive of Instance ended
	Pressure                  // Target needs Need; idle instances must go
	Due                       // the pre-warm with Token is due: Prewarm to go on
)

func eventNames() []string {
	return []string{"finished", "epoch", "arrived", "started", "expired", "pressure", "due"}
}

// String returns the event's name.
func (k EventKind) String() string { return nameOf(eventNames(), int(k)) }

// Event is one change that the lifecycle part of the core reacts to.
type Event struct {
	Kind     EventKind
	Function *Function
	Target   int32
	Instance InstanceID
	Sandbox  Sandbox
	Need     Resources
	// Lifecycle holds the bounds that the deciding policy set.
	Lifecycle LifecycleBounds
	// Token is that of the Prewarm action which is Due.
	Token uint64
}

// ActionKind names what the driver must do.
type ActionKind uint8

// Actions that Core.Step returns.
const (
	// Keep holds Instance warm until At; At in the past or now means evict.
	Keep ActionKind = iota
	// Evict ends Instance at once.
	Evict
	// Prewarm starts an instance of Function on Target at At and holds it until Until.
	Prewarm
	// WakeAt asks for an Epoch event at At.
	WakeAt
	// Defer holds the request until At.
	Defer
)

func actionNames() []string { return []string{"keep", "evict", "prewarm", "wake-at", "defer"} }

// String returns the action's name.
func (k ActionKind) String() string { return nameOf(actionNames(), int(k)) }

// Action is an instruction to the driver. The slice that Step returns is the
// core's own and valid until the next Step.
type Action struct {
	Kind      ActionKind
	Instance  InstanceID
	Function  *Function
	Target    int32
	At, Until time.Time
	Copies    int32
	// Token, if not 0, makes a Prewarm conditional: at its time the driver sends
	// Due with the token and goes on only if the answer is a Prewarm.
	Token uint64
}
