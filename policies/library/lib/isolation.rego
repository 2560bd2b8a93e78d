# Forbids accelerators that are shared more openly than a trust group allows,
# and targets that are dedicated to another trust group.
#
# Levels: 1 time-slice, 2 MPS, 3 MIG, 4 whole GPU, 5 whole node or passthrough.
# The required level is the highest of input.request.min_isolation and
# data.params.isolation_by_group[trust group], or, for a group that is not
# listed, data.params.isolation_default (level, default 3: MIG).
# A target is dedicated by its label trust_group.
package wattle.lib.isolation

default fallback := 3

fallback := data.params.isolation_default

group_level := data.params.isolation_by_group[input.request.trust_group]

level := group_level

level := fallback if not group_level

required := max([level, input.request.min_isolation])

deny contains {
	"code": "isolation",
	"msg": sprintf("needs isolation level %d on an accelerator, this one has %d", [required, input.candidate.isolation]),
	"criterion": "candidate.isolation",
	"limit": required,
	"actual": input.candidate.isolation,
} if {
	input.candidate.accelerator.product
	input.candidate.isolation < required
}

default group := "none"

group := input.request.trust_group

deny contains {
	"code": "trust_group",
	"msg": sprintf("the target is dedicated to trust group %s, the function is in %s", [input.candidate.labels.trust_group, group]),
	"criterion": "candidate.labels.trust_group",
	"limit": input.candidate.labels.trust_group,
	"actual": group,
} if {
	input.candidate.labels.trust_group != group
}
