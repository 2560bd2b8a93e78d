package policies

import (
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/wattle-project/wattle"
)

func TestFieldTable(t *testing.T) {
	all := fields()
	if len(all) != int(fieldCount) {
		t.Fatalf("%d fields in the table, %d numbers", len(all), fieldCount)
	}
	for id, path := range map[fieldID]string{
		requestID: "request.id", requestOut: "request.out_bytes", paramsSLO: "params.slo_us", paramsDeadline: "params.deadline_us",
		slowTarget: "candidate.target", slowLabels: "candidate.labels", slowVendor: "candidate.accelerator.vendor",
		slowSharing: "candidate.accelerator.sharing", columnSandbox: "candidate.sandbox", columnP95: "candidate.p95_us",
		columnStartEnergy: "candidate.start_energy_uj", columnCost: "candidate.cost_nusd", columnPenalty: "candidate.penalty_ug",
	} {
		if all[id].path != path {
			t.Errorf("field %d is %s, want %s", id, all[id].path, path)
		}
	}
}

// TestEveryFieldHasAValue fills everything, so that an absent cell is a field
// that row.cell forgot.
func TestEveryFieldHasAValue(t *testing.T) {
	f, p, attrs, c := fullRow()
	r := row{function: f, params: p, attrs: attrs, columns: c}
	for id, field := range fields() {
		if got := r.cell(read{id: fieldID(id)}); got.kind != field.kind {
			t.Errorf("%s has kind %d, want %d", field.path, got.kind, field.kind)
		}
	}
}

func fullRow() (*wattle.Function, *wattle.Params, []wattle.Attributes, *wattle.Columns) {
	f := &wattle.Function{ID: "f", Tenant: "t", Class: "c", TrustGroup: "g", Residency: []string{"EU"}, Home: "h", Accelerator: "ampere", MaxInstances: 3}
	p := &wattle.Params{SLO: time.Second, Budget: 1, Cap: 1, Region: "r", Deadline: time.Hour}
	attrs := []wattle.Attributes{{
		Target: "t", Cluster: "c", Zone: "z", Region: "r", Country: "c", Jurisdiction: "j", Provider: "p", Pool: "p", Hardware: "h",
		Labels:      map[string]string{"a": "b"},
		Accelerator: wattle.Accelerator{Vendor: "v", Product: "p", Family: "f", Memory: 1, Compute: 80, Profile: "1g", Slices: 1, OfSlices: 7},
	}}
	c := new(wattle.Columns)
	c.Reset(1)
	return f, p, attrs, c
}

func TestKeysDoNotCollide(t *testing.T) {
	text := func(id, tenant string) *wattle.Function {
		return &wattle.Function{ID: wattle.FunctionID(id), Tenant: wattle.TenantID(tenant)}
	}
	list := func(s ...string) *wattle.Function { return &wattle.Function{Residency: s} }
	none := &wattle.Params{}
	seen := map[string]int{}
	for i, r := range []row{
		{function: text("ab", "c"), params: none}, {function: text("a", "bc"), params: none},
		{function: text("", "abc"), params: none}, {function: text("abc", ""), params: none},
		{function: list("a", "b"), params: none}, {function: list("ab"), params: none}, {function: list("", "ab"), params: none},
		{function: text("", ""), params: &wattle.Params{SLO: time.Microsecond}},
		{function: text("", ""), params: &wattle.Params{Cap: 1e-6}},
		{function: text("", ""), params: &wattle.Params{Budget: 1e-9}},
	} {
		key := string(r.appendKey(nil, []read{{id: requestID}, {id: requestTenant}, {id: requestResidency}, {id: paramsSLO}, {id: paramsBudget}, {id: paramsCap}}))
		if j, dup := seen[key]; dup {
			t.Errorf("rows %d and %d share a key", j, i)
		}
		seen[key] = i
	}
}

// TestKeysAreEqualWhenValuesAre draws two rows and compares their keys with
// their cells.
func TestKeysAreEqualWhenValuesAre(t *testing.T) {
	reads := lookup(fields(), nil)
	rapid.Check(t, func(t *rapid.T) {
		var keys [2]string
		var cells [2][]cell
		for i := range keys {
			f, p, attrs, c := drawBatch(t)
			if c.Len() == 0 {
				return
			}
			r := row{function: f, params: p, attrs: attrs, columns: c}
			keys[i] = string(r.appendKey(nil, reads))
			for _, rd := range reads {
				v := r.cell(rd)
				if len(v.labels) == 0 {
					v.labels = nil
				}
				cells[i] = append(cells[i], v)
			}
		}
		if (keys[0] == keys[1]) != reflect.DeepEqual(cells[0], cells[1]) {
			t.Fatalf("keys equal: %v, cells %v and %v", keys[0] == keys[1], cells[0], cells[1])
		}
	})
}
