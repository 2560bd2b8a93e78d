package host

import (
	"context"
	"errors"
	"time"
)

// Run keeps a process of the plugin alive until ctx ends, and returns the
// reason of ctx. No process is left when it returns.
func (m *Meter) Run(ctx context.Context) error {
	pace := newPacer(m.cfg.Restart)
	defer m.update(func(s *Status) { s.State, s.PID, s.Next = Stopped, 0, time.Time{} })
	for ctx.Err() == nil {
		lived, err := m.once(ctx)
		if ctx.Err() != nil {
			break
		}
		wait, open := pace.ended(lived)
		m.update(func(s *Status) {
			s.State, s.PID, s.LastError, s.Next = Waiting, 0, err, time.Now().Add(wait)
			s.Failures++
			if open {
				s.State = Open
			}
		})
		pause(ctx, wait)
	}
	return ctx.Err()
}

// once starts a process and looks after it until it ends or is given up. It
// returns how long it served and why it ended.
func (m *Meter) once(ctx context.Context) (time.Duration, error) {
	m.update(func(s *Status) { s.State, s.Next = Starting, time.Time{} })
	s, err := m.launch(ctx)
	if err != nil {
		return 0, err
	}
	defer s.kill()
	started := time.Now()
	m.mu.Lock()
	m.current, m.caps = s, s.capabilities()
	m.mu.Unlock()
	m.update(func(st *Status) { st.State, st.PID, st.LastError = Serving, s.pid(), nil; st.Starts++ })
	err = m.watch(ctx, s)
	m.mu.Lock()
	m.current = nil
	m.mu.Unlock()
	return time.Since(started), err
}

// watch returns when s is dead or given up, or ctx ends.
func (m *Meter) watch(ctx context.Context, s session) error {
	tick := time.NewTicker(m.cfg.Probe)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-m.kick:
		case <-tick.C:
		}
		m.mu.Lock()
		given, why := m.current != s, m.status.LastError
		m.mu.Unlock()
		if given {
			return why
		}
		if !s.alive() {
			return errors.New("the plugin's process ended")
		}
	}
}

// update changes the status and tells about it.
func (m *Meter) update(change func(*Status)) {
	m.mu.Lock()
	change(&m.status)
	now := m.status
	m.mu.Unlock()
	if m.cfg.Notify != nil {
		m.cfg.Notify(now)
	}
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
