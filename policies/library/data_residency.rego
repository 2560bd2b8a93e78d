# The default policy, only in jurisdictions that may process the data.
#
# Reads input.request.residency and tenant, input.candidate.jurisdiction,
# data.tenants[tenant].residency. Parameters: data.params.residency (list of
# jurisdictions for everybody without a list of their own, default any) and
# data.params.p95_over_home_permille (‰, default 1100).
# Example: a function with residency ["EU"] never runs in "US", nor where the
# jurisdiction is unknown.
package wattle.placement

import data.wattle.lib.latency_within
import data.wattle.lib.objectives
import data.wattle.lib.residency

deny := residency.deny

limits := latency_within.limits

objective := objectives.least_carbon
