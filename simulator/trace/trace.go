// Package trace reads and replays workloads: which function is invoked when,
// and for how long it runs.
//
// A Trace is parsed once and replayed any number of times; a Source is one
// replay. A Source yields arrivals window by window of 60 s, sorted by (time,
// function, sequence), in integer nanoseconds since the start of the run, with
// no allocation per window once its buffers have grown. Memory is that of the
// functions and of the compact counts, never of the invocations.
//
// Every random choice is drawn from a stream that depends on (seed, function,
// minute of the trace) alone: leaving out other functions, or starting a replay
// later, changes nothing about the arrivals that remain.
//
// # Formats
//
// Files are plain text, or the same in gzip or zstd, told by their magic bytes.
// A path is a file, a directory, a glob, or a zip archive. Lines that are empty
// or begin with "#" are skipped.
//
//   - counts: one file per function named <profile>*<index>.txt (or
//     <name>.txt), line m of which is the number of invocations in minute m, an
//     integer from 0. All files cover the same minutes; a shorter one is padded
//     with zeros.
//   - azure-2019: the three CSV families of the Azure Functions Trace 2019
//     (Shahrad et al., "Serverless in the Wild", USENIX ATC 2020), one file per
//     day NN. invocations_per_function_md.anon.dNN.csv: HashOwner, HashApp,
//     HashFunction, Trigger, 1 … 1440 (invocations per minute; required).
//     function_durations_percentiles.anon.dNN.csv: HashOwner, HashApp,
//     HashFunction, Average, Count, Minimum, Maximum, percentile_Average_0, _1,
//     _25, _50, _75, _99, _100 (milliseconds; optional).
//     app_memory_percentiles.anon.dNN.csv: HashOwner, HashApp, SampleCount,
//     AverageAllocatedMb, AverageAllocatedMb_pct1 … pct100 (MB of 2^20 bytes per
//     application; optional, the published data lacks the last two days).
//     Durations are percentiles of 30-second averages, so their spread is a
//     lower bound; memory is of the whole application.
//   - azure-2021: app, func, end_timestamp, duration (seconds since the trace
//     began, seconds), one row per invocation, in any order (Zhang et al., SOSP
//     2021). An invocation starts at end_timestamp − duration; what began before
//     0 is left out.
//   - events: time_s, function, duration_s, one row per invocation with a header
//     of these names; other columns are ignored, duration_s may be missing.
package trace

import (
	"fmt"
	"time"

	"github.com/wattle-project/wattle"
)

// Window is the span of simulated time that one Next covers.
const Window = time.Minute

const window = int64(Window)

// Arrival is one invocation.
type Arrival struct {
	// At is the time in nanoseconds since the start of the run.
	At int64
	// Function is the position in the trace's function table.
	Function int32
	// Scale multiplies the function's mean execution time: see Lasts. Its mean over
	// a function's arrivals is 1, and it is never 0.
	Scale float64
}

// Lasts is what scale times a mean takes, cut to whole nanoseconds. What a rounded
// scale is short of by an ulp or two is made good first: a scale of d/mean lasts
// d, to the nanosecond, if d is under 2^50 ns, 13 days.
func Lasts(mean time.Duration, scale float64) int64 {
	const ulps = 1 + 0x1p-51
	return int64(float64(float64(mean)*scale) * ulps)
}

// Function is what a trace knows of one function.
type Function struct {
	ID wattle.FunctionID
	// Owner is who the function belongs to, App the unit it is deployed in;
	// empty where the trace does not say.
	Owner wattle.TenantID
	App   string
	// Profile names the benchmark that stands in for the function (the part
	// before "*" in a count file's name), or is empty.
	Profile string
	// Trigger is what starts it ("http", "timer", …), or empty.
	Trigger string
	// Mean is the mean execution time, 0 where the trace does not say, unless
	// Instant: then it says that executions take no time.
	Mean    time.Duration
	Instant bool
	// Sigma is the standard deviation of the logarithm of Scale where Scale is
	// drawn from a lognormal distribution, and 0 otherwise.
	Sigma float64
	// Memory is the mean allocated memory of the function's App, 0 if unknown.
	Memory wattle.Bytes
	// Invocations is how many the replay holds; of a generated workload, the
	// expected number.
	Invocations int64
}

// Trace is a parsed workload. It is immutable and safe for concurrent use.
type Trace interface {
	// Functions is the function table. The slice is the trace's own.
	Functions() []Function
	// Length is the span of the replay.
	Length() time.Duration
	// Open starts a replay from the beginning.
	Open() (Source, error)
}

// Source is one replay. It is not safe for concurrent use.
type Source interface {
	// Next overwrites buf with the arrivals of the next window, growing it where
	// it is too small, and returns it; a window without arrivals is empty. After
	// the last window the error is io.EOF. A caller that passes the returned
	// slice back each time makes Next free of allocations.
	Next(buf []Arrival) ([]Arrival, error)
	// Close releases files. It is safe to call twice.
	Close() error
}

// Format names a trace format.
type Format uint8

// The formats that the package documentation describes.
const (
	Counts Format = iota
	Azure2019
	Azure2021
	Events
)

func formatNames() []string { return []string{"counts", "azure-2019", "azure-2021", "events"} }

// String returns the name used in experiment files.
func (f Format) String() string { return name(formatNames(), int(f)) }

// UnmarshalText reads a name printed by String.
func (f *Format) UnmarshalText(b []byte) error {
	i, err := index("trace format", formatNames(), string(b))
	*f = Format(i)
	return err
}

// Read parses the trace at path. It reads all of it once, so that every error
// in the data is reported before a replay begins.
func Read(format Format, path string, c Config) (Trace, error) {
	switch format {
	case Counts:
		return ReadCounts(path, c)
	case Azure2019:
		return ReadAzure2019(path, c)
	case Azure2021:
		return ReadAzure2021(path, c)
	case Events:
		return ReadEvents(path, c)
	}
	return nil, fmt.Errorf("trace format %s: want one of %q", format, formatNames())
}

func name(names []string, i int) string {
	if i < 0 || i >= len(names) {
		return fmt.Sprintf("invalid(%d)", i)
	}
	return names[i]
}

func index(what string, names []string, s string) (int, error) {
	for i, n := range names {
		if n == s {
			return i, nil
		}
	}
	return 0, fmt.Errorf("%s %q: want one of %q", what, s, names)
}
