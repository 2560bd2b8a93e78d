package wattle.placement_test

import data.wattle.placement

test_defaults if {
	placement.objective == {"carbon_permille": 1000, "ug_per_s": 500, "ug_per_usd": 30000000}
}

test_parameters_override if {
	rates := placement.objective with data.params as {"ug_per_s": 7, "ug_per_usd": 9}
	rates.ug_per_s == 7
	rates.ug_per_usd == 9
}

# 5 W for a second at 400 g/kWh in µg: 5 · 400 · 1000000 / 3600000.
test_a_second_weighs_as_much_as_a_busy_vcpu if {
	emitted := round(((5 * 400) * 1000000) / 3600000)
	abs(emitted - placement.objective.ug_per_s) < 100
}
