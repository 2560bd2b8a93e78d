package lifecycle

import "time"

// Fixed keeps every copy for the same time on the same option.
type Fixed struct {
	keep   time.Duration
	option int32
}

// Decide keeps all copies for the fixed time.
func (f *Fixed) Decide(c *Case, dst []Span) []Span {
	return append(dst, Span{f.option, c.Invocations, c.Now, c.Now + f.keep})
}

// ColdOption is the option that copies are kept on.
func (f *Fixed) ColdOption(*Case) int32 { return f.option }
