# Forbids places outside the jurisdictions that may process the data.
#
# The list is, in this order: input.request.residency if it is not empty,
# data.tenants[tenant].residency, data.params.residency. Without any list every
# place is allowed. A place of unknown jurisdiction is outside of every list.
package wattle.lib.residency

own := input.request.residency if count(input.request.residency) > 0

tenant := data.tenants[input.request.tenant].residency

allowed := own

allowed := tenant if not own

allowed := data.params.residency if {
	not own
	not tenant
}

default actual := "unknown"

actual := input.candidate.jurisdiction

deny contains {
	"code": "residency",
	"msg": sprintf("data must stay in %s, this place is in %s", [concat(", ", allowed), actual]),
	"criterion": "candidate.jurisdiction",
	"limit": concat(", ", allowed),
	"actual": actual,
} if {
	count(allowed) > 0
	not actual in allowed
}
