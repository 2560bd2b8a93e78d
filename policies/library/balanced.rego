# Carbon, time and money weighed against each other at physical exchange rates.
#
# Parameters: data.params.ug_per_s (µg per second of latency, default 500) and
# data.params.ug_per_usd (µg per US dollar, default 30,000,000). At the defaults
# one vCPU-second, one second and one GB-second weigh about the same.
# Limits: none.
# Example: 220 ms faster is worth 110 µg, so of Stockholm (9 µg, 300 ms) and
# Frankfurt (90 µg, 80 ms) at the same price it takes Frankfurt; at 100 µg/s it
# takes Stockholm.
package wattle.placement

import data.wattle.lib.objectives

objective := objectives.balanced
