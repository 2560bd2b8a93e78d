package policies

// cache is a bounded map with clock (second-chance) eviction. It is not safe
// for concurrent use; its owner holds a lock.
type cache[V any] struct {
	size  int
	index map[string]int32
	slots []slot[V]
	hand  int
}

type slot[V any] struct {
	key  string
	val  V
	used bool
}

func newCache[V any](size int) *cache[V] {
	return &cache[V]{size: size, index: map[string]int32{}}
}

// get returns the value under key, if there is one. It does not allocate.
func (c *cache[V]) get(key []byte) (val V, ok bool) {
	i, ok := c.index[string(key)]
	if !ok {
		return val, false
	}
	s := &c.slots[i]
	s.used = true
	return s.val, true
}

// put stores val under key, evicting the first slot that was not used since
// the hand last passed it.
func (c *cache[V]) put(key string, val V) {
	if i, ok := c.index[key]; ok {
		c.slots[i].val = val
		return
	}
	if len(c.slots) < c.size {
		c.index[key] = int32(len(c.slots))
		c.slots = append(c.slots, slot[V]{key: key, val: val})
		return
	}
	for c.slots[c.hand].used {
		c.slots[c.hand].used = false
		c.hand = (c.hand + 1) % c.size
	}
	delete(c.index, c.slots[c.hand].key)
	c.slots[c.hand] = slot[V]{key: key, val: val}
	c.index[key] = int32(c.hand)
	c.hand = (c.hand + 1) % c.size
}
