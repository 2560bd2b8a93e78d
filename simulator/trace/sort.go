package trace

// Sorter orders the arrivals of a window by time, keeping the order of equal
// ones: a radix sort from the least significant digit, on the nanoseconds since
// the window's start. Its zero value is ready; it keeps a scratch buffer as
// long as the longest window sorted.
type Sorter struct {
	scratch []Arrival
	counts  [4][]uint32
}

const (
	offsetBits = 36 // a minute has under 2^36 ns
	fewest     = 48 // below this, insertion is faster
)

// Sort orders a, all of which must lie within one Window from origin.
func (s *Sorter) Sort(a []Arrival, origin int64) {
	switch n := len(a); {
	case n < fewest:
		insertion(a)
	case n < 1536:
		s.radix(a, origin, 4, offsetBits/4)
	default:
		s.radix(a, origin, 3, offsetBits/3)
	}
}

func insertion(a []Arrival) {
	for i := 1; i < len(a); i++ {
		x, j := a[i], i
		for j > 0 && a[j-1].At > x.At {
			a[j] = a[j-1]
			j--
		}
		a[j] = x
	}
}

// radix sorts by digits of the given width. A digit that all arrivals share
// costs no pass, as when they all begin at the start of the minute.
func (s *Sorter) radix(a []Arrival, origin int64, digits, width uint) {
	s.grow(len(a), digits, width)
	mask := uint64(1)<<width - 1
	for i := range a {
		key := uint64(a[i].At - origin)
		for d := range digits {
			s.counts[d][key>>(d*width)&mask]++
		}
	}
	from, to := a, s.scratch[:len(a)]
	for d := range digits {
		counts, shift := s.counts[d], d*width
		if counts[uint64(from[0].At-origin)>>shift&mask] == uint32(len(a)) {
			continue
		}
		sum := uint32(0)
		for i, n := range counts {
			counts[i], sum = sum, sum+n
		}
		for i := range from {
			digit := uint64(from[i].At-origin) >> shift & mask
			to[counts[digit]] = from[i]
			counts[digit]++
		}
		from, to = to, from
	}
	if &from[0] != &a[0] {
		copy(a, from)
	}
}

func (s *Sorter) grow(n int, digits, width uint) {
	if cap(s.scratch) < n {
		s.scratch = make([]Arrival, n+n/4)
	}
	s.scratch = s.scratch[:cap(s.scratch)]
	for d := range digits {
		if cap(s.counts[d]) < 1<<width {
			s.counts[d] = make([]uint32, 1<<width)
		}
		s.counts[d] = s.counts[d][:1<<width]
		clear(s.counts[d])
	}
}
