package trace

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/simulator/trace/tabular"
	"github.com/wattle-project/wattle/simulator/workload/random"
)

// maxSeconds bounds times and durations: 30 years.
const maxSeconds = 1e9

// eventTrace is a Trace of files with one row per invocation. It is read twice:
// once for the functions, their means and how far rows are out of order; then
// for each replay, which holds only the rows that are still out of order.
type eventTrace struct {
	config    Config
	files     []tabular.File
	columns   columns
	rows      map[identity]int32 // → function of the file
	kept      []int32            // function of the file → function of the table, or −1
	functions []Function
	disorder  int64 // the most that a row begins before one above it
	first     int   // the window in minutes
	end       int
}

// columns says where a row holds what. Start = time, or time − duration when
// ends is set.
type columns struct {
	app, function, time, duration string // app and duration may be empty
	ends                          bool
}

func azure2021Columns() columns {
	return columns{app: "app", function: "func", time: "end_timestamp", duration: "duration", ends: true}
}

func eventColumns() columns {
	return columns{function: "function", time: "time_s", duration: "duration_s?"}
}

// ReadAzure2021 reads the Azure Functions Invocation Trace 2021: see the format
// "azure-2021" in the package documentation.
func ReadAzure2021(path string, c Config) (Trace, error) {
	return findEvents(path, c, azure2021Columns())
}

// ReadEvents reads rows of time_s, function, duration_s: see the format
// "events" in the package documentation.
func ReadEvents(path string, c Config) (Trace, error) {
	return findEvents(path, c, eventColumns())
}

func findEvents(path string, c Config, cols columns) (Trace, error) {
	files, err := tabular.Find(path)
	if err != nil {
		return nil, err
	}
	return readEventFiles(files, c, cols)
}

func readEventFiles(files []tabular.File, c Config, cols columns) (Trace, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	t := &eventTrace{config: c, files: files, columns: cols, rows: map[identity]int32{}}
	if err := t.scan(); err != nil {
		return nil, err
	}
	return t, nil
}

// event is one row.
type event struct {
	start    int64 // ns since the trace began
	seconds  float64
	timed    bool  // the row says how long it took
	function int32 // of the file
}

// scan is the first reading.
func (t *eventTrace) scan() error {
	s := &eventReader{trace: t, grow: true}
	latest, any := int64(0), false
	for {
		e, err := s.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return errors.Join(err, s.Close())
		}
		if e.start < 0 {
			continue
		}
		t.disorder = max(t.disorder, latest-e.start)
		latest, any = max(latest, e.start), true
	}
	if !any {
		return fmt.Errorf("%s holds no invocation that begins at or after time 0", t.files[0].Name)
	}
	var err error
	if t.first, t.end, err = t.config.minutes(int(latest/window) + 1); err != nil {
		return err
	}
	return t.measure()
}

// measure reads again for what the window holds of each function.
func (t *eventTrace) measure() error {
	sums, timed := make([]float64, len(t.functions)), make([]bool, len(t.functions))
	s := &eventReader{trace: t}
	for {
		e, err := s.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return errors.Join(err, s.Close())
		}
		if t.inside(e.start) {
			t.functions[e.function].Invocations++
			sums[e.function] += e.seconds
			timed[e.function] = timed[e.function] || e.timed
		}
	}
	return t.choose(sums, timed)
}

func (t *eventTrace) inside(start int64) bool {
	return start >= int64(t.first)*window && start < int64(t.end)*window
}

func (t *eventTrace) choose(sums []float64, timed []bool) error {
	var matching []int32
	for i, f := range t.functions {
		if f.Invocations > 0 && t.config.matches(f.ID) {
			matching = append(matching, int32(i))
		}
	}
	chosen := pick(matching, t.config.choose(pick(t.functions, matching)))
	if len(chosen) == 0 {
		return errors.New("no function is left in the window: widen match, limit or length")
	}
	t.kept = make([]int32, len(t.functions))
	for i := range t.kept {
		t.kept[i] = -1
	}
	t.functions = pick(t.functions, chosen)
	for i, old := range chosen {
		t.kept[old] = int32(i)
		f := &t.functions[i]
		f.Mean = time.Duration(math.Round(float64(sums[old] / float64(f.Invocations) * 1e9)))
		if f.Instant = timed[old] && f.Mean == 0; !timed[old] {
			f.Sigma = t.config.Sigma
		}
	}
	return nil
}

// Functions implements Trace.
func (t *eventTrace) Functions() []Function { return t.functions }

// Length implements Trace.
func (t *eventTrace) Length() time.Duration { return minutesLong(t.end - t.first) }

// Open implements Trace.
func (t *eventTrace) Open() (Source, error) {
	return &eventSource{
		reader: eventReader{trace: t}, streams: streams(t.functions, t.config.Seed), tables: random.NewTables(),
		now: int64(t.first) * window,
	}, nil
}

// eventSource replays an eventTrace.
type eventSource struct {
	reader  eventReader
	streams []random.Stream
	tables  *random.Tables
	now     int64     // start of the next window, in the trace's time
	seen    int64     // the latest start read
	pending []Arrival // read, but due after the window; in the trace's time
	done    bool
}

