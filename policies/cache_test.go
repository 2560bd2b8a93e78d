package policies

import (
	"strconv"
	"testing"

	"pgregory.net/rapid"
)

func TestCacheIsBoundedAndNeverWrong(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(1, 5).Draw(t, "size")
		c, truth := newCache[int](size), map[string]int{}
		for i := range rapid.IntRange(0, 60).Draw(t, "steps") {
			key := strconv.Itoa(rapid.IntRange(0, 9).Draw(t, "key"))
			if rapid.Bool().Draw(t, "put") {
				c.put(key, i)
				truth[key] = i
				if got, ok := c.get([]byte(key)); !ok || got != i {
					t.Fatalf("%s was put and is %d", key, got)
				}
			} else if got, ok := c.get([]byte(key)); ok && got != truth[key] {
				t.Fatalf("%s is %d, want %d", key, got, truth[key])
			}
			if len(c.index) > size || len(c.index) != len(c.slots) {
				t.Fatalf("%d keys in %d slots of %d", len(c.index), len(c.slots), size)
			}
		}
	})
}

func TestCacheKeepsWhatIsUsed(t *testing.T) {
	c := newCache[int](4)
	c.put("hot", 1)
	for i := range 100 {
		if _, ok := c.get([]byte("hot")); !ok {
			t.Fatalf("evicted after %d", i)
		}
		c.put(strconv.Itoa(i), i)
	}
}
