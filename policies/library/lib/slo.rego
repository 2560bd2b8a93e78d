# Makes a request's latency wish a hard limit: places whose p95 is over
# input.params.slo_us (µs) are out. Without a wish there is no limit.
package wattle.lib.slo

limits.p95_us := input.params.slo_us
