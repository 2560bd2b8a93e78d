# Least money, whatever it emits and takes.
#
# Reads: nothing. Limits: none.
# Example: of Oregon (200 nUSD) and Zurich (260 nUSD) it takes Oregon.
package wattle.placement

import data.wattle.lib.objectives

objective := objectives.least_cost
