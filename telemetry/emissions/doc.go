// Package emissions turns metered energy into grams over time.
//
// Operational emissions are the sum over sub-intervals of energy × PUE ×
// intensity, each intensity held until the next: energy of an hour ago is
// reckoned with the intensity of an hour ago. Within a step, power is taken as
// constant. Energy of a time without a usable intensity waits for one; after
// Config.Patience it is reckoned with wattle.UnknownIntensity and counted under
// quality "prior". An intensity of another kind or scope than configured is not
// usable, so that no sum mixes them.
//
// Embodied emissions are kept apart: the machine's by time, a function's by time
// and by what it reserves, by a formula that the caller gives.
package emissions
