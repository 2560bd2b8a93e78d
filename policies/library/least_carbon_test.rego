package wattle.placement_test

import data.wattle.placement

test_only_one_rate_counts if {
	count([k | some k; placement.objective[k] > 0]) == 1
}

test_nothing_is_bounded if not placement.limits

test_nothing_is_denied if not placement.deny

test_carbon_counts_as_it_is if placement.objective.carbon_permille == 1000
