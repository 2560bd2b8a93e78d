# The default policy, with accelerators reserved during business hours.
#
# Reads input.request.class, input.candidate.zone and accelerator, data.clock.
# Parameters: data.params.business_from_hour and business_to_hour (hours, default
# 9 and 17), data.params.business_classes (default ["interactive"]) and
# data.params.p95_over_home_permille (‰, default 1100).
# Example: at 10 o'clock on a Tuesday in Paris, class "batch" finds no GPU in
# zone FR; at 18 o'clock it does.
package wattle.placement

import data.wattle.lib.business_hours
import data.wattle.lib.latency_within
import data.wattle.lib.objectives

deny := business_hours.deny

limits := latency_within.limits

objective := objectives.least_carbon
