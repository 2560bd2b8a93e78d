package attribution

import "math/bits"

// part is one claim on an amount.
type part struct {
	weight uint64
	quota  uint64 // result
	rest   uint64 // remainder of the division
	slot   int    // whose claim it is, or nobody or outside
}

// apportion sets the quotas so that they are proportional to the weights and
// add up to total exactly: each gets the floor of its share, and the units left
// over go to the largest remainders, ties by less (Hamilton's
// method). It reports false, and leaves the quotas 0, when all weights are 0.
// The sum of the weights must be under 2^64. The order of parts changes.
func apportion(total uint64, parts []part, less func(a, b part) bool) bool {
	var sum uint64
	for i := range parts {
		sum += parts[i].weight
		parts[i].quota = 0
	}
	if sum == 0 {
		return false
	}
	left := total
	for i := range parts {
		p := &parts[i]
		hi, lo := bits.Mul64(total, p.weight) // weight ≤ sum, so hi < sum
		if p.weight == sum {
			p.quota, p.rest = total, 0
		} else {
			p.quota, p.rest = bits.Div64(hi, lo, sum)
		}
		left -= p.quota
	}
	if left > 0 {
		selectFirst(parts, int(left), less)
		for i := range parts[:left] {
			parts[i].quota++
		}
	}
	return true
}

// selectFirst moves the k parts that come first to the front (Hoare's
// quickselect with the median of three as pivot), in linear expected time.
func selectFirst(ps []part, k int, less func(a, b part) bool) {
	lo, hi := 0, len(ps)
	for hi-lo > 1 && k > lo && k < hi {
		p := ps[median(ps, lo, hi, less)]
		i, j := lo, hi-1
		for i <= j {
			for less(ps[i], p) {
				i++
			}
			for less(p, ps[j]) {
				j--
			}
			if i <= j {
				ps[i], ps[j] = ps[j], ps[i]
				i, j = i+1, j-1
			}
		}
		switch { // ps[lo..j] ≤ p ≤ ps[i..hi-1]
		case k <= j:
			hi = j + 1
		case k >= i:
			lo = i
		default:
			return
		}
	}
}

func median(ps []part, lo, hi int, less func(a, b part) bool) int {
	a, b, c := lo, lo+(hi-lo)/2, hi-1
	if less(ps[b], ps[a]) {
		a, b = b, a
	}
	if less(ps[c], ps[b]) {
		b = c
		if less(ps[b], ps[a]) {
			b = a
		}
	}
	return b
}
