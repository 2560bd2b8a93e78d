package simulator

import "math/bits"

// kind orders events of one instant.
type kind uint8

const (
	finished kind = iota
	readied       // a pre-warmed instance is ready, and serves who comes at that instant
	epoch
	arrival
	prewarm
	expiry
)

// event is something that will happen to an instance.
type event struct {
	at   int64 // ns since the start of the run
	id   uint64
	kind kind
}

// before is the total order of events: time, kind, identity.
func (e *event) before(o *event) bool {
	if e.at != o.at {
		return e.at < o.at
	}
	if e.kind != o.kind {
		return e.kind < o.kind
	}
	return e.id < o.id
}

// A hierarchical timing wheel (Varghese and Lauck, SOSP 1987) with ticks of
// 2^20 ns: 4,096 ticks of 1 ms, 1,024 blocks of 4.3 s, 1,024 rounds of 73 min.
// Events of the present tick wait in a small heap that orders them exactly.
const (
	tickBits  = 20
	tickSlots = 1 << 12
	blockBits = 12
	blocks    = 1 << 10
	roundBits = 10
)

type wheel struct {
	now   int64 // present tick
	heap  []event
	nodes []node
	free  int32
	l0    [tickSlots]int32
	map0  [tickSlots / 64]uint64
	l1    [blocks]int32
	l2    [blocks]int32
	far   []event // beyond the last level
	count int
}

type node struct {
	event
	next int32
}

func newWheel() *wheel {
	w := &wheel{free: -1}
	for i := range w.l0 {
		w.l0[i] = -1
	}
	for i := range w.l1 {
		w.l1[i], w.l2[i] = -1, -1
	}
	return w
}

// push schedules e. Events in the past happen next.
func (w *wheel) push(e event) {
	w.count++
	w.put(e)
}

func (w *wheel) put(e event) {
	tick := e.at >> tickBits
	if tick <= w.now {
		w.heapPush(e)
		return
	}
	block, present := tick>>blockBits, w.now>>blockBits
	switch {
	case block == present:
		i := tick & (tickSlots - 1)
		w.map0[i>>6] |= 1 << (uint(i) & 63)
		w.link(&w.l0[i], e)
	case block-present < blocks && block>>roundBits == present>>roundBits:
		w.link(&w.l1[block&(blocks-1)], e)
	case block>>roundBits-present>>roundBits < blocks:
		w.link(&w.l2[(block>>roundBits)&(blocks-1)], e)
	default:
		w.far = append(w.far, e)
	}
}

func (w *wheel) link(head *int32, e event) {
	i := w.free
	if i >= 0 {
		w.free = w.nodes[i].next
	} else {
		i = int32(len(w.nodes))
		w.nodes = append(w.nodes, node{})
	}
	w.nodes[i] = node{e, *head}
	*head = i
}

// pour re-schedules every event of a list at its finer place.
func (w *wheel) pour(head *int32) {
	i := *head
	*head = -1
	for i >= 0 {
		n := w.nodes[i]
		w.nodes[i].next, w.free = w.free, i
		w.put(n.event)
		i = n.next
	}
}

// next removes and returns the first event that comes before (at, k), if any.
// It must not be asked for an earlier time than before.
func (w *wheel) next(at int64, k kind) (event, bool) {
	limit := at >> tickBits
	for {
		if len(w.heap) > 0 {
			top := &w.heap[0]
			if top.at < at || top.at == at && top.kind < k {
				w.count--
				return w.heapPop(), true
			}
			return event{}, false
		}
		if !w.advance(limit) {
			return event{}, false
		}
	}
}

// advance moves to the next tick that holds events, at most to limit.
func (w *wheel) advance(limit int64) bool {
	for w.now < limit {
		if t, ok := w.scan(); ok {
			if t > limit {
				w.now = limit
				return false
			}
			w.now = t
			i := t & (tickSlots - 1)
			w.map0[i>>6] &^= 1 << (uint(i) & 63)
			w.pour(&w.l0[i])
			return true
		}
		end := w.now | (tickSlots - 1)
		if limit <= end {
			w.now = limit
			return false
		}
		w.enter(end + 1)
		if len(w.heap) > 0 {
			return true
		}
	}
	return false
}

// enter begins a new block and pours the coarser levels that open with it.
func (w *wheel) enter(tick int64) {
	w.now = tick
	block := tick >> blockBits
	if block&(blocks-1) == 0 {
		round := block >> roundBits
		if round&(blocks-1) == 0 {
			far := w.far
			w.far = nil
			for _, e := range far {
				w.put(e)
			}
		}
		w.pour(&w.l2[round&(blocks-1)])
	}
	w.pour(&w.l1[block&(blocks-1)])
}

// scan finds the next occupied tick of the present block.
func (w *wheel) scan() (int64, bool) {
	base := w.now &^ (tickSlots - 1)
	i := w.now&(tickSlots-1) + 1
	for i < tickSlots {
		if m := w.map0[i>>6] >> (uint(i) & 63); m != 0 {
			return base + i + int64(bits.TrailingZeros64(m)), true
		}
		i = i&^63 + 64
	}
	return 0, false
}

func (w *wheel) heapPush(e event) {
	h := append(w.heap, e)
	i := len(h) - 1
	for i > 0 {
		parent := (i - 1) / 2
		if !e.before(&h[parent]) {
			break
		}
		h[i] = h[parent]
		i = parent
	}
	h[i] = e
	w.heap = h
}

func (w *wheel) heapPop() event {
	h := w.heap
	top, last := h[0], h[len(h)-1]
	h = h[:len(h)-1]
	i := 0
	for {
		child := 2*i + 1
		if child >= len(h) {
			break
		}
		if child+1 < len(h) && h[child+1].before(&h[child]) {
			child++
		}
		if !h[child].before(&last) {
			break
		}
		h[i] = h[child]
		i = child
	}
	if len(h) > 0 {
		h[i] = last
	}
	w.heap = h
	return top
}
