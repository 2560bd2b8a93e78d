package experiment

import (
	"context"
	"fmt"
	"log/slog"
)

// failure is a log handler that keeps the first thing that went wrong with a
// policy. A daemon serves a stand-in and goes on; a simulation of a policy that
// cannot be evaluated would be one of another policy, so it ends.
type failure struct{ text string }

// Enabled takes every level.
func (*failure) Enabled(context.Context, slog.Level) bool { return true }

// Handle keeps the first record.
func (f *failure) Handle(_ context.Context, r slog.Record) error {
	if f.text != "" {
		return nil
	}
	f.text = r.Message
	r.Attrs(func(a slog.Attr) bool {
		if v := a.Value.String(); v != "" {
			f.text += fmt.Sprintf(", %s %s", a.Key, v)
		}
		return true
	})
	return nil
}

// WithAttrs returns f: records carry all that is needed.
func (f *failure) WithAttrs([]slog.Attr) slog.Handler { return f }

// WithGroup returns f.
func (f *failure) WithGroup(string) slog.Handler { return f }

func (f *failure) error() error {
	if f.text == "" {
		return nil
	}
	return fmt.Errorf("the result would be that of another policy: %s; see \"wattle policy eval\"", f.text)
}
