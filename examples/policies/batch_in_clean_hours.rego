# Batch work only where one invocation emits little; everything near home.
#
# Reads input.request.class, input.candidate.carbon_ug. Parameters:
# data.params.batch_ug (µg per invocation, default 2000).
# Example: a batch invocation that would emit 2.1 mg in Frankfurt is denied
# there; an interactive one is not.
package wattle.placement

default batch_ug := 2000

batch_ug := data.params.batch_ug

deny contains {
	"code": "batch-carbon",
	"msg": sprintf("batch work may emit %d µg, this place emits %d µg", [batch_ug, input.candidate.carbon_ug]),
	"criterion": "candidate.carbon_ug",
	"limit": batch_ug,
	"actual": input.candidate.carbon_ug,
} if {
	input.request.class == "batch"
	input.candidate.carbon_ug > batch_ug
}

limits := {"p95_over_home_permille": 1200}

objective := {"carbon_permille": 1000, "ug_per_s": 500}
