# Residency, tenant isolation and the latency that was asked for, then balanced.
#
# An example of composing: it unites the denials of two parts, merges the limits
# of two others and takes an objective, all from wattle.lib. Its parameters are
# those of data_residency, tenant_isolation, latency_within and balanced.
# A p95 over input.params.slo_us (µs) is out, even if that leaves no place.
# Example: residency ["EU"], slo 300 ms: of Frankfurt (250 ms), Paris (350 ms) and
# Virginia (80 ms), Frankfurt is left.
package wattle.placement

import data.wattle.lib.isolation
import data.wattle.lib.latency_within
import data.wattle.lib.objectives
import data.wattle.lib.residency
import data.wattle.lib.slo

deny contains reason if some reason in residency.deny

deny contains reason if some reason in isolation.deny

limits := object.union(latency_within.limits, slo.limits)

objective := objectives.balanced
