package learn

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/wattle-project/wattle/telemetry/invocations"
)

// Inbox takes what platforms count, from any goroutine, and gives it on in
// order. What one scraper counts passes through as it is. Once anything is
// pushed, counts of several sources are spread over whole seconds and added up,
// because their intervals overlap.
type Inbox struct {
	mu      sync.Mutex
	passed  []Batch
	pushing bool
	scraped time.Time // up to when the scraper has told
	silent  int       // its sources that did not answer last
	seconds map[int64]*second
	next    int64         // first second that is not given on yet
	until   int64         // second up to which something was told
	lag     time.Duration // how late counts come
}

// second is what was told of one second.
type second struct {
	of     map[invocations.Key]invocations.Counts
	failed int  // sources that did not answer for it
	late   bool // counts of an earlier time are in it
}

// Bounds of an Inbox.
const (
	maxPassed = 600
	minLag    = 1500 * time.Millisecond
	maxLag    = 2 * time.Minute
)

// NewInbox returns an empty one.
func NewInbox() *Inbox {
	return &Inbox{seconds: map[int64]*second{}, lag: minLag}
}

// Scraped takes a batch of the one scraper.
func (in *Inbox) Scraped(b Batch) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.scraped, in.silent = b.To, b.Failed
	if in.pushing {
		in.spread(b, b.To)
		return
	}
	if len(in.passed) >= maxPassed {
		in.passed = slices.Delete(in.passed, 0, maxPassed/10)
	}
	b.Runs = slices.Clone(b.Runs)
	in.passed = append(in.passed, b)
}

// Pushed takes a batch that anybody sent at now.
func (in *Inbox) Pushed(b Batch, now time.Time) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.pushing = true
	in.spread(b, now)
}

// spread adds the counts of b to the seconds that it covers, in proportion.
// Seconds that were given on already leave their part to the next, which is late.
func (in *Inbox) spread(b Batch, now time.Time) {
	in.lag = min(max(in.lag, now.Sub(b.From)+minLag), maxLag)
	first, last := b.From.Unix(), b.To.Add(-1).Unix()
	if in.next == 0 {
		in.next = first
	}
	in.until = max(in.until, last)
	length := b.To.Sub(b.From)
	for s := first; s <= last; s++ {
		begin := time.Unix(s, 0)
		part := float64(earlier(begin.Add(time.Second), b.To).Sub(later(begin, b.From))) / float64(length)
		to := in.second(max(s, in.next))
		to.add(b.Runs, part)
		to.failed = max(to.failed, b.Failed)
		to.late = to.late || b.Late || s < in.next
	}
}

func (in *Inbox) second(s int64) *second {
	x := in.seconds[s]
	if x == nil {
		x = &second{of: map[invocations.Key]invocations.Counts{}}
		in.seconds[s] = x
	}
	return x
}

func (x *second) add(runs []invocations.Run, part float64) {
	for _, r := range runs {
		c := x.of[r.Key]
		c.Count += float64(r.Count * part)
		c.Seconds += float64(r.Seconds * part)
		c.Cold += float64(r.Cold * part)
		c.ColdSeconds += float64(r.ColdSeconds * part)
		c.Untold += float64(r.Untold * part)
		x.of[r.Key] = c
	}
}

// Drain gives on what is complete at now.
func (in *Inbox) Drain(now time.Time) []Batch {
	in.mu.Lock()
	defer in.mu.Unlock()
	out := in.passed
	in.passed = nil
	for in.pushing && in.next <= in.until && now.Sub(time.Unix(in.next+1, 0)) >= in.lag {
		out = append(out, in.complete(in.next))
		delete(in.seconds, in.next)
		in.next++
	}
	return out
}

// complete is the batch of a second. Of one that the scraper has not told of by
// now, some of what ran is missing.
func (in *Inbox) complete(s int64) Batch {
	x := in.second(s)
	b := Batch{From: time.Unix(s, 0), To: time.Unix(s+1, 0), Failed: x.failed, Late: x.late}
	if !in.scraped.IsZero() && in.scraped.Before(b.To) {
		b.Failed = max(b.Failed, in.silent+1)
	}
	for k, c := range x.of {
		b.Runs = append(b.Runs, invocations.Run{Key: k, Counts: c})
	}
	slices.SortFunc(b.Runs, func(x, y invocations.Run) int {
		return cmp.Or(cmp.Compare(x.Namespace, y.Namespace), cmp.Compare(x.Function, y.Function))
	})
	return b
}
