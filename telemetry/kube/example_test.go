package kube_test

import (
	"fmt"

	"github.com/wattle-project/wattle/telemetry/kube"
)

func ExampleName() {
	n, ok := kube.Name(kube.DefaultRules(), "team", "hello-00001-deployment-x", map[string]string{"serving.knative.dev/service": "hello"}, nil)
	fmt.Println(n.Platform, n.Namespace, n.Function, ok)
	// Output: knative team hello true
}
