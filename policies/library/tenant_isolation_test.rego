package wattle.placement_test

import data.wattle.placement

gpu(level, request) := {
	"request": request,
	"candidate": {"isolation": level, "accelerator": {"product": "A100"}, "labels": {}},
}

cpu(request) := {"request": request, "candidate": {"isolation": 0, "labels": {}}}

groups := {"internal": 1, "public": 4}

test_listed_group if {
	count(placement.deny) == 0 with input as gpu(1, {"trust_group": "internal", "min_isolation": 0})
		with data.params.isolation_by_group as groups
	count(placement.deny) == 1 with input as gpu(3, {"trust_group": "public", "min_isolation": 0})
		with data.params.isolation_by_group as groups
	count(placement.deny) == 0 with input as gpu(4, {"trust_group": "public", "min_isolation": 0})
		with data.params.isolation_by_group as groups
}

test_unlisted_group_needs_mig if {
	count(placement.deny) == 1 with input as gpu(2, {"trust_group": "other", "min_isolation": 0})
	count(placement.deny) == 0 with input as gpu(3, {"trust_group": "other", "min_isolation": 0})
	count(placement.deny) == 1 with input as gpu(2, {"min_isolation": 0})
}

test_default_is_a_parameter if {
	count(placement.deny) == 0 with input as gpu(2, {"min_isolation": 0}) with data.params.isolation_default as 2
}

test_the_function_may_ask_for_more if {
	some d in placement.deny with input as gpu(3, {"min_isolation": 5})
	d.limit == 5
	d.actual == 3
}

test_without_an_accelerator_there_is_nothing_to_share if {
	count(placement.deny) == 0 with input as cpu({"min_isolation": 5})
}

dedicated(request) := {"request": request, "candidate": {"isolation": 5, "labels": {"trust_group": "bank"}}}

test_dedicated_target if {
	count(placement.deny) == 0 with input as dedicated({"trust_group": "bank", "min_isolation": 0})
	codes := {d.code | some d in placement.deny} with input as dedicated({"min_isolation": 0})
	codes == {"trust_group"}
}

test_latency_is_bounded if placement.limits.p95_over_home_permille == 1100

test_least_carbon if placement.objective.carbon_permille == 1000
