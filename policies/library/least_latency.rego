# Least mean latency, whatever it emits and costs.
#
# Reads: nothing. Limits: none.
# Example: of Stockholm (9 µg, 300 ms) and Frankfurt (90 µg, 80 ms) it takes
# Frankfurt.
package wattle.placement

import data.wattle.lib.objectives

objective := objectives.least_latency
