package workflow

import (
	"container/heap"
	"time"
)

// Schedule is the result of a replay.
type Schedule struct {
	// Starts is when each task starts, since the workflow does.
	Starts []time.Duration
	// Makespan is when the last task ends.
	Makespan time.Duration
}

// Replay runs w, which must be valid, on a number of equal workers that are warm
// and take no time to hand on results; 0 is as many as are asked for. Where tasks
// outnumber workers, the one with the longest path still behind it starts first
// (the upward rank of Topcuoglu et al., HEFT, IEEE TPDS 13, 2002), then the one of
// lower index. Such list schedules last at most work/workers + (1 − 1/workers) ·
// critical path (Graham, Bell System Technical Journal 45, 1966).
func (w *Workflow) Replay(workers int) Schedule {
	r := &replay{w: w, free: workers, bounded: workers > 0, waits: make([]int, len(w.Tasks))}
	r.starts = make([]time.Duration, len(w.Tasks))
	if r.bounded {
		r.rank = w.remaining()
	}
	for i := range w.Tasks {
		if r.waits[i] = len(w.Tasks[i].Parents); r.waits[i] == 0 {
			r.ready(int32(i))
		}
	}
	r.dispatch()
	for r.running.Len() > 0 {
		r.complete()
		r.dispatch()
	}
	return Schedule{Starts: r.starts, Makespan: r.now}
}

// replay is the state of Replay.
type replay struct {
	w       *Workflow
	bounded bool
	free    int
	now     time.Duration
	waits   []int // parents that have not ended
	rank    []time.Duration
	starts  []time.Duration
	running queue // by end
	waiting queue // by rank, longest first
}

func (r *replay) ready(task int32) {
	key := time.Duration(0)
	if r.bounded {
		key = -r.rank[task]
	}
	heap.Push(&r.waiting, event{key, task})
}

// dispatch starts what is ready while workers are free.
func (r *replay) dispatch() {
	for r.waiting.Len() > 0 && (!r.bounded || r.free > 0) {
		task := heap.Pop(&r.waiting).(event).task
		r.free--
		r.starts[task] = r.now
		heap.Push(&r.running, event{r.now + r.w.Tasks[task].Runtime, task})
	}
}

// complete advances to the next end and takes all ends of that instant.
func (r *replay) complete() {
	r.now = r.running[0].key
	for r.running.Len() > 0 && r.running[0].key == r.now {
		task := heap.Pop(&r.running).(event).task
		r.free++
		for _, c := range r.w.Tasks[task].Children {
			if r.waits[c]--; r.waits[c] == 0 {
				r.ready(c)
			}
		}
	}
}

// event is a task in a queue.
type event struct {
	key  time.Duration
	task int32
}

// queue is ordered by key, then by task.
type queue []event

// Len is the number of events.
func (q queue) Len() int { return len(q) }

// Less orders by key, then by task.
func (q queue) Less(i, j int) bool {
	return q[i].key < q[j].key || q[i].key == q[j].key && q[i].task < q[j].task
}

// Swap exchanges two events.
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

// Push is called by container/heap.
func (q *queue) Push(x any) { *q = append(*q, x.(event)) }

// Pop is called by container/heap.
func (q *queue) Pop() any {
	e := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return e
}
