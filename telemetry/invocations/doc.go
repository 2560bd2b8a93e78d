// Package invocations learns from the metrics of a FaaS platform how often each
// function ran and for how long.
//
// It scrapes Prometheus text endpoints: the gateway of OpenFaaS, the queue
// proxies of Knative, the routers of Fission, OpenWhisk's user metrics, Nuclio's
// processors. A Mapping says which series hold counts and seconds, so that
// another platform is a matter of configuration.
//
// Platforms add the seconds of an invocation to their counters when it ends. An
// invocation that is longer than the interval between two scrapes is therefore
// seen in the interval of its end; choose an interval that is longer than most
// invocations.
package invocations
