# Least carbon among the places whose p95 is within 110 % of home.
package wattle.placement

import data.wattle.lib.latency_within

limits := latency_within.limits

objective := {"carbon_permille": 1000}
