// Package disaggregate learns, while the machine runs, how many joules one
// invocation of each function costs.
//
// In each step of about a second a meter gives the energy of the whole machine,
// and the platform gives how many seconds each function was busy. Their
// relation is a linear regression with one unknown power per function:
//
//	y(t) = Σ_j x_j·b_j(t) + x_cp·c(t) + noise,   x ≥ 0
//
// where y is dynamic energy (J), b_j the busy seconds of function j, cold starts
// apart from warm ones, and c those of the control plane. It follows FaasMeter
// (Sharma et al., "Accountable Carbon Footprints and Energy Profiling For
// Serverless Functions", arXiv 2408.06130), which solves non-negative least
// squares over a first window and corrects it with a scalar Kalman gain, but
// keeps the full covariance:
//
//   - A Kalman filter with a random walk of x (Kalman 1960; Simon, "Optimal State
//     Estimation", 2006, ch. 5) makes one update in O(n²) and gives every power
//     a variance. Its prior is wide and in the scale of the data.
//   - The non-negative estimate is the point of the orthant nearest to the
//     filter's mean in the metric of its covariance, the solution of
//     min (x−m)ᵀP⁻¹(x−m), x ≥ 0. It is found by coordinate descent on the
//     dual (Hildreth 1957), which needs P and not its inverse.
//   - Intervals come from the mean and variance before that projection, cut at 0:
//     functions that always run together keep a wide interval each, and an even
//     split, instead of one large and one negative power.
//   - Meter noise is learned from innovations and grows with the reading.
//
// # How right it is
//
// On 20 functions in bursts with 5 % meter noise the mean absolute percentage
// error after 120 steps of a second is 4.6 %, and 95 % intervals hold the truth
// in 95 % of cases (100 seeds). Where functions run steadily side by side the
// error is 16.6 % and the intervals, as much wider, still hold 94.5 %: such data
// has no more to say. The best unbiased estimate of the same steps, weighted
// least squares with the noise known exactly, errs by 4.5 and 16.7 % (see
// TestErrorIsNearTheBound, which holds the filter to it). More time or a more
// varied load narrows the intervals; another estimator does not. A prior as
// narrow as the true spread of powers would take a tenth off the error, and
// would make the intervals of functions that always run together too narrow.
//
// The result depends on nothing but the steps given.
package disaggregate
