package trace

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/simulator/trace/tabular"
	"github.com/wattle-project/wattle/simulator/workload/random"
)

const minutesPerDay = 1440

// azureDay is the files of one day; durations and memory may be missing.
type azureDay struct {
	number                         int
	invocations, durations, memory *tabular.File
	// counts has a row per function of the table, or none where the cache is full.
	counts *sparse
}

// azure2019 is a Trace over the files of the Azure Functions Trace 2019.
type azure2019 struct {
	config    Config
	days      []azureDay // those that the window touches
	first     int        // the window in minutes since the start of days[0]
	end       int
	offset    int // minute of the trace at which days[0] begins
	table     *azureTable
	functions []Function
	rows      []int32 // per function: its row of table
	spreads   spreads
}

// ReadAzure2019 reads the Azure Functions Trace 2019: see the format
// "azure-2019" in the package documentation. The trace's minute 0 is the start
// of the first day found; only days that the window touches are parsed.
// Functions are ordered as they first appear.
func ReadAzure2019(path string, c Config) (Trace, error) {
	files, err := tabular.Find(path)
	if err != nil {
		return nil, err
	}
	return readAzureFiles(files, c)
}

func readAzureFiles(files []tabular.File, c Config) (Trace, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	days, err := azureDays(files)
	if err != nil {
		return nil, err
	}
	first, end, err := c.minutes(len(days) * minutesPerDay)
	if err != nil {
		return nil, err
	}
	skip := first / minutesPerDay
	t := &azure2019{
		config: c, table: newAzureTable(),
		days:  days[skip : (end+minutesPerDay-1)/minutesPerDay],
		first: first - skip*minutesPerDay, end: end - skip*minutesPerDay, offset: skip * minutesPerDay,
	}
	if err := t.scan(); err != nil {
		return nil, err
	}
	return t, nil
}

// azureDays groups the files by day, which must follow each other.
func azureDays(files []tabular.File) ([]azureDay, error) {
	pattern := regexp.MustCompile(`^(invocations_per_function_md|function_durations_percentiles|app_memory_percentiles)\.anon\.d(\d{2})\.csv$`)
	byNumber := map[int]*azureDay{}
	for i := range files {
		m := pattern.FindStringSubmatch(files[i].Base())
		if m == nil {
			continue
		}
		number, err := strconv.Atoi(m[2])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", files[i].Name, err)
		}
		if byNumber[number] == nil {
			byNumber[number] = &azureDay{number: number}
		}
		byNumber[number].set(m[1], &files[i])
	}
	var days []azureDay
	for _, d := range byNumber {
		if d.invocations != nil {
			days = append(days, *d)
		}
	}
	slices.SortFunc(days, func(a, b azureDay) int { return a.number - b.number })
	for i := range days {
		if days[i].number != days[0].number+i {
			return nil, fmt.Errorf("day %02d is missing between %s and %s: add invocations_per_function_md.anon.d%02d.csv or narrow the path",
				days[0].number+i, days[0].invocations.Name, days[i].invocations.Name, days[0].number+i)
		}
	}
	if len(days) == 0 {
		return nil, errors.New("no file is named invocations_per_function_md.anon.dNN.csv: name the folder that holds the trace")
	}
	return days, nil
}

func (d *azureDay) set(family string, f *tabular.File) {
	switch family[0] {
	case 'i':
		d.invocations = f
	case 'f':
		d.durations = f
	default:
		d.memory = f
	}
}

// scan parses every day once, and then chooses the functions.
func (t *azure2019) scan() error {
	raw := make([]*azureCounts, len(t.days))
	used := int64(0)
	for i := range t.days {
		low, high := t.span(i)
		counts, err := t.table.readInvocations(t.days[i].invocations, true, low, high)
		if err != nil {
			return err
		}
		if used += counts.size(); used <= t.config.Cache {
			raw[i] = counts
		}
	}
	if err := t.table.finish(t.days, t.config.Sigma); err != nil {
		return err
	}
	if t.choose(); len(t.functions) == 0 {
		return errors.New("no function is left: widen match or limit")
	}
	for i, counts := range raw {
		if counts != nil {
			t.days[i].counts = counts.arrange(t.rows)
		}
	}
	return nil
}

