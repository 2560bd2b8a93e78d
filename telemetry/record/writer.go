package record

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/wattle-project/wattle/telemetry"
)

// Writer writes a recording. It is not safe for concurrent use.
type Writer struct {
	name   string
	out    flusher
	finish func() error
	file   io.Closer // nil if the caller owns the stream

	header  Header
	started bool
	last    time.Time
	first   time.Time // as given, with its monotonic reading
	zones   [][]telemetry.Zone
	known   map[uint64]Identity
	broken  error // a line was written in part: nothing may follow it
}

// NewWriter writes to w; the extension of name says how to compress. Nothing is
// written before the first epoch.
func NewWriter(w io.Writer, name string, h Header) (*Writer, error) {
	if h.Node == "" {
		return nil, errors.New("record: the node has no name")
	}
	if h.Interval <= 0 {
		return nil, fmt.Errorf("record: interval %s: want a positive time", h.Interval)
	}
	out, finish, err := compressor(name, w)
	if err != nil {
		return nil, err
	}
	h.Meters = slices.Clone(h.Meters)
	return &Writer{name: name, out: out, finish: finish, header: h,
		zones: make([][]telemetry.Zone, len(h.Meters)), known: map[uint64]Identity{}}, nil
}

// Write appends an epoch and flushes it to the operating system. Epochs ascend.
// After a failed write, as on a full disk, all later ones fail too: the line that
// is cut off stays the last.
func (w *Writer) Write(e *Epoch) error {
	if err := w.start(e.At); err != nil {
		return err
	}
	if e.At.Before(w.last) {
		return fmt.Errorf("record: epoch at %s follows one at %s", e.At, w.last)
	}
	line, err := w.encode(e)
	if err != nil {
		return err
	}
	w.last = e.At
	return w.line(line)
}

// start writes the header once. Begun defaults to the first epoch.
func (w *Writer) start(at time.Time) error {
	if w.started {
		return nil
	}
	w.first = at
	if w.header.Begun.IsZero() {
		w.header.Begun = at
	} else {
		w.first = w.header.Begun
	}
	h := w.header
	w.started = true
	return w.line(wireHeader{Version, h.Node, h.Begun.UTC().Round(0), h.Interval.String(), h.Program, int64(h.CPU), int64(h.Memory), h.Meters, h.Settings})
}

func (w *Writer) line(v any) error {
	if w.broken != nil {
		return w.broken
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("record: %s: %w", w.name, err)
	}
	if _, err = w.out.Write(append(b, '\n')); err == nil {
		err = w.out.Flush()
	}
	if err != nil {
		w.broken = fmt.Errorf("record: %s: %w", w.name, err)
	}
	return w.broken
}

// since is the time since the recording began, by the monotonic clock where
// both instants have it.
func (w *Writer) since(t time.Time) int64 { return int64(t.Sub(w.first)) }

func (w *Writer) encode(e *Epoch) (*wireEpoch, error) {
	out := &wireEpoch{At: w.since(e.At), GPU: e.GPU, Fetches: e.Fetches, Collectors: e.Collectors}
	for _, o := range e.Owners {
		out.Owners = append(out.Owners, wireOwner{o.ID, o.Namespace, o.Pod, o.Function, int64(o.CPU), int64(o.Memory)})
	}
	for i := range e.Meters {
		r, err := w.round(&e.Meters[i], e.At)
		if err != nil {
			return nil, err
		}
		out.Meters = append(out.Meters, r)
	}
	if e.Usage != nil {
		out.Usage = w.usage(e.Usage)
	}
	for _, b := range e.Invocations {
		out.Invocations = append(out.Invocations, wireBatch{w.since(b.From), w.since(b.To), b.Runs, b.ControlPlane, b.Failed, b.Late})
	}
	for _, s := range e.Signals {
		out.Signals = append(out.Signals, signalToWire(s))
	}
	for _, p := range e.Prices {
		out.Prices = append(out.Prices, priceToWire(p))
	}
	return out, nil
}

func (w *Writer) round(m *MeterRound, at time.Time) (wireRound, error) {
	if m.Meter < 0 || m.Meter >= len(w.zones) {
		return wireRound{}, fmt.Errorf("record: meter %d is not one of the %d in the header", m.Meter, len(w.zones))
	}
	out := wireRound{Meter: m.Meter, Err: textOf(m.Err)}
	if !slices.Equal(m.Zones, w.zones[m.Meter]) {
		zones := make([]wireZone, 0, len(m.Zones))
		for _, z := range m.Zones {
			zones = append(zones, zoneToWire(z))
		}
		out.Zones, w.zones[m.Meter] = &zones, slices.Clone(m.Zones)
	}
	for _, r := range m.Readings {
		out.Readings = append(out.Readings, readingToWire(r, at))
	}
	return out, nil
}

// usage names a cgroup when it is first seen and forgets it with its last report.
func (w *Writer) usage(u *UsageRound) *wireUsages {
	out := &wireUsages{Err: textOf(u.Err), Of: make([]wireUsage, 0, len(u.Of))}
	for i := range u.Of {
		x := &u.Of[i]
		before, ok := w.known[x.ID]
		out.Of = append(out.Of, usageToWire(x, ok && before == x.Identity))
		w.known[x.ID] = x.Identity
		if x.Gone {
			delete(w.known, x.ID)
		}
	}
	return out
}

// Close ends the stream, and closes the file that Create opened.
func (w *Writer) Close() error {
	err := w.finish()
	if w.file != nil {
		err = errors.Join(err, w.file.Close())
	}
	if err != nil {
		return fmt.Errorf("record: %s: %w", w.name, err)
	}
	return nil
}
