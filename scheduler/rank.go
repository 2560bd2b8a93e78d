package scheduler

import "math"

// rank is what fresh candidates are sorted by: G, then the start slot and the
// target.
type rank struct {
	g   uint64 // ordinal of G
	row uint32 // index of the candidate, in the order of slots and targets
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

func (r *rank) before(o *rank) bool { return r.g < o.g || r.g == o.g && r.row < o.row }

// rank sorts the fresh candidates that may be taken. They are listed as enumerate
// does: on each target, slot by slot, after the warm ones.
func (x *scratch) rank(targets int) {
	x.ranks = x.ranks[:0]
	g := x.g[:len(x.admits)]
	for i := targets; i < len(g); i++ {
		if x.admits[i] != 0 {
			x.ranks = append(x.ranks, rank{ordinal(g[i]), uint32(i)})
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
