package lifecycle

// Bins is how many steps ahead the expected-cost policies look.
const Bins = 60

// histogram counts gaps in bins 1…Bins, bin 0 being those beyond, in fixed
// point. Recent gaps weigh more: each one weighs 1/0.97 of the one before it,
// by letting the weight of the newcomer grow.
type histogram struct {
	bins   [Bins + 1]uint16
	weight uint16 // of the latest
	total  uint32
}

const (
	unit      = 256 // weight of the first gap
	heaviest  = 4 * unit
	growthNum = 33 // growth of the weight per gap: 33/32
	growthDen = 32
)

func (h *histogram) add(bin int) {
	h.weight = h.weight * growthNum / growthDen
	if h.weight == 0 {
		h.weight = unit
	}
	if h.weight > heaviest {
		h.age()
	}
	h.bins[bin] += h.weight
	h.total += uint32(h.weight)
}

// age scales every count back so that the latest weighs a unit again.
func (h *histogram) age() {
	h.weight /= heaviest / unit
	h.total = 0
	for i, b := range h.bins {
		h.bins[i] = b / (heaviest / unit)
		h.total += uint32(h.bins[i])
	}
}

// mixture is a distribution of gaps: a histogram that falls back to a wider one
// that falls back to a prior, each as if it were some gaps seen.
type mixture struct {
	near, wide           *histogram
	weighNear, weighWide float64 // per count
	weighPrior           float64
}

const (
	trustPrior = 1 // gaps that the prior is worth against the wide histogram
	trustWide  = 4 // gaps that the wide histogram is worth against the near one
)

// mix prepares the mixture; a gap weighs less as it ages, so the counts are in
// units of the latest weight.
func mix(near, wide *histogram) mixture {
	m := mixture{near: near, wide: wide, weighPrior: 1}
	if wide.total > 0 {
		w := 1 / (float64(wide.total) + trustPrior*float64(wide.weight))
		m.weighWide, m.weighPrior = w, trustPrior*float64(wide.weight)*w
	}
	if near.total > 0 {
		w := 1 / (float64(near.total) + trustWide*float64(near.weight))
		back := trustWide * float64(near.weight) * w
		m.weighNear = w
		m.weighWide *= back
		m.weighPrior *= back
	}
	return m
}

// at is the probability of bin i. The prior is P(gap > i) = 1/(i+1): the
// scale-free guess before anything is known.
func (m *mixture) at(i int) float64 {
	prior := 1.0 / (Bins + 1)
	if i > 0 {
		prior = 1 / float64(i*(i+1))
	}
	return m.weighNear*float64(m.near.bins[i]) + m.weighWide*float64(m.wide.bins[i]) + m.weighPrior*prior
}
