# Least carbon among the places whose p95 is within 110 % of home: the default.
#
# Parameters: data.params.p95_over_home_permille (‰, default 1100), relative to
# what the home cluster would take in its present state.
# Example: home takes 100 ms at p95. A place with 109 ms and 9 µg beats home with
# 90 µg; one with 111 ms and 1 µg is out.
package wattle.placement

import data.wattle.lib.latency_within
import data.wattle.lib.objectives

limits := latency_within.limits

objective := objectives.least_carbon
