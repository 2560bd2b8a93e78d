# Exchange rates for G = grams + (grams per second)·seconds + (grams per USD)·USD.
#
# A policy takes one of these objects as its objective. Only balanced reads
# anything: data.params.ug_per_s (µg/s) and data.params.ug_per_usd (µg/USD).
package wattle.lib.objectives

# Operational grams and nothing else.
least_carbon := {"carbon_permille": 1000, "ug_per_s": 0, "ug_per_usd": 0}

# Seconds and nothing else; the size of the rate does not matter.
least_latency := {"carbon_permille": 0, "ug_per_s": 1000000, "ug_per_usd": 0}

# Dollars and nothing else; the size of the rate does not matter.
least_cost := {"carbon_permille": 0, "ug_per_s": 0, "ug_per_usd": 1000000}

# One second is worth what a busy vCPU emits in it: 5 W · 1 s on a grid of
# 400 g/kWh are 556 µg, rounded to 500.
default ug_per_s := 500

ug_per_s := data.params.ug_per_s

# One dollar is worth 30 g, so that one GB-second at 0.0000166667 USD (the x86
# list price of AWS Lambda in us-east-1) is worth the same 500 µg.
default ug_per_usd := 30000000

ug_per_usd := data.params.ug_per_usd

# All three at once.
balanced := {"carbon_permille": 1000, "ug_per_s": ug_per_s, "ug_per_usd": ug_per_usd}
