package record

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/telemetry"
)

// maxLine bounds one epoch: some hundred thousand cgroups.
const maxLine = 64 << 20

// Reader reads a recording. It is not safe for concurrent use.
type Reader struct {
	name    string
	lines   *bufio.Reader
	release func()
	file    io.Closer

	header    Header
	line      int
	last      int64
	zones     [][]telemetry.Zone
	known     map[uint64]Identity
	buf       []byte
	truncated string
}

// NewReader reads the header from r; the extension of name says how the text is
// compressed, and errors name it.
func NewReader(r io.Reader, name string) (*Reader, error) {
	plain, release, err := decompressor(name, r)
	if err != nil {
		return nil, err
	}
	out := &Reader{name: name, lines: bufio.NewReaderSize(plain, 64<<10), release: release, known: map[uint64]Identity{}}
	if err := out.readHeader(); err != nil {
		release()
		return nil, err
	}
	out.zones = make([][]telemetry.Zone, len(out.header.Meters))
	return out, nil
}

// Header is the recording's. Its slice and map must not be changed.
func (r *Reader) Header() Header { return r.header }

// Truncated says what was left out at the end of a recording that was cut off;
// it is empty for a whole one, and before Next has returned io.EOF.
func (r *Reader) Truncated() string { return r.truncated }

// Close releases the reader, and closes the file that Open opened.
func (r *Reader) Close() error {
	r.release()
	if r.file == nil {
		return nil
	}
	return r.file.Close()
}

func (r *Reader) readHeader() error {
	line, err := r.readLine()
	if err != nil && len(line) == 0 {
		if errors.Is(err, io.EOF) {
			err = errors.New("empty, not a recording")
		}
		return r.fail(err)
	}
	var probe struct {
		Version *int `json:"wattle_recording"`
	}
	if json.Unmarshal(line, &probe) != nil || probe.Version == nil {
		return r.fail(errors.New(`not a recording: the first line has to start like {"wattle_recording":1`))
	}
	if *probe.Version != Version {
		return r.fail(fmt.Errorf("recording of version %d, this program reads version %d", *probe.Version, Version))
	}
	var w wireHeader
	if err := strict(line, &w); err != nil {
		return r.fail(err)
	}
	every, err := time.ParseDuration(w.Interval)
	switch {
	case err != nil || every <= 0:
		return r.fail(fmt.Errorf("interval %q: want a positive time such as \"1s\"", w.Interval))
	case w.Node == "":
		return r.fail(errors.New("the node has no name"))
	case w.Begun.Year() < 1970 || w.Begun.Year() > 2200:
		return r.fail(fmt.Errorf("begun %s: want a year from 1970 to 2200", w.Begun))
	case w.CPU < 0 || w.Memory < 0:
		return r.fail(errors.New("negative capacity of the node"))
	}
	r.header = Header{w.Node, w.Begun.UTC(), every, w.Program, wattle.MilliCPU(w.CPU), wattle.Bytes(w.Memory), w.Meters, w.Settings}
	return nil
}

// Next returns the next epoch, or io.EOF at the end. The epoch is the caller's.
func (r *Reader) Next() (*Epoch, error) {
	line, err := r.readLine()
	switch {
	case errors.Is(err, io.EOF) && len(line) == 0:
		return nil, io.EOF
	case err != nil && !errors.Is(err, io.EOF):
		return nil, r.fail(err)
	}
	var w wireEpoch
	if bad := strict(line, &w); bad != nil {
		if errors.Is(err, io.EOF) { // no end of line: the writer was interrupted
			r.truncated = fmt.Sprintf("%s:%d: the last line is cut off after %d bytes and is left out", r.name, r.line, len(line))
			return nil, io.EOF
		}
		return nil, r.fail(bad)
	}
	e, err := r.decode(&w)
	if err != nil {
		return nil, r.fail(err)
	}
	return e, nil
}

// readLine returns a line without its end, and io.EOF with or without a rest. A
// compressed stream that breaks off ends like a text that does.
func (r *Reader) readLine() ([]byte, error) {
	r.line++
	r.buf = r.buf[:0]
	for {
		part, err := r.lines.ReadSlice('\n')
		r.buf = append(r.buf, part...)
		switch {
		case len(r.buf) > maxLine:
			return nil, fmt.Errorf("line of more than %d bytes", maxLine)
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.ErrUnexpectedEOF):
			if r.truncated = fmt.Sprintf("%s: the compressed stream is cut off", r.name); len(r.buf) == 0 {
				r.line--
			}
			return r.buf, io.EOF
		case err != nil:
			return r.buf, err
		}
		return bytes.TrimSuffix(r.buf, []byte("\n")), nil
	}
}

// strict decodes one object and nothing else.
func strict(line []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		if errors.Is(err, io.EOF) {
			return errors.New("empty line")
		}
		return place(err)
	}
	if rest := bytes.TrimSpace(line[d.InputOffset():]); len(rest) > 0 {
		return fmt.Errorf("column %d: text after the object", d.InputOffset()+1)
	}
	return nil
}

// place adds the column that encoding/json knows.
func place(err error) error {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return fmt.Errorf("column %d: %w", syntax.Offset, err)
	case errors.As(err, &kind):
		return fmt.Errorf("column %d: %w", kind.Offset, err)
	}
	return err
}

func (r *Reader) fail(err error) error { return fmt.Errorf("%s:%d: %w", r.name, r.line, err) }

// maxSince bounds instants so that no sum of two overflows.
const maxSince = int64(100 * 365 * 24 * time.Hour)

