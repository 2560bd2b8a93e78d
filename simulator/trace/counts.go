package trace

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/simulator/trace/tabular"
	"github.com/wattle-project/wattle/simulator/workload/random"
)

// maxCount bounds the invocations of one function in one minute.
const maxCount = 100_000_000

// countTrace is a Trace of per-minute counts held in memory.
type countTrace struct {
	config    Config
	functions []Function
	counts    sparse
	first     int // the window in minutes
	end       int
}

// ReadCounts reads per-minute count files: see the format "counts" in the
// package documentation. Functions are ordered by index, then by name.
func ReadCounts(path string, c Config) (Trace, error) {
	files, err := tabular.Find(path)
	if err != nil {
		return nil, err
	}
	return readCountFiles(files, c)
}

func readCountFiles(files []tabular.File, c Config) (Trace, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	rows, err := countRows(files, c)
	if err != nil {
		return nil, err
	}
	t := &countTrace{config: c}
	minutes := 0
	i := 0
	err = tabular.Each(rows.files, func(f tabular.File, r io.Reader) error {
		n, err := t.counts.readCountFile(tabular.NewReader(f.Name, r))
		t.functions = append(t.functions, rows.functions[i])
		minutes, i = max(minutes, n), i+1
		return err
	})
	if err != nil {
		return nil, err
	}
	return t.cut(minutes)
}

// cut applies the window and the choice of functions.
func (t *countTrace) cut(minutes int) (Trace, error) {
	var err error
	if t.first, t.end, err = t.config.minutes(minutes); err != nil {
		return nil, err
	}
	for i := range t.functions {
		t.functions[i].Invocations = t.counts.sum(i, t.first, t.end)
	}
	kept := t.config.choose(t.functions)
	if len(kept) == 0 {
		return nil, errors.New("no function is left: widen match or limit")
	}
	t.counts = t.counts.keep(kept)
	t.functions = pick(t.functions, kept)
	return t, nil
}

// Functions implements Trace.
func (t *countTrace) Functions() []Function { return t.functions }

// Length implements Trace.
func (t *countTrace) Length() time.Duration { return minutesLong(t.end - t.first) }

// Open implements Trace.
func (t *countTrace) Open() (Source, error) {
	spreads := newSpreads(t.functions, nil)
	c := &counted{
		counts:    &t.counts,
		cursors:   make([]cursor, len(t.functions)),
		streams:   streams(t.functions, t.config.Seed),
		tables:    random.NewTables(),
		spreads:   &spreads,
		placement: t.config.Placement,
		first:     int32(t.first),
	}
	return NewReplay(c, len(t.functions), int64(t.Length())), nil
}

// sum adds up a row over minutes [first, end).
func (s *sparse) sum(row, first, end int) int64 {
	total := int64(0)
	for c := s.cursor(row); c.next(s, row) && int(c.minute) < end; {
		if int(c.minute) >= first {
			total += int64(c.count)
		}
	}
	return total
}

// readCountFile appends one file as a row and returns its number of minutes.
func (s *sparse) readCountFile(r *tabular.Reader) (minutes int, err error) {
	w := s.row()
	for {
		line, err := r.ReadLine()
		if err == io.EOF {
			w.close()
			return minutes, nil
		}
		if err != nil {
			return 0, err
		}
		n, ok := count(line)
		if !ok {
			return 0, r.Fail(1, fmt.Errorf("%.20q: want the invocations of minute %d, an integer from 0 to %d", line, minutes, maxCount))
		}
		w.add(n)
		if minutes++; minutes > math.MaxInt32/2 {
			return 0, r.Fail(0, errors.New("more minutes than a trace can hold"))
		}
	}
}

// count parses a decimal integer in [0, maxCount].
func count(b []byte) (uint64, bool) {
	if len(b) == 0 || len(b) > 9 {
		return 0, false
	}
	n := uint64(0)
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + uint64(c-'0')
	}
	return n, n <= maxCount
}

// countTable pairs count files with what their names say.
type countTable struct {
	files     []tabular.File
	functions []Function
}

// countRows orders the files by index and name, and drops those that Match does.
func countRows(files []tabular.File, c Config) (countTable, error) {
	type row struct {
		file     tabular.File
		function Function
		index    int
	}
	var rows []row
	for _, f := range files {
		id, ok := strings.CutSuffix(f.Base(), ".txt")
		if !ok || !c.matches(wattle.FunctionID(id)) {
			continue
		}
		profile, number, _ := strings.Cut(id, "*")
		index, err := strconv.Atoi(number)
		if err != nil {
			index = math.MaxInt
		}
		rows = append(rows, row{f, Function{ID: wattle.FunctionID(id), Profile: profile, Sigma: c.Sigma}, index})
	}
	slices.SortFunc(rows, func(a, b row) int {
		return cmp.Or(cmp.Compare(a.index, b.index), cmp.Compare(a.function.ID, b.function.ID))
	})
	t := countTable{}
	for i, r := range rows {
		if i > 0 && rows[i-1].function.ID == r.function.ID {
			return t, fmt.Errorf("%s and %s: both name function %s: remove one", rows[i-1].file.Name, r.file.Name, r.function.ID)
		}
		t.files, t.functions = append(t.files, r.file), append(t.functions, r.function)
	}
	if len(rows) == 0 {
		return t, fmt.Errorf("no count file matches: want files named <profile>*<index>.txt")
	}
	return t, nil
}

func (c Config) matches(id wattle.FunctionID) bool {
	for _, p := range c.Match {
		if ok, err := path.Match(p, string(id)); ok && err == nil {
			return true
		}
	}
	return len(c.Match) == 0
}

// choose returns the rows of the functions that Limit and Choice keep, rising.
func (c Config) choose(functions []Function) []int32 {
	kept := make([]int32, 0, len(functions))
	for i := range functions {
		kept = append(kept, int32(i))
	}
	if c.Limit == 0 || len(kept) <= c.Limit {
		return kept
	}
	switch c.Choice {
	case ChooseBusiest:
		slices.SortStableFunc(kept, func(a, b int32) int {
			return cmp.Compare(functions[b].Invocations, functions[a].Invocations)
		})
	case ChooseRandom:
		key := func(i int32) uint64 {
			s := random.New(c.Seed, string(functions[i].ID))
			return s.Uint64()
		}
		slices.SortStableFunc(kept, func(a, b int32) int { return cmp.Compare(key(a), key(b)) })
	}
	kept = kept[:c.Limit]
	slices.Sort(kept)
	return kept
}

func pick[T any](all []T, rows []int32) []T {
	out := make([]T, len(rows))
	for i, r := range rows {
		out[i] = all[r]
	}
	return out
}
