package wattle.placement_test

import data.wattle.placement

place(class, ug) := {"request": {"class": class}, "candidate": {"carbon_ug": ug}}

test_batch_is_held_to_the_limit if {
	count(placement.deny) == 0 with input as place("batch", 2000)
	some d in placement.deny with input as place("batch", 2100)
	d.code == "batch-carbon"
	d.actual == 2100
}

test_others_are_not if count(placement.deny) == 0 with input as place("interactive", 9000)

test_limit_is_a_parameter if {
	count(placement.deny) == 1 with input as place("batch", 600) with data.params.batch_ug as 500
}

test_stays_near_home if placement.limits == {"p95_over_home_permille": 1200}

test_weighs_time if placement.objective.ug_per_s == 500
