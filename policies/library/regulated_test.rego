package wattle.placement_test

import data.wattle.placement

request := {"tenant": "acme", "residency": ["EU"], "min_isolation": 0}

shared := {
	"request": request,
	"params": {},
	"candidate": {"jurisdiction": "US", "isolation": 1, "labels": {}, "accelerator": {"product": "A100"}},
}

test_denials_are_united if {
	codes := {d.code | some d in placement.deny} with input as shared
	codes == {"residency", "isolation"}
}

test_limits_are_merged if {
	limits := placement.limits with input as {"request": request, "params": {"slo_us": 300000}}
	limits == {"p95_over_home_permille": 1100, "p95_us": 300000}
}

test_without_a_wish_there_is_no_slo if {
	limits := placement.limits with input as {"request": request, "params": {}}
	limits == {"p95_over_home_permille": 1100}
}

test_balanced if placement.objective.ug_per_s == 500
