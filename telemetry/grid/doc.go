// Package grid serves the carbon intensity of electricity grids from memory.
//
// A Feed fetches what providers publish (Electricity Maps, WattTime, the GB
// Carbon Intensity API, the Carbon Aware SDK, ENTSO-E, CSV files) in the
// background, checks every value, and keeps an immutable Table. A lookup reads
// that table only: it takes no lock, allocates nothing and never waits for a
// network.
//
// Where no live value covers the asked moment, the table falls back in fixed
// steps: a forecast made earlier for that moment, the last good value for at
// most two periods, the mean of the same hour of the last seven days, a yearly
// figure, and at last a flagged prior. The step shows in Signal.Quality.
// Average and marginal intensities, and life-cycle and direct ones, are
// separate series that never stand in for each other.
package grid
