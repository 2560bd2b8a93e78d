package wattle.placement_test

import data.wattle.placement

in_eu(residency) := {"request": {"tenant": "acme", "residency": residency}, "candidate": {"jurisdiction": "EU"}}

in_us(residency) := {"request": {"tenant": "acme", "residency": residency}, "candidate": {"jurisdiction": "US"}}

nowhere(residency) := {"request": {"tenant": "acme", "residency": residency}, "candidate": {}}

test_inside_is_allowed if count(placement.deny) == 0 with input as in_eu(["EU", "CH"])

test_outside_is_denied_with_reasons if {
	denials := placement.deny with input as in_us(["EU", "CH"])
	denials == {{
		"code": "residency",
		"msg": "data must stay in EU, CH, this place is in US",
		"criterion": "candidate.jurisdiction",
		"limit": "EU, CH",
		"actual": "US",
	}}
}

test_unknown_jurisdiction_is_outside if {
	some d in placement.deny with input as nowhere(["EU"])
	d.actual == "unknown"
}

test_no_list_means_anywhere if {
	count(placement.deny) == 0 with input as in_us([])
	count(placement.deny) == 0 with input as nowhere([])
}

test_tenant_list_serves_functions_without_one if {
	tenants := {"acme": {"residency": ["EU"]}}
	count(placement.deny) == 1 with input as in_us([]) with data.tenants as tenants
	count(placement.deny) == 0 with input as in_us(["US"]) with data.tenants as tenants
}

test_parameter_serves_the_rest if {
	count(placement.deny) == 1 with input as in_us([]) with data.params.residency as ["EU"]
	count(placement.deny) == 0 with input as in_eu([]) with data.params.residency as ["EU"]
}

test_latency_is_bounded if placement.limits.p95_over_home_permille == 1100

test_least_carbon if placement.objective.carbon_permille == 1000