func (r *Reader) instant(since int64) (time.Time, error) {
	if since < -maxSince || since > maxSince {
		return time.Time{}, fmt.Errorf("instant %d ns is not within a hundred years of the start", since)
	}
	return r.header.Begun.Add(time.Duration(since)), nil
}

func (r *Reader) decode(w *wireEpoch) (*Epoch, error) {
	at, err := r.instant(w.At)
	if err != nil {
		return nil, err
	}
	if w.At < r.last {
		return nil, fmt.Errorf("epoch at %d ns follows one at %d ns", w.At, r.last)
	}
	r.last = w.At
	e := &Epoch{At: at, GPU: w.GPU, Fetches: w.Fetches, Collectors: w.Collectors}
	for i := range w.Meters {
		m, err := r.round(&w.Meters[i], at)
		if err != nil {
			return nil, err
		}
		e.Meters = append(e.Meters, m)
	}
	if e.Usage, err = r.usage(w.Usage); err != nil {
		return nil, err
	}
	for _, g := range w.GPU {
		if g.Device == "" || !(g.Activity >= 0 && g.Activity <= 1) {
			return nil, fmt.Errorf("use of GPU %q: activity %g is not within 0 to 1", g.Device, g.Activity)
		}
	}
	for _, f := range w.Fetches {
		if f.Feed == "" || f.Provider == "" || f.Outcome == "" || f.Count < 0 {
			return nil, fmt.Errorf("fetches %+v: a name is missing or the count is negative", f)
		}
	}
	for _, c := range w.Collectors {
		if c.Name == "" {
			return nil, errors.New("a collector has no name")
		}
	}
	return e, errors.Join(r.batches(w, e), r.feeds(w, e))
}

func (r *Reader) round(w *wireRound, at time.Time) (MeterRound, error) {
	m := MeterRound{Meter: w.Meter, Err: errorOf(w.Err)}
	if w.Meter < 0 || w.Meter >= len(r.zones) {
		return m, fmt.Errorf("meter %d: the header names %d", w.Meter, len(r.zones))
	}
	if w.Zones != nil {
		zones := make([]telemetry.Zone, 0, len(*w.Zones))
		for _, x := range *w.Zones {
			z, err := x.zone()
			if err != nil {
				return m, fmt.Errorf("meter %d: %w", w.Meter, err)
			}
			zones = append(zones, z)
		}
		r.zones[w.Meter] = zones
	}
	m.Zones = slices.Clone(r.zones[w.Meter])
	for _, x := range w.Readings {
		if x.At < -maxSince || x.At > maxSince {
			return m, fmt.Errorf("meter %d: reading %d ns from its epoch", w.Meter, x.At)
		}
		reading, err := x.reading(at, len(m.Zones))
		if err != nil {
			return m, fmt.Errorf("meter %d: %w", w.Meter, err)
		}
		m.Readings = append(m.Readings, reading)
	}
	return m, nil
}

func (r *Reader) usage(w *wireUsages) (*UsageRound, error) {
	if w == nil {
		return nil, nil
	}
	out := &UsageRound{Err: errorOf(w.Err), Of: make([]Usage, 0, len(w.Of))}
	for i := range w.Of {
		x := &w.Of[i]
		u := Usage{ID: x.ID, CPU: x.CPU, Gone: x.Gone, Err: errorOf(x.Err)}
		known, ok := r.known[x.ID]
		switch {
		case x.Who != nil:
			u.Identity = *x.Who
		case ok:
			u.Identity = known
		default:
			return nil, fmt.Errorf("cgroup %d is not said to be who, here or in an earlier epoch", x.ID)
		}
		if x.Memory != nil {
			u.Memory, u.HasMemory = wattle.Bytes(*x.Memory), true
		}
		if x.CPU < 0 || u.Memory < 0 {
			return nil, fmt.Errorf("cgroup %d: negative processor time or memory", x.ID)
		}
		r.known[x.ID] = u.Identity
		if u.Gone {
			delete(r.known, x.ID)
		}
		out.Of = append(out.Of, u)
	}
	return out, nil
}

func (r *Reader) batches(w *wireEpoch, e *Epoch) error {
	for _, b := range w.Invocations {
		from, err := r.instant(b.From)
		to, late := r.instant(b.To)
		if err = errors.Join(err, late); err != nil {
			return err
		}
		sane := b.To >= b.From && b.Failed >= 0 && b.ControlPlane >= 0
		for _, x := range b.Runs {
			sane = sane && x.Function != "" && x.Count >= 0 && x.Seconds >= 0 && x.Cold >= 0 && x.ColdSeconds >= 0 && x.Untold >= 0
		}
		if !sane {
			return errors.New("invocations: a run without function, a negative figure, or an end before the start")
		}
		e.Invocations = append(e.Invocations, Batch{from, to, b.Runs, b.ControlPlane, b.Failed, b.Late})
	}
	return nil
}

func (r *Reader) feeds(w *wireEpoch, e *Epoch) error {
	for _, o := range w.Owners {
		if o.CPU < 0 || o.Memory < 0 {
			return fmt.Errorf("owner of cgroup %d reserves a negative amount", o.ID)
		}
		e.Owners = append(e.Owners, Owner{o.ID, o.Namespace, o.Pod, o.Function, wattle.MilliCPU(o.CPU), wattle.Bytes(o.Memory)})
	}
	for _, x := range w.Signals {
		s, err := x.signal()
		if err != nil {
			return err
		}
		e.Signals = append(e.Signals, s)
	}
	for _, x := range w.Prices {
		p, err := x.price()
		if err != nil {
			return err
		}
		e.Prices = append(e.Prices, p)
	}
	return nil
}
