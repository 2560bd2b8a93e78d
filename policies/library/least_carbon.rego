# Least operational carbon, whatever it costs in time and money.
#
# Reads: nothing. Limits: none.
# Example: of Stockholm (9 µg, 300 ms) and Frankfurt (90 µg, 80 ms) it takes
# Stockholm.
package wattle.placement

import data.wattle.lib.objectives

objective := objectives.least_carbon
