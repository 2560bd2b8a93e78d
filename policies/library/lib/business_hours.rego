# Keeps accelerators free for some classes during business hours of their zone.
#
# Business hours are Monday to Friday from data.params.business_from_hour (hour,
# default 9) up to, not including, data.params.business_to_hour (hour, default
# 17), by the zone's own clock data.clock.local[zone], or by UTC where the zone
# has none. data.params.business_classes (default ["interactive"]) may use the
# accelerators then. The driver sets data.clock every hour; without a clock
# nothing is reserved.
package wattle.lib.business_hours

default from_hour := 9

from_hour := data.params.business_from_hour

default to_hour := 17

to_hour := data.params.business_to_hour

default classes := ["interactive"]

classes := data.params.business_classes

local := data.clock.local[input.candidate.zone]

hour := local.hour

hour := data.clock.hour_utc if not local

weekday := local.weekday

weekday := data.clock.weekday_utc if not local

business if {
	weekday <= 5
	hour >= from_hour
	hour < to_hour
}

default class := "none"

class := input.request.class

deny contains {
	"code": "business_hours",
	"msg": sprintf("accelerators are kept for %s from %d to %d o'clock, the function is of class %s", [concat(", ", classes), from_hour, to_hour, class]),
	"criterion": "request.class",
	"limit": concat(", ", classes),
	"actual": class,
} if {
	input.candidate.accelerator.product
	business
	not class in classes
}
