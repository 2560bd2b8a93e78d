package wattle.placement_test

import data.wattle.placement

test_only_one_rate_counts if {
	count([k | some k; placement.objective[k] > 0]) == 1
}

test_nothing_is_bounded if not placement.limits

test_nothing_is_denied if not placement.deny

test_dollars_count if placement.objective.ug_per_usd > 0
