package agent

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/telemetry/attribution"
	"github.com/wattle-project/wattle/telemetry/disaggregate"
	"github.com/wattle-project/wattle/telemetry/exporter"
)

// TestSharesClose grows accounts at random and holds every row to never fall,
// and all rows with the pool to what the accounts are charged, to the microjoule.
func TestSharesClose(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		closeShares(t, r)
	}
}

func closeShares(t *testing.T, r *rand.Rand) {
	s := shares{of: map[functionKey]*share{}}
	control := func(namespace, _ string) bool { return namespace == "system" }
	accounts := []attribution.Account{}
	for i := range 1 + r.IntN(6) {
		accounts = append(accounts, attribution.Account{Namespace: "shop", Function: fmt.Sprint(i)})
	}
	accounts = append(accounts, attribution.Account{Namespace: "system"}, attribution.Account{Namespace: "system", Function: "gateway"})
	before := map[exporter.FunctionEnergy]wattle.Microjoules{}
	kinds := map[exporter.Share]bool{}
	for round := range 300 {
		grow(r, accounts)
		invoke(r, &s, accounts)
		s.divide(accounts, control, time.Unix(int64(round*(1+r.IntN(2)*40)), 0))
		rows, sums, booked := []exporter.FunctionEnergy{}, s.pool, [components]wattle.Microjoules{}
		total := wattle.Microjoules(0)
		for i := range accounts {
			rows = s.ours[i].append(rows, &accounts[i])
			total += s.ours[i].total(&accounts[i])
			for c := range booked {
				booked[c] += accounts[i].Charges[c].Sum()
			}
		}
		for _, x := range s.pool {
			total += x
		}
		shown := map[exporter.FunctionEnergy]bool{}
		for _, row := range rows {
			e := row.Energy
			kinds[row.Share] = true
			sums[row.Component] += e
			total -= e
			row.Energy = 0
			shown[row] = true
			if e < before[row] {
				t.Fatalf("round %d: %+v falls from %d to %d µJ", round, row, before[row], e)
			}
			before[row] = e
		}
		for row, e := range before {
			if !shown[row] {
				t.Fatalf("round %d: %+v falls from %d µJ to nothing", round, row, e)
			}
		}
		for _, x := range s.pool {
			total -= x
		}
		if sums != booked || total != 0 {
			t.Fatalf("round %d: rows and pool %v, accounts %v, totals are off by %d", round, sums, booked, total)
		}
	}
	if len(kinds) != 3 {
		t.Fatalf("only the shares %v came about", kinds)
	}
}

func grow(r *rand.Rand, accounts []attribution.Account) {
	for i := range accounts {
		for c := range accounts[i].Charges {
			accounts[i].Charges[c].Active += wattle.Microjoules(r.IntN(1000))
			accounts[i].Charges[c].Idle += wattle.Microjoules(r.IntN(10))
		}
	}
}

// invoke ends invocations of some functions, not all with a known energy.
func invoke(r *rand.Rand, s *shares, accounts []attribution.Account) {
	for i := range accounts[:len(accounts)-2] {
		if r.IntN(3) > 0 {
			continue
		}
		f := wattle.FunctionID(accounts[i].Namespace + "/" + accounts[i].Function)
		known := map[finishedKey]float64{}
		if r.IntN(4) > 0 {
			known[finishedKey{f, false}], known[finishedKey{f, true}] = r.Float64(), 3*r.Float64()
		}
		run := disaggregate.Run{Function: f, Warm: float64(r.IntN(5)) / 3, Cold: float64(r.IntN(2))}
		if r.IntN(3) == 0 {
			run.Untold = run.Warm * float64(r.IntN(3)) / 2
		}
		s.count(&run, &tally{active: known})
	}
}

