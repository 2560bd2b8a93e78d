// Package price serves day-ahead electricity prices from memory.
//
// A Feed reads published prices from CSV files or from any JSON service whose
// shape is configured, in the background, and keeps an immutable Table. A
// lookup takes no lock, allocates nothing and never waits for a network. Where
// no published price covers the asked moment the table falls back in fixed
// steps that show in Quote.Quality: a forecast, the last good price for at most
// two periods, the mean of the same hour of the last seven days, a configured
// figure. Unlike intensities, prices may be zero or negative.
package price
