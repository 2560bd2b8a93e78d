package main

import (
	"context"
	"time"
)

// clock is the machine's, or one that moves only when it is waited for.
type clock struct {
	now  func() time.Time
	wait func(time.Duration)
}

// Now returns the time.
func (c *clock) Now() time.Time { return c.now() }

// Wait returns d later, or with the reason of ctx.
func (c *clock) Wait(ctx context.Context, d time.Duration) error {
	if c.wait != nil {
		c.wait(d)
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
