package host

import "time"

// State is where a plugin is in its life.
type State uint8

// States of a plugin.
const (
	Stopped  State = iota // Run is not running
	Starting              // a process is being started and checked
	Serving               // a process answers
	Waiting               // the last process ended; a start follows
	Open                  // the breaker is open after too many failures
)

// String returns the label value.
func (s State) String() string {
	names := []string{"stopped", "starting", "serving", "waiting", "open"}
	if int(s) >= len(names) {
		return "invalid"
	}
	return names[s]
}

// Status is what a Meter knows of its process.
type Status struct {
	State State
	PID   int // of the process, 0 when there is none
	// Starts counts processes that answered; Failures counts ends and starts
	// that failed.
	Starts, Failures int
	LastError        error
	// LastRead is when the last good answer arrived.
	LastRead time.Time
	// Next is when the next start is due, while Waiting or Open.
	Next time.Time
}
