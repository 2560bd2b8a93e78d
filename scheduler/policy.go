package scheduler

import "github.com/wattle-project/wattle"

// Policy says what is wanted and what is forbidden. It is called when a plan
// is built, never per invocation, and always with a whole batch of candidates
// over columns, so that an interpreter, compiled closures or column programs
// can stand behind it without a change above.
type Policy interface {
	// Digest identifies the policy's text; equal digests decide equally.
	Digest() string
	// Intent returns the limits, objective and lifecycle bounds for a request.
	// It must depend on the function and its parameters alone.
	Intent(f *wattle.Function, p *wattle.Params) wattle.Intent
	// Judge fills v, which has been Reset to the batch's length. attrs is
	// indexed by c.Target. Candidate i must be judged by its own row alone.
	Judge(f *wattle.Function, p *wattle.Params, attrs []wattle.Attributes, c *wattle.Columns, v *wattle.Verdicts)
}
