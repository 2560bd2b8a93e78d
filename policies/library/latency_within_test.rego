package wattle.placement_test

import data.wattle.placement

test_default_is_110_percent if placement.limits == {"p95_over_home_permille": 1100}

test_parameter_overrides if {
	placement.limits.p95_over_home_permille == 1250 with data.params as {"p95_over_home_permille": 1250}
}

test_least_carbon_is_minimised if {
	placement.objective.carbon_permille == 1000
	placement.objective.ug_per_s == 0
}
