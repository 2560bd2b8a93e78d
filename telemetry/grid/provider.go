package grid

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/wattle-project/wattle"
)

// Provider fetches series from one place. Calls may block on the network; a
// Feed makes them in the background only, never two at once for one provider.
type Provider interface {
	// Name is the provider's label in signals and metrics.
	Name() string
	// Describe says what the provider's numbers are.
	Describe() Description
	// Actual returns values from about since until now; since is zero when
	// nothing is known yet. It returns ErrNoActual where the provider has none,
	// and otherwise a *Failure.
	Actual(ctx context.Context, zone wattle.ZoneID, since time.Time) (Actual, error)
	// Forecast returns values from now on, ErrNoForecast where the provider or
	// the plan has none, and otherwise a *Failure.
	Forecast(ctx context.Context, zone wattle.ZoneID) (Forecast, error)
}

// Description is what all values of one provider have in common.
type Description struct {
	Kind  wattle.SignalKind
	Scope wattle.SignalScope
	// Period is the usual length of one value. The last good value serves for
	// two periods, and an answer whose newest value ended earlier is stale.
	Period time.Duration
}

func (d Description) key(zone wattle.ZoneID) Key { return Key{zone, d.Kind, d.Scope} }

// ErrNoForecast says that a provider has no forecast for a zone.
var ErrNoForecast = errors.New("no forecast")

// ErrNoActual says that a provider has no actual values for a zone.
var ErrNoActual = errors.New("no actual values")

// Outcome classes the result of one fetch.
type Outcome uint8

// Outcomes of a fetch.
const (
	OK           Outcome = iota
	Stale                // well formed, but older than two periods
	Absent               // the provider has nothing of this sort
	Unauthorized         // 401: a wrong key, or a burst under a right one
	Forbidden            // 403: the plan excludes this
	NotFound             // 404
	Throttled            // 429
	ServerFault          // 5xx
	OddStatus            // any other status
	TimedOut             // no complete answer within the time-out
	Unreachable          // no connection, or it broke
	TooLarge             // body over the limit
	Malformed            // HTML, cut off, or not of the documented shape
	Invalid              // no usable value: null, ≤ 0, not a number, > 3000 g/kWh
	WrongZone            // an answer for another zone than asked, or another kind
	outcomeCount
)

func outcomeNames() [outcomeCount]string {
	return [...]string{"ok", "stale", "absent", "unauthorized", "forbidden", "not_found", "throttled", "server_error",
		"odd_status", "timeout", "unreachable", "too_large", "malformed", "invalid", "wrong_zone"}
}

// String returns the label value used in metrics.
func (o Outcome) String() string {
	if o >= outcomeCount {
		return fmt.Sprintf("invalid(%d)", uint8(o))
	}
	return outcomeNames()[o]
}

// Failure is the error of a fetch. It names no credential and no query string.
type Failure struct {
	Provider string
	Zone     wattle.ZoneID
	Outcome  Outcome
	// Status is the HTTP status, 0 when there was no answer.
	Status int
	// RetryAfter is how long the server asked to be left alone, 0 if it did not.
	RetryAfter time.Duration
	Err        error
}

// Error says which provider and zone failed, how, and what would mend it.
func (f *Failure) Error() string {
	s := fmt.Sprintf("%s zone %s: %s", f.Provider, f.Zone, f.Outcome)
	if f.Status != 0 {
		s += fmt.Sprintf(" (HTTP %d)", f.Status)
	}
	if f.RetryAfter > 0 {
		s += fmt.Sprintf(", retry after %s", f.RetryAfter)
	}
	if f.Err != nil {
		s += ": " + f.Err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (f *Failure) Unwrap() error { return f.Err }

// outcomeOf classes err; nil is OK.
func outcomeOf(err error) Outcome {
	var f *Failure
	switch {
	case err == nil:
		return OK
	case errors.As(err, &f):
		return f.Outcome
	case errors.Is(err, ErrNoForecast), errors.Is(err, ErrNoActual):
		return Absent
	case errors.Is(err, context.DeadlineExceeded):
		return TimedOut
	}
	return Malformed
}