// span is the part of day i that the window covers, in minutes of that day.
func (t *azure2019) span(i int) (low, high int) {
	return max(t.first-i*minutesPerDay, 0), min(t.end-i*minutesPerDay, minutesPerDay)
}

func (t *azure2019) choose() {
	matching := make([]int32, 0, len(t.table.functions))
	for i, f := range t.table.functions {
		if t.config.matches(f.ID) {
			matching = append(matching, int32(i))
		}
	}
	kept := t.config.choose(pick(t.table.functions, matching))
	t.rows = pick(matching, kept)
	t.functions = pick(t.table.functions, t.rows)
	t.spreads = newSpreads(t.functions, pick(t.table.measured, t.rows))
	t.table.functions, t.table.measured = nil, nil
}

// Functions implements Trace.
func (t *azure2019) Functions() []Function { return t.functions }

// Length implements Trace.
func (t *azure2019) Length() time.Duration { return minutesLong(t.end - t.first) }

// Open implements Trace.
func (t *azure2019) Open() (Source, error) {
	return &azureSource{trace: t, streams: streams(t.functions, t.config.Seed), tables: random.NewTables()}, nil
}

// azureSource replays one day after the other.
type azureSource struct {
	trace   *azure2019
	streams []random.Stream
	tables  *random.Tables
	cursors []cursor
	day     int // the next one to load
	replay  *Replay
	base    int64 // when the replay of this day begins
}

// Next implements Source.
func (s *azureSource) Next(buf []Arrival) ([]Arrival, error) {
	for {
		if s.replay == nil {
			if err := s.load(); err != nil {
				return buf[:0], err
			}
		}
		var err error
		buf, err = s.replay.Next(buf)
		if err == io.EOF {
			s.base += s.replay.length
			s.day++
			s.replay = nil
			continue
		}
		for i := range buf {
			buf[i].At += s.base
		}
		return buf, err
	}
}

// load starts the replay of the current day.
func (s *azureSource) load() error {
	t := s.trace
	if s.day >= len(t.days) {
		return io.EOF
	}
	counts := t.days[s.day].counts
	low, high := t.span(s.day)
	if counts == nil {
		raw, err := t.table.readInvocations(t.days[s.day].invocations, false, low, high)
		if err != nil {
			return err
		}
		counts = raw.arrange(t.rows)
	}
	if s.cursors == nil {
		s.cursors = make([]cursor, len(t.functions))
	}
	c := &counted{
		counts: counts, cursors: s.cursors, streams: s.streams, tables: s.tables, spreads: &t.spreads,
		placement: t.config.Placement,
		first:     int32(low), epoch: int32(t.offset + s.day*minutesPerDay),
	}
	s.replay = NewReplay(c, len(t.functions), int64(minutesLong(high-low)))
	return nil
}

// Close implements Source.
func (s *azureSource) Close() error { return nil }

// identity is a function's key: hashes of (owner, app) and of its name.
type identity struct{ app, function uint64 }

func appKey(owner, app []byte) uint64 { return random.Mix(random.Hash(owner)) ^ random.Hash(app) }

// short cuts the published 64-digit hashes to 16 digits, which still tell all
// functions apart.
func short(hash []byte) string { return string(hash[:min(16, len(hash))]) }

func azureFunction(owner, app, function, trigger []byte, texts map[string]string) Function {
	id := short(app) + "." + short(function)
	return Function{
		ID:      wattle.FunctionID(id),
		Owner:   wattle.TenantID(intern(texts, owner[:min(16, len(owner))])),
		App:     id[:min(16, len(app))],
		Trigger: intern(texts, trigger),
	}
}

func intern(texts map[string]string, b []byte) string {
	if s, ok := texts[string(b)]; ok {
		return s
	}
	s := string(b)
	texts[s] = s
	return s
}
