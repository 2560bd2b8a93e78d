# The default policy, with accelerators shared only as openly as trust allows.
#
# Reads input.request.trust_group and min_isolation, input.candidate.isolation,
# accelerator and labels.trust_group. Parameters: data.params.isolation_by_group
# (level by trust group), data.params.isolation_default (level, default 3: MIG)
# and data.params.p95_over_home_permille (‰, default 1100). Levels: 1 time-slice,
# 2 MPS, 3 MIG, 4 whole GPU, 5 whole node.
# Example: {"isolation_by_group": {"internal": 1, "public": 4}} lets internal
# functions share a GPU in time and gives public ones a whole GPU.
package wattle.placement

import data.wattle.lib.isolation
import data.wattle.lib.latency_within
import data.wattle.lib.objectives

deny := isolation.deny

limits := latency_within.limits

objective := objectives.least_carbon
