// Package kube tells which function a container on this node belongs to.
//
// It asks only the kubelet of its own node, never the API server: pods and
// container ids from the kubelet's /pods endpoint, GPUs and MIG instances per
// container from the pod-resources socket
// (https://kubernetes.io/docs/concepts/extend-kubernetes/compute-storage-net/device-plugins/#monitoring-device-plugin-resources).
// Labels that Knative, OpenFaaS, Fission, Nuclio, OpenWhisk and KEDA put on pods
// name the function.
//
// A Mapper refreshes in the background; look-ups read an immutable Map and never
// wait. Containers that ended stay known for a while, because energy of work
// that was brief is charged after it ended.
package kube
