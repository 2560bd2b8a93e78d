// Package minute replays traces of invocations per minute under the accounting
// of EcoLife (Jiang et al., SC'24), exactly: the compatibility profile
// "ecolife". A whole minute is one use of a function; the keep-alive policies
// are those of package lifecycle.
//
// The accounting is asymmetric: an execution is charged the whole processor
// package and an idle copy one core of it. It exists to reproduce published
// figures; claims are made with the standard accounting.
package minute
