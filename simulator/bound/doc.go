// Package bound computes what no policy can beat: lower bounds from the whole
// future, each with the action space that it ranges over.
//
// A figure that drops part of the accounting, or an "oracle" that searches a
// smaller space than the policy it is compared with, is not a bound. Every
// function here says what it minimises over and tests hold every policy of that
// space against it.
package bound
