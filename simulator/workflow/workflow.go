package workflow

import (
	"fmt"
	"math"
	"time"
)

// maxSeconds keeps sums of run times far from overflow: 30 years.
const maxSeconds = 1e9

// Task is one node of a workflow.
type Task struct {
	ID      string
	Runtime time.Duration
	// Parents must end before it starts; Children is the same the other way round.
	Parents, Children []int32
}

// Workflow is a directed acyclic graph of tasks.
type Workflow struct {
	Name  string
	Tasks []Task
}

// Work is the sum of all run times.
func (w *Workflow) Work() (sum time.Duration) {
	for i := range w.Tasks {
		sum += w.Tasks[i].Runtime
	}
	return sum
}

// Validate says what keeps w from being replayed: edges that lead nowhere or
// stand on one side only, a circle, or run times out of range.
func (w *Workflow) Validate() error {
	n, left, edges := int32(len(w.Tasks)), int64(math.MaxInt64), 0
	for i := range w.Tasks {
		t := &w.Tasks[i]
		if left -= int64(t.Runtime); t.Runtime < 0 || left < 0 {
			return fmt.Errorf("workflow %q: task %q: run time %s: want 0 or more, and a sum under 292 years", w.Name, t.ID, t.Runtime)
		}
		for _, p := range t.Parents {
			if p < 0 || p >= n {
				return fmt.Errorf("workflow %q: task %q: parent %d of %d tasks", w.Name, t.ID, p, n)
			}
		}
		for _, c := range t.Children {
			if c < 0 || c >= n || !contains(w.Tasks[c].Parents, int32(i)) {
				return fmt.Errorf("workflow %q: task %q: child %d does not name it as a parent", w.Name, t.ID, c)
			}
		}
		edges += len(t.Children) - len(t.Parents)
	}
	if edges != 0 {
		return fmt.Errorf("workflow %q: parents and children differ by %d edges", w.Name, edges)
	}
	if order := w.order(); len(order) < len(w.Tasks) {
		return fmt.Errorf("workflow %q: %d tasks wait for one another in a circle", w.Name, len(w.Tasks)-len(order))
	}
	return nil
}

func contains(list []int32, x int32) bool {
	for _, y := range list {
		if x == y {
			return true
		}
	}
	return false
}

// order lists tasks after their parents; tasks on or behind a circle are left
// out (Kahn, CACM 5, 1962).
func (w *Workflow) order() []int32 {
	waits := make([]int, len(w.Tasks))
	var out []int32
	for i := range w.Tasks {
		if waits[i] = len(w.Tasks[i].Parents); waits[i] == 0 {
			out = append(out, int32(i))
		}
	}
	for k := 0; k < len(out); k++ {
		for _, c := range w.Tasks[out[k]].Children {
			if waits[c]--; waits[c] == 0 {
				out = append(out, c)
			}
		}
	}
	return out
}

// remaining is, per task, its run time and the longest path behind it.
func (w *Workflow) remaining() []time.Duration {
	out := make([]time.Duration, len(w.Tasks))
	order := w.order()
	for k := len(order) - 1; k >= 0; k-- {
		t := &w.Tasks[order[k]]
		for _, c := range t.Children {
			out[order[k]] = max(out[order[k]], out[c])
		}
		out[order[k]] += t.Runtime
	}
	return out
}

// CriticalPath returns the length of the longest path and its tasks, those of
// lower index where several are as long. It is the least makespan on any number
// of workers. The workflow must be valid.
func (w *Workflow) CriticalPath() (time.Duration, []int32) {
	length := w.remaining()
	first := int32(-1)
	for i := range w.Tasks {
		if len(w.Tasks[i].Parents) == 0 && (first < 0 || length[i] > length[first]) {
			first = int32(i)
		}
	}
	if first < 0 {
		return 0, nil
	}
	var path []int32
	for i := first; i >= 0; {
		path = append(path, i)
		next := int32(-1)
		for _, c := range w.Tasks[i].Children {
			if next < 0 || length[c] > length[next] || length[c] == length[next] && c < next {
				next = c
			}
		}
		i = next
	}
	return length[first], path
}
