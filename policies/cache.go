package policies

// cache is a bounded map with clock (second-chance) eviction. It is not safe
// for concurrent use; its owner holds a lock.
type cache struct {
	size  int
	index map[string]int32
	slots []slot
	hand  int
}

type slot struct {
	key  string
	out  *outcome
	used bool
}

func newCache(size int) *cache {
	return &cache{size: size, index: map[string]int32{}}
}

// get returns nil where key is unknown. It does not allocate.
func (c *cache) get(key []byte) *outcome {
	i, ok := c.index[string(key)]
	if !ok {
		return nil
	}
	c.slots[i].used = true
	return c.slots[i].out
}

// put stores out under key, evicting the first slot that was not used since
// the hand last passed it.
func (c *cache) put(key string, out *outcome) {
	if i, ok := c.index[key]; ok {
		c.slots[i].out = out
		return
	}
	if len(c.slots) < c.size {
		c.index[key] = int32(len(c.slots))
		c.slots = append(c.slots, slot{key: key, out: out})
		return
	}
	for c.slots[c.hand].used {
		c.slots[c.hand].used = false
		c.hand = (c.hand + 1) % c.size
	}
	delete(c.index, c.slots[c.hand].key)
	c.slots[c.hand] = slot{key: key, out: out}
	c.index[key] = int32(c.hand)
	c.hand = (c.hand + 1) % c.size
}
