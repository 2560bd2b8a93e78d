package scheduler

import (
	"math"

	"github.com/wattle-project/wattle"
)

// rank is what candidates are sorted by: G, then the start slot, the target and
// the sandbox.
type rank struct {
	g   uint64 // ordinal of G
	tie uint32 // slot, target and sandbox, in this order
	row uint32 // index of the candidate
}

// ordinal maps a float to an integer of the same order. What is not a number
// comes last, so that it never wins.
func ordinal(g float64) uint64 {
	if math.IsNaN(g) {
		return math.MaxUint64
	}
	b := math.Float64bits(g + 0) // −0 is 0
	return b ^ (uint64(int64(b)>>63) | 1<<63)
}

func (r *rank) before(o *rank) bool { return r.g < o.g || r.g == o.g && r.tie < o.tie }

// rank sorts the candidates that were not refused. Candidates are listed as
// enumerate does: warm on each target, then fresh on each, slot by slot.
func (x *scratch) rank(targets int) {
	x.ranks = x.ranks[:0]
	tie := uint32(0)
	for first := 0; first < len(x.refused); first += targets {
		for t := range targets {
			i := first + t
			if x.refused[i] == 0 {
				fresh := uint32(0)
				if x.columns.Sandbox[i] != wattle.Warm {
					fresh = 1
				}
				x.ranks = append(x.ranks, rank{ordinal(x.g[i]), tie + 2*uint32(t) + fresh, uint32(i)})
			}
		}
		if first > 0 {
			tie += 2 * uint32(targets)
		}
	}
	x.sort()
}

// sort orders the ranks: runs of eight by insertion, then merged pairwise.
func (x *scratch) sort() {
	const run = 8
	a := x.ranks
	for low := 0; low < len(a); low += run {
		insertion(a[low:min(low+run, len(a))])
	}
	if len(a) <= run {
		return
	}
	b := append(x.merged[:0], a...)
	for width := run; width < len(a); width *= 2 {
		for low := 0; low < len(a); low += 2 * width {
			mid, high := min(low+width, len(a)), min(low+2*width, len(a))
			merge(b[low:high], a[low:mid], a[mid:high])
		}
		a, b = b, a
	}
	x.ranks, x.merged = a, b
}

func insertion(a []rank) {
	for i := 1; i < len(a); i++ {
		r, j := a[i], i
		for ; j > 0 && r.before(&a[j-1]); j-- {
			a[j] = a[j-1]
		}
		a[j] = r
	}
}

// merge fills dst with the sorted a and b.
func merge(dst, a, b []rank) {
	i, j := 0, 0
	for k := range dst {
		if j >= len(b) || i < len(a) && a[i].before(&b[j]) {
			dst[k] = a[i]
			i++
		} else {
			dst[k] = b[j]
			j++
		}
	}
}