// TestSharesFollowInvocations is a story with figures: 90 warm starts of 1 J and
// 10 cold ones of 3 J, of 120 J booked; another function has 300 of 400
// invocations, and the platform takes 40 J meanwhile.
func TestSharesFollowInvocations(t *testing.T) {
	s := shares{of: map[functionKey]*share{}}
	control := func(namespace, _ string) bool { return namespace == "system" }
	accounts := []attribution.Account{{Namespace: "shop", Function: "a"}, {Namespace: "shop", Function: "b"}, {Namespace: "system"}}
	one := map[finishedKey]float64{{"shop/a", false}: 1, {"shop/a", true}: 3, {"shop/b", false}: 1}
	count := func(r disaggregate.Run) { s.count(&r, &tally{active: one}) }
	count(disaggregate.Run{Function: "shop/a"})
	count(disaggregate.Run{Function: "shop/b"})
	s.divide(accounts, control, time.Unix(0, 0)) // accounts are there
	count(disaggregate.Run{Function: "shop/a", Warm: 90, Cold: 10})
	count(disaggregate.Run{Function: "shop/b", Warm: 300})
	accounts[0].Charges[wattle.Package].Active = 120e6
	accounts[1].Charges[wattle.Package].Active = 300e6
	accounts[2].Charges[wattle.Package] = attribution.Charge{Active: 30e6, Idle: 10e6}
	s.divide(accounts, control, time.Unix(1, 0))
	// The platform's energy is gathered in the order of accounts, so it is dealt
	// in the same round.
	a, b := s.ours[0], s.ours[1]
	if got := a.active[wattle.Package]; got != (starts[wattle.Microjoules]{0, 90e6, 30e6}) {
		t.Errorf("active energy of a: %+v, want 90 J warm and 30 J cold", got)
	}
	if a.platform[wattle.Package] != 10e6 || b.platform[wattle.Package] != 30e6 {
		t.Errorf("of the platform's 40 J a has %d and b %d µJ, want a quarter and the rest", a.platform[wattle.Package], b.platform[wattle.Package])
	}
	accounts[2].Charges[wattle.Package].Active += 5e6
	s.divide(accounts, control, time.Unix(2, 0))
	if s.pool[wattle.Package] != 5e6 {
		t.Errorf("%d µJ wait for invocations, want 5 J", s.pool[wattle.Package])
	}
	s.divide(accounts, control, time.Unix(63, 0))
	if got := s.ours[2].own[wattle.Package].Active; got != 5e6 || s.pool[wattle.Package] != 0 {
		t.Errorf("after a minute without invocations %d µJ stay with the platform and %d wait, want 5 J and none", got, s.pool[wattle.Package])
	}
}

// TestUntoldStartsStayUntold: energy of invocations whose start the platform does
// not tell has no start, in proportion where it tells that of some.
func TestUntoldStartsStayUntold(t *testing.T) {
	s := shares{of: map[functionKey]*share{}}
	accounts := []attribution.Account{{Namespace: "shop", Function: "a"}, {Namespace: "shop", Function: "b"}}
	one := map[finishedKey]float64{{"shop/a", false}: 1, {"shop/b", false}: 1, {"shop/b", true}: 3}
	count := func(r disaggregate.Run) { s.count(&r, &tally{active: one}) }
	accounts[0].Charges[wattle.Package].Active = 7e6 // before anything is known
	accounts[1].Charges[wattle.Package].Active = 11e6
	s.divide(accounts, nil, time.Unix(0, 0))
	count(disaggregate.Run{Function: "shop/a"})
	count(disaggregate.Run{Function: "shop/b"})
	s.divide(accounts, nil, time.Unix(1, 0))
	for i := range 2 { // the totals stand like those that ended in every round
		count(disaggregate.Run{Function: "shop/a", Warm: 10, Untold: 10})
		count(disaggregate.Run{Function: "shop/b", Warm: 40, Untold: 30, Cold: 20})
		accounts[0].Charges[wattle.Package].Active += 20e6
		accounts[1].Charges[wattle.Package].Active += 200e6
		s.divide(accounts, nil, time.Unix(int64(2+i), 0))
	}
	if got := s.ours[0].active[wattle.Package]; got != (starts[wattle.Microjoules]{47e6, 0, 0}) {
		t.Errorf("active energy of a: %+v, want 47 J without a start", got)
	}
	if got := s.ours[1].active[wattle.Package]; got != (starts[wattle.Microjoules]{131e6, 40e6, 240e6}) {
		t.Errorf("active energy of b: %+v, want 11 J of before and 400 J as 30 : 10 : 60", got)
	}
}
