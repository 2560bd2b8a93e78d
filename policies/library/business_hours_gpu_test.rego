package wattle.placement_test

import data.wattle.placement

gpu(class) := {
	"request": {"class": class},
	"candidate": {"zone": "FR", "accelerator": {"product": "A100"}},
}

cpu := {"request": {"class": "batch"}, "candidate": {"zone": "FR"}}

clock(hour, weekday) := {"hour_utc": 0, "weekday_utc": 7, "local": {"FR": {"hour": hour, "weekday": weekday}}}

test_batch_is_kept_out_during_business_hours if {
	some d in placement.deny with input as gpu("batch") with data.clock as clock(10, 2)
	d.code == "business_hours"
	d.actual == "batch"
}

test_interactive_is_let_in if {
	count(placement.deny) == 0 with input as gpu("interactive") with data.clock as clock(10, 2)
}

test_no_class_is_kept_out if {
	some d in placement.deny with input as json.remove(gpu("any"), ["request/class"]) with data.clock as clock(10, 2)
	d.actual == "none"
}

test_hours_are_half_open if {
	count(placement.deny) == 0 with input as gpu("batch") with data.clock as clock(8, 2)
	count(placement.deny) == 1 with input as gpu("batch") with data.clock as clock(9, 2)
	count(placement.deny) == 1 with input as gpu("batch") with data.clock as clock(16, 2)
	count(placement.deny) == 0 with input as gpu("batch") with data.clock as clock(17, 2)
}

test_weekend_is_free if {
	count(placement.deny) == 1 with input as gpu("batch") with data.clock as clock(10, 5)
	count(placement.deny) == 0 with input as gpu("batch") with data.clock as clock(10, 6)
}

test_utc_where_the_zone_has_no_clock if {
	count(placement.deny) == 1 with input as gpu("batch") with data.clock as {"hour_utc": 10, "weekday_utc": 1, "local": {}}
	count(placement.deny) == 0 with input as gpu("batch") with data.clock as {"hour_utc": 20, "weekday_utc": 1, "local": {}}
}

test_without_a_clock_nothing_is_reserved if count(placement.deny) == 0 with input as gpu("batch")

test_cpu_is_never_reserved if count(placement.deny) == 0 with input as cpu with data.clock as clock(10, 2)

test_parameters if {
	count(placement.deny) == 0 with input as gpu("batch") with data.clock as clock(10, 2)
		with data.params.business_classes as ["batch"]
	count(placement.deny) == 1 with input as gpu("batch") with data.clock as clock(20, 2)
		with data.params as {"business_from_hour": 20, "business_to_hour": 22}
}

test_latency_is_bounded if placement.limits.p95_over_home_permille == 1100

test_least_carbon if placement.objective.carbon_permille == 1000
