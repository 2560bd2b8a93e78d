package flow

import (
	"fmt"
	"math"
)

// Network is a directed graph with capacities and costs, and the cheapest flow
// that has been sent through it so far.
type Network struct {
	// Arc 2k is the k-th arc, 2k+1 its way back.
	to    []int32
	next  []int32 // the next arc out of the same node, −1 at the end
	room  []int64
	cost  []float64
	first []int32 // the first arc out of each node
	// potential orders the nodes so that no arc with room gains anything:
	// cost + potential(from) − potential(to) ≥ 0.
	potential []float64
	balance   []int64 // sent from each node, net
	search
}

// search is the state of a shortest path search; a node's part counts only if
// its stamp is that of the search.
type search struct {
	round    int32
	stamp    []int32
	distance []float64
	into     []int32 // the arc that leads to the node
	done     []bool
	touched  []int32
	frontier heap
}

// NewNetwork makes a graph of n nodes without arcs.
func NewNetwork(n int) *Network {
	g := &Network{first: make([]int32, n), potential: make([]float64, n), balance: make([]int64, n)}
	for i := range g.first {
		g.first[i] = -1
	}
	g.stamp, g.distance, g.into, g.done = make([]int32, n), make([]float64, n), make([]int32, n), make([]bool, n)
	return g
}

// Arc adds an arc of a capacity of 0 or more and a finite cost of 0 or more per
// unit and returns its number. Arcs are added before anything is sent.
func (g *Network) Arc(from, to int, capacity int64, cost float64) (int, error) {
	if n := len(g.first); from < 0 || from >= n || to < 0 || to >= n || from == to {
		return 0, fmt.Errorf("network: arc from %d to %d: want two of %d nodes", from, to, n)
	}
	if capacity < 0 || !(cost >= 0) || math.IsInf(cost, 1) {
		return 0, fmt.Errorf("network: arc from %d to %d: capacity %d and cost %g: want finite ones of 0 or more", from, to, capacity, cost)
	}
	k := len(g.to)
	g.to = append(g.to, int32(to), int32(from))
	g.room = append(g.room, capacity, 0)
	g.cost = append(g.cost, cost, -cost)
	g.next = append(g.next, g.first[from], g.first[to])
	g.first[from], g.first[to] = int32(k), int32(k+1)
	return k / 2, nil
}

// Price is what one more unit of room from a node to the sink would save, 0 or more.
func (g *Network) Price(node, sink int) float64 {
	return max(0, g.potential[sink]-g.potential[node])
}

// Flow is what runs through an arc.
func (g *Network) Flow(arc int) int64 { return g.room[2*arc+1] }

// Cost is the cost of the whole flow.
func (g *Network) Cost() float64 {
	sum := 0.0
	for k := 0; k < len(g.to); k += 2 {
		if f := g.room[k+1]; f != 0 {
			sum += float64(float64(f) * g.cost[k])
		}
	}
	return sum
}

// Send sends up to amount more from source to sink and returns how much went
// through. As long as the sink stays the same, the whole flow is then the cheapest
// that sends these amounts from their sources.
func (g *Network) Send(source, sink int, amount int64) (sent int64) {
	for sent < amount {
		if !g.path(source, sink) {
			break
		}
		d := g.distance[sink]
		for _, v := range g.touched {
			if g.done[v] {
				g.potential[v] += g.distance[v] - d
			}
		}
		step := amount - sent
		for v := sink; v != source; v = int(g.to[g.into[v]^1]) {
			step = min(step, g.room[g.into[v]])
		}
		for v := sink; v != source; v = int(g.to[g.into[v]^1]) {
			g.room[g.into[v]] -= step
			g.room[g.into[v]^1] += step
		}
		sent += step
	}
	g.balance[source] += sent
	g.balance[sink] -= sent
	return sent
}

// path finds a shortest path with room (Dijkstra, with costs that the potentials
// make 0 or more) and stops at the sink.
func (g *Network) path(source, sink int) bool {
	g.round++
	g.touched, g.frontier = g.touched[:0], g.frontier[:0]
	g.reach(int32(source), 0, -1)
	for len(g.frontier) > 0 {
		e := g.frontier.pop()
		u := e.row
		if g.done[u] {
			continue
		}
		if int(u) == sink {
			return true
		}
		g.done[u] = true
		for k := g.first[u]; k >= 0; k = g.next[k] {
			if v := g.to[k]; g.room[k] > 0 {
				g.reach(v, e.key+max(g.cost[k]+g.potential[u]-g.potential[v], 0), k)
			}
		}
	}
	return false
}

// reach notes a way to v.
func (g *Network) reach(v int32, d float64, arc int32) {
	if g.stamp[v] != g.round {
		g.stamp[v], g.done[v], g.distance[v] = g.round, false, math.Inf(1)
		g.touched = append(g.touched, v)
	}
	if d < g.distance[v] {
		g.distance[v], g.into[v] = d, arc
		g.frontier.push(entry{d, v})
	}
}

// Bound is the dual value of the potentials: below it no flow with the amounts
// sent so far costs. It equals Cost but for rounding.
func (g *Network) Bound() float64 {
	sum := 0.0
	for v, b := range g.balance {
		if b != 0 {
			sum -= float64(float64(b) * g.potential[v])
		}
	}
	for k := 0; k < len(g.to); k += 2 {
		if r := g.reduced(k); r < 0 {
			sum += float64(float64(g.room[k]+g.room[k+1]) * r)
		}
	}
	return sum
}

// reduced is the cost of an arc under the potentials.
func (g *Network) reduced(k int) float64 {
	return g.cost[k] + g.potential[g.to[k^1]] - g.potential[g.to[k]]
}

// Check verifies that the flow is kept at every node, within capacity and, by
// its potentials within eps per unit, the cheapest for the amounts sent.
func (g *Network) Check(eps float64) error {
	net := make([]int64, len(g.first))
	for k := range g.to {
		if g.room[k] < 0 {
			return fmt.Errorf("network: arc %d: capacity exceeded by %d", k/2, -g.room[k])
		}
		if r := g.reduced(k); g.room[k] > 0 && r < -eps {
			return fmt.Errorf("network: arc %d: a unit more would save %g", k/2, -r)
		}
		if k%2 == 0 {
			net[g.to[k+1]] += g.room[k+1]
			net[g.to[k]] -= g.room[k+1]
		}
	}
	for v, b := range net {
		if b != g.balance[v] {
			return fmt.Errorf("network: node %d: %d units leave, %d were sent", v, b, g.balance[v])
		}
	}
	return nil
}