// Next implements Source.
func (s *eventSource) Next(buf []Arrival) ([]Arrival, error) {
	t := s.reader.trace
	if s.now >= int64(t.end)*window {
		return buf[:0], io.EOF
	}
	to := s.now + window
	for !s.done && s.seen < to+t.disorder {
		e, err := s.reader.next()
		if err == io.EOF {
			s.done = true
			break
		}
		if err != nil {
			return buf[:0], err
		}
		s.seen = max(s.seen, e.start)
		s.hold(e)
	}
	buf = s.release(buf[:0], to)
	s.now = to
	return buf, nil
}

// hold keeps an event until its window comes.
func (s *eventSource) hold(e event) {
	t := s.reader.trace
	f := t.kept[e.function]
	if f < 0 || !t.inside(e.start) {
		return
	}
	a := Arrival{At: e.start, Function: f, Scale: 1}
	switch mean, sigma := t.functions[f].Mean, t.functions[f].Sigma; {
	case mean > 0:
		a.Scale = max(tiny, math.Round(float64(e.seconds*1e9))/float64(mean))
	case sigma > 0:
		stream := s.streams[f].At(uint64(e.start))
		a.Scale = single(s.tables.Lognormal(&stream, sigma))
	}
	s.pending = append(s.pending, a)
}

// release moves what is due before to into buf, in order.
func (s *eventSource) release(buf []Arrival, to int64) []Arrival {
	rest, origin := s.pending[:0], int64(s.reader.trace.first)*window
	for _, a := range s.pending {
		if a.At < to {
			a.At -= origin
			buf = append(buf, a)
		} else {
			rest = append(rest, a)
		}
	}
	s.pending = rest
	slices.SortStableFunc(buf, func(a, b Arrival) int {
		if a.At != b.At {
			return cmp.Compare(a.At, b.At)
		}
		return cmp.Compare(a.Function, b.Function)
	})
	return buf
}

// Close implements Source.
func (s *eventSource) Close() error {
	s.done = true
	return s.reader.Close()
}

// eventReader reads the files one after the other.
type eventReader struct {
	trace *eventTrace
	grow  bool // new functions join the table
	file  int  // the next one
	in    io.ReadCloser
	table *tabular.Reader
	at    []int
}

// next returns the next row, and io.EOF after the last file.
func (r *eventReader) next() (event, error) {
	for {
		if r.in == nil {
			if err := r.open(); err != nil {
				return event{}, err
			}
		}
		if _, err := r.table.Read(); err == io.EOF {
			if err := r.Close(); err != nil {
				return event{}, err
			}
			continue
		} else if err != nil {
			return event{}, err
		}
		return r.event()
	}
}

func (r *eventReader) open() error {
	if r.file >= len(r.trace.files) {
		return io.EOF
	}
	f := r.trace.files[r.file]
	in, err := f.Open()
	if err != nil {
		return err
	}
	r.file++
	r.in, r.table = in, tabular.NewReader(f.Name, in)
	c := r.trace.columns
	want := []string{c.function, c.time, c.duration}
	if c.app != "" {
		want = append(want, c.app)
	}
	r.at, err = r.table.ReadHeader(want...)
	return err
}

// Close closes the file that is open, if any.
func (r *eventReader) Close() error {
	if r.in == nil {
		return nil
	}
	in := r.in
	r.in = nil
	return in.Close()
}

func (r *eventReader) event() (event, error) {
	when, err := r.table.Float(r.at[1], -maxSeconds, maxSeconds)
	if err != nil {
		return event{}, err
	}
	e := event{}
	if r.at[2] >= 0 {
		if e.seconds, err = r.table.Float(r.at[2], 0, maxSeconds); err != nil {
			return event{}, err
		}
		e.timed = true
	}
	if r.trace.columns.ends {
		when -= e.seconds
	}
	e.start = int64(math.Round(float64(when * 1e9)))
	e.function, err = r.function()
	return e, err
}

// function finds the row's function, or adds it.
func (r *eventReader) function() (int32, error) {
	name, app := r.table.Field(r.at[0]), []byte(nil)
	if len(r.at) > 3 {
		app = r.table.Field(r.at[3])
	}
	if len(name) == 0 {
		return 0, r.table.Fail(r.at[0]+1, errors.New("is empty, want the function's name"))
	}
	key := identity{identityHash(app), identityHash(name)}
	t := r.trace
	row, ok := t.rows[key]
	switch {
	case ok:
	case !r.grow:
		return 0, r.table.Fail(r.at[0]+1, errors.New("this function was not there when the file was first read: do not change a trace while it is replayed"))
	default:
		row = int32(len(t.functions))
		t.rows[key] = row
		f := Function{ID: wattle.FunctionID(name)}
		if app != nil {
			f = azureFunction(nil, app, name, nil, map[string]string{})
		}
		t.functions = append(t.functions, f)
	}
	return row, nil
}
