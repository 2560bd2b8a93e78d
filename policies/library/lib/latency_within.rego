# Bounds the 95th percentile of the latency relative to the home cluster.
#
# data.params.p95_over_home_permille (‰, default 1100): the most that p95 may be
# of what the home cluster would take in its present state.
package wattle.lib.latency_within

default permille := 1100

permille := data.params.p95_over_home_permille

limits := {"p95_over_home_permille": permille}
