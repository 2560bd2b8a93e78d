package gpu

import "math"

// Basis says on what a share rests, best first.
type Basis uint8

// Bases of shares.
const (
	ByEngine    Basis = iota // graphics engine activity (1001) × slices
	BySM                     // SM activity (1002) × slices
	ByMixed                  // some instances had no activity: the mean of the others stood in
	BySlices                 // no activity is known, or all are idle: slices alone
	ByProcess                // SM time of processes
	Whole                    // the one owner of the board or instance
	ByEqualPart              // n owners of one board, nothing else is known
)

// String returns the label value.
func (b Basis) String() string {
	names := []string{"engine", "sm", "mixed", "slices", "process", "whole", "equal"}
	if int(b) >= len(names) {
		return "invalid"
	}
	return names[b]
}

// Activity chooses between engine activity (field 1001) and SM activity (1002)
// of one entity. 1001 is preferred; 1002 stands in where 1001 is absent. An
// engine activity of 0 is not believed when SMs were active or the driver's
// own utilisation is full: profiling then reports 0 for "not collected".
func Activity(engine, sm, utilisation Ratio) (Ratio, Basis) {
	full := utilisation.Known && utilisation.Value >= 0.99
	active := sm.Known && sm.Value > 0
	if engine.Known && (engine.Value > 0 || !full && !active) {
		return engine, ByEngine
	}
	if sm.Known && (active || !full) {
		return sm, BySM
	}
	return Ratio{}, BySlices
}

// Shares divides a board over its MIG instances:
// share = activity × slices ÷ Σ(activity × slices).
// Activity is field 1001, or 1002 for all instances when 1001 cannot be
// believed for one. When nothing is active the shares follow the slices, which
// is the split of idle energy by what was reserved. The result sums to 1, or
// is empty. Activities are relative to the instance (NVIDIA, "MIG User Guide",
// profiling metrics), hence the factor slices.
func Shares(instances []Instance) ([]float64, Basis) {
	engine := func(i Instance) Ratio {
		a, basis := Activity(i.Graphics, i.SM, Ratio{})
		return Ratio{Value: a.Value, Known: a.Known && basis == ByEngine}
	}
	sm := func(i Instance) Ratio { return i.SM }
	either := func(i Instance) Ratio { a, _ := Activity(i.Graphics, i.SM, Ratio{}); return a }
	for basis, activity := range []func(Instance) Ratio{engine, sm} {
		if w, known := weigh(instances, activity); known == len(instances) && positive(w) {
			return normalise(w), Basis(basis)
		}
	}
	if w, known := weigh(instances, either); known > 0 && positive(w) {
		return normalise(w), ByMixed
	}
	w := make([]float64, len(instances))
	for i, in := range instances {
		w[i] = in.weight()
	}
	return normalise(w), BySlices
}

// weigh returns activity × slices and how many activities were known; an
// instance without one gets the slice-weighted mean of the others.
func weigh(instances []Instance, activity func(Instance) Ratio) (w []float64, known int) {
	w = make([]float64, len(instances))
	var sum, slices float64
	for i, in := range instances {
		if a := activity(in); a.Known {
			w[i] = a.Value * in.weight()
			sum, slices, known = sum+w[i], slices+in.weight(), known+1
		}
	}
	for i, in := range instances {
		if !activity(in).Known && slices > 0 {
			w[i] = sum / slices * in.weight()
		}
	}
	return w, known
}

func (i Instance) weight() float64 { return float64(max(i.Slices, 1)) }

func positive(w []float64) bool {
	for _, v := range w {
		if v > 0 {
			return true
		}
	}
	return false
}

func normalise(w []float64) []float64 {
	sum := 0.0
	for _, v := range w {
		sum += v
	}
	if sum <= 0 {
		return w
	}
	for i := range w {
		w[i] /= sum
	}
	return w
}

// Split divides total over the weights and writes whole parts to dst, which
// must be as long. The parts sum to total exactly: what rounding down leaves
// goes to the largest remainders, ties to the lower index. Weights that are
// not positive get nothing; without any positive weight all parts are 0 and
// Split returns false.
func Split(total uint64, weights []float64, dst []uint64) bool {
	sum := 0.0
	for i, w := range weights {
		dst[i] = 0
		if w > 0 && !math.IsInf(w, 0) {
			sum += w
		}
	}
	if sum <= 0 || math.IsInf(sum, 0) {
		return false
	}
	left := total
	rest := make([]float64, len(weights))
	for i, w := range weights {
		rest[i] = -1
		if w <= 0 || math.IsInf(w, 0) || math.IsNaN(w) {
			continue
		}
		exact := float64(total) * (w / sum)
		part := min(uint64(exact), left)
		dst[i], rest[i] = part, exact-float64(part)
		left -= part
	}
	handOut(left, rest, dst)
	return true
}

// handOut gives single units to the largest remainders. What float rounding of
// huge totals leaves beyond one unit each goes to the first of them.
func handOut(left uint64, rest []float64, dst []uint64) {
	for range rest {
		top := 0
		for i, r := range rest {
			if r > rest[top] {
				top = i
			}
		}
		if left == 0 || rest[top] < 0 {
			break
		}
		dst[top]++
		rest[top] = -1
		left--
	}
	for i := range dst {
		if left > 0 && dst[i] > 0 {
			dst[i] += left
			return
		}
	}
}
