package telemetry

import (
	"context"
	"errors"
)

// Probe is one line of an explanation of what is metered and what is not.
type Probe struct {
	// Name is a meter ("rapl") or a zone of it ("rapl/package-0/dram").
	Name string
	// Used says whether its energy is counted.
	Used bool
	// Reason says in plain words why, and Mend what to do about it; Mend is
	// empty where nothing has to be done.
	Reason, Mend string
}

// Prober is a Meter that can explain what it found but does not list as a
// zone, for example a second interface to the same register.
type Prober interface {
	Probes() []Probe
}

// Runner is a Meter that polls a slow source in the background. Run blocks
// until ctx ends; Read answers from what Run saw last.
type Runner interface {
	Run(ctx context.Context) error
}

// Poller is a Runner that can also be asked once, for programs that exit after
// one reading. Poll takes as long as the source does, and must not run beside Run.
type Poller interface {
	Poll(ctx context.Context)
}

// Unavailable is the error of a meter, or of a zone, that cannot be used here.
type Unavailable struct {
	// Reason says why, Mend how to change that (empty if it cannot be).
	Reason, Mend string
	// Err is the cause, nil where there is none but absence.
	Err error
}

// Error returns the reason, the cause and the mend on one line.
func (u *Unavailable) Error() string {
	s := u.Reason
	if u.Err != nil {
		s += ": " + u.Err.Error()
	}
	if u.Mend != "" {
		s += " (" + u.Mend + ")"
	}
	return s
}

// Unwrap returns the cause.
func (u *Unavailable) Unwrap() error { return u.Err }

// explain turns an error into the reason and mend of a Probe.
func explain(err error) (reason, mend string) {
	var u *Unavailable
	if !errors.As(err, &u) {
		return err.Error(), ""
	}
	if u.Err != nil {
		return u.Reason + ": " + u.Err.Error(), u.Mend
	}
	return u.Reason, u.Mend
}
