package flow

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/wattle-project/wattle/simulator/flow/oracle"
)

// A flow from several sources is certified optimal, and agrees with the simplex.
func TestNetworkIsOptimal(t *testing.T) {
	compared := 0
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 6).Draw(t, "nodes")
		g := NewNetwork(n)
		var lp oracle.Program
		out, in := make([][]int, n), make([][]int, n)
		for range rapid.IntRange(1, 12).Draw(t, "arcs") {
			u, v := rapid.IntRange(0, n-1).Draw(t, "from"), rapid.IntRange(0, n-1).Draw(t, "to")
			if u == v {
				continue
			}
			room, cost := rapid.IntRange(0, 5).Draw(t, "capacity"), float64(rapid.IntRange(0, 9).Draw(t, "cost"))
			if _, err := g.Arc(u, v, int64(room), cost); err != nil {
				t.Fatal(err)
			}
			k := len(lp.Cost)
			out[u], in[v] = append(out[u], k), append(in[v], k)
			lp.Cost = append(lp.Cost, cost)
			lp.Row(ones([]int{k}), false, float64(room))
		}
		sent := make([]int64, n)
		for range 3 {
			v := rapid.IntRange(0, n-2).Draw(t, "source")
			sent[v] += g.Send(v, n-1, int64(rapid.IntRange(0, 6).Draw(t, "amount")))
		}
		if err := g.Check(1e-9); err != nil {
			t.Fatal(err)
		}
		if !oracle.Near(g.Cost(), g.Bound()) {
			t.Fatalf("cost %g, bound %g", g.Cost(), g.Bound())
		}
		for v := range n - 1 {
			r := make([]float64, len(lp.Cost))
			for _, k := range out[v] {
				r[k]++
			}
			for _, k := range in[v] {
				r[k]--
			}
			lp.Row(r, true, float64(sent[v]))
		}
		if len(lp.Cost) == 0 {
			return
		}
		if v, ok := lp.Simplex(1e-11); ok {
			if compared++; !oracle.Near(v, g.Cost()) {
				t.Fatalf("cost %g, the simplex finds %g", g.Cost(), v)
			}
		}
	})
	if compared < 10 {
		t.Errorf("only %d cases were compared", compared)
	}
}

func TestNetworkChecksItsArcs(t *testing.T) {
	g := NewNetwork(2)
	for _, a := range []struct {
		from, to int
		capacity int64
		cost     float64
	}{{0, 2, 1, 1}, {0, 0, 1, 1}, {0, 1, -1, 1}, {0, 1, 1, -1}} {
		if _, err := g.Arc(a.from, a.to, a.capacity, a.cost); err == nil {
			t.Errorf("%+v is accepted", a)
		}
	}
}

func ExampleNetwork() {
	g := NewNetwork(3)
	direct, _ := g.Arc(0, 2, 2, 5)
	g.Arc(0, 1, 1, 1)
	g.Arc(1, 2, 9, 1)
	fmt.Println(g.Send(0, 2, 4), g.Flow(direct), g.Cost(), g.Bound())
	// Output: 3 2 12 12
}
