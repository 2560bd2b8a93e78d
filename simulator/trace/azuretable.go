package trace

import (
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/simulator/trace/tabular"
)

// azureTable joins the three families of files by (owner, app, function).
type azureTable struct {
	rows      map[identity]int32
	functions []Function
	apps      []uint64 // per function: its app's key
	measured  []percentiles
	texts     map[string]string
}

func newAzureTable() *azureTable {
	return &azureTable{rows: map[identity]int32{}, texts: map[string]string{}}
}

// azureCounts is one day's counts in the order of its file.
type azureCounts struct {
	sparse
	of map[int32]int32 // row of the azureTable → row here
}

func (c *azureCounts) size() int64 { return c.sparse.size() + 16*int64(len(c.of)) }

// arrange returns the counts of the given rows of the table; a function without
// counts on this day gets an empty row.
func (c *azureCounts) arrange(rows []int32) *sparse {
	out := &sparse{end: make([]uint32, 0, len(rows))}
	for _, row := range rows {
		if i, ok := c.of[row]; ok {
			out.tokens = append(out.tokens, c.tokens[c.begin(int(i)):c.end[i]]...)
		}
		out.end = append(out.end, uint32(len(out.tokens)))
	}
	return out
}

// readInvocations parses one day. With grow, functions that are new join the
// table and the invocations of minutes [low, high) are added to its totals.
func (t *azureTable) readInvocations(f *tabular.File, grow bool, low, high int) (*azureCounts, error) {
	in, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer in.Close()
	r := tabular.NewReader(f.Name, in)
	if _, err := r.ReadHeader("HashOwner", "HashApp", "HashFunction", "Trigger", "1", "1440"); err != nil {
		return nil, err
	}
	counts := &azureCounts{of: map[int32]int32{}}
	minutes := make([]uint64, minutesPerDay)
	for {
		line, err := r.ReadLine()
		if err == io.EOF {
			return counts, nil
		}
		if err != nil {
			return nil, err
		}
		row, err := t.invocationRow(r, line, grow, minutes)
		if err != nil {
			return nil, err
		}
		if grow {
			for _, n := range minutes[low:high] {
				t.functions[row].Invocations += int64(n)
			}
		}
		counts.put(row, minutes)
	}
}

// invocationRow parses one record into minutes and returns the function's row.
func (t *azureTable) invocationRow(r *tabular.Reader, line []byte, grow bool, minutes []uint64) (int32, error) {
	var names [4][]byte
	for i := range names {
		at := 0
		for at < len(line) && line[at] != ',' {
			at++
		}
		if at == 0 || at == len(line) {
			return 0, r.Fail(i+1, errors.New("is empty or the last field: want HashOwner,HashApp,HashFunction,Trigger and 1,440 counts"))
		}
		names[i], line = line[:at], line[at+1:]
	}
	if column, err := parseCounts(line, minutes); err != nil {
		return 0, r.Fail(len(names)+column, err)
	}
	id := identity{appKey(names[0], names[1]), identityHash(names[2])}
	row, ok := t.rows[id]
	switch {
	case ok:
	case grow:
		row = int32(len(t.functions))
		t.rows[id] = row
		t.functions = append(t.functions, azureFunction(names[0], names[1], names[2], names[3], t.texts))
		t.apps = append(t.apps, id.app)
	default:
		return 0, r.Fail(3, errors.New("this function was not there when the file was first read: do not change a trace while it is replayed"))
	}
	return row, nil
}

// parseCounts reads exactly len(minutes) integers; column counts from 1.
func parseCounts(line []byte, minutes []uint64) (column int, err error) {
	for i := range minutes {
		n, digits := uint64(0), 0
		for digits < len(line) && line[digits]-'0' <= 9 && digits < 10 {
			n = n*10 + uint64(line[digits]-'0')
			digits++
		}
		last := i == len(minutes)-1
		minutes[i] = n
		switch {
		case digits == 0 || n > maxCount:
			return i + 1, fmt.Errorf("%.20q: want the invocations of minute %d, an integer from 0 to %d", line, i+1, maxCount)
		case last && digits < len(line):
			return i + 2, fmt.Errorf("%.20q follows the last of %d counts", line[digits:], len(minutes))
		case last:
			return 0, nil
		case digits == len(line) || line[digits] != ',':
			return i + 1, fmt.Errorf("the row ends or breaks after %d of %d counts", i+1, len(minutes))
		}
		line = line[digits+1:]
	}
	return 0, nil
}

// put appends a row; a function that is listed twice gets the sum of both.
func (c *azureCounts) put(row int32, minutes []uint64) {
	if old, ok := c.of[row]; ok {
		for cur := c.cursor(int(old)); cur.next(&c.sparse, int(old)); {
			minutes[cur.minute] += uint64(cur.count)
		}
	}
	w := c.row()
	for _, n := range minutes {
		w.add(n)
	}
	w.close()
	c.of[row] = int32(len(c.end) - 1)
}

// finish reads durations and memory of the days, where there are any.
func (t *azureTable) finish(days []azureDay, sigma float64) error {
	if err := t.distinct(); err != nil {
		return err
	}
	durations, memory := make([]weighted, len(t.functions)), map[uint64]*weighted{}
	for _, key := range t.apps {
		memory[key] = new(weighted)
	}
	for _, d := range days {
		if err := t.readDurations(d.durations, durations); err != nil {
			return err
		}
		if err := readMemory(d.memory, memory); err != nil {
			return err
		}
	}
	t.measured = make([]percentiles, len(t.functions))
	for i := range t.functions {
		f := &t.functions[i]
		f.Memory = wattle.Bytes(math.Round(memory[t.apps[i]].mean() * float64(wattle.MiB)))
		f.Mean = time.Duration(math.Round(durations[i].mean() * float64(time.Millisecond)))
		for j := range t.measured[i] {
			t.measured[i][j] = float32(durations[i].percentile(j))
		}
		if !t.measured[i].unit() {
			t.measured[i], f.Sigma = percentiles{}, sigma
		}
	}
	t.apps = nil
	return nil
}

// distinct makes sure that no two functions share a shortened name.
func (t *azureTable) distinct() error {
	seen := make(map[wattle.FunctionID]int, len(t.functions))
	for i := range t.functions {
		f := &t.functions[i]
		if _, clash := seen[f.ID]; clash {
			f.ID += wattle.FunctionID("." + string(f.Owner))
		}
		if j, clash := seen[f.ID]; clash {
			return fmt.Errorf("functions %d and %d of the trace share the name %s: make the first 16 letters of owner, app or function differ", j+1, i+1, f.ID)
		}
		seen[f.ID] = i
	}
	return nil
}
