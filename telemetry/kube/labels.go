package kube

import (
	"fmt"
	"strings"
)

// Rule names a function from what a pod carries.
type Rule struct {
	// Platform is the value of a label in metrics: knative, openfaas, ….
	Platform string
	// Function lists labels or annotations; the first that is set names the
	// function.
	Function []string
	// Namespace lists labels that name the function's namespace where that is
	// not the pod's; the pod's stands when none is set.
	Namespace []string
	// Require is a label "key" or "key=value" that a pod must carry, or empty.
	Require string
	// PodName reads namespace and function from the pod's name where no label
	// names them: OpenWhisk's wsk<invoker>-<n>-<namespace>-<action>.
	PodName bool
}

func (r Rule) validate() error {
	if r.Platform == "" || len(r.Function) == 0 && !r.PodName {
		return fmt.Errorf("kube: rule %q needs a platform and at least one label that names the function", r.Platform)
	}
	return nil
}

// DefaultRules returns the rules for the platforms that are known.
//
// Knative: https://knative.dev/docs/serving/services/ (labels set by the
// serving controller on each revision's pods). OpenFaaS: faas-netes sets
// faas_function. Fission: pkg/apis/core/v1 const.go. Nuclio:
// pkg/platform/kube. OpenWhisk's Kubernetes container factory sets
// user-action-pod and puts the action into the pod's name; a pod that began as
// a pre-warmed stem cell has no action in its name and stays unnamed. KEDA
// scales ordinary deployments and labels those of its HTTP add-on and jobs.
func DefaultRules() []Rule {
	return []Rule{
		{Platform: "knative", Function: []string{"serving.knative.dev/service", "serving.knative.dev/configuration", "serving.knative.dev/revision"}},
		{Platform: "openfaas", Function: []string{"faas_function", "com.openfaas.function"}},
		{Platform: "fission", Function: []string{"functionName"}, Namespace: []string{"functionNamespace"}},
		{Platform: "nuclio", Function: []string{"nuclio.io/function-name"}},
		{Platform: "openwhisk", Function: []string{"openwhisk/action"}, Namespace: []string{"openwhisk/namespace"}, Require: "user-action-pod=true", PodName: true},
		{Platform: "keda", Function: []string{"scaledjob.keda.sh/name", "scaledobject.keda.sh/name", "httpscaledobject.keda.sh/name"}},
	}
}

// Named is whom a pod serves.
type Named struct{ Platform, Namespace, Function string }

// Name applies rules to a pod, and reports whether one matched.
func Name(rules []Rule, namespace, pod string, labels, annotations map[string]string) (Named, bool) {
	for i := range rules {
		if n, ok := rules[i].name(namespace, pod, labels, annotations); ok {
			return n, true
		}
	}
	return Named{}, false
}

func (r *Rule) name(namespace, pod string, labels, annotations map[string]string) (Named, bool) {
	if key, value, exact := strings.Cut(r.Require, "="); r.Require != "" {
		if v, ok := labels[key]; !ok || exact && v != value {
			return Named{}, false
		}
	}
	n := Named{Platform: r.Platform, Namespace: namespace, Function: first(r.Function, labels, annotations)}
	if n.Function == "" && r.PodName {
		n.Namespace, n.Function = openWhiskName(pod)
		return n, n.Function != ""
	}
	if ns := first(r.Namespace, labels, annotations); ns != "" {
		n.Namespace = ns
	}
	return n, n.Function != ""
}

func first(keys []string, sets ...map[string]string) string {
	for _, k := range keys {
		for _, s := range sets {
			if v := s[k]; v != "" {
				return v
			}
		}
	}
	return ""
}

// openWhiskName reads wsk<prefix>-<invoker>-<n>-<namespace>-<action>: the first
// two elements that are numbers one after the other end the invoker's part.
func openWhiskName(pod string) (namespace, action string) {
	parts := strings.Split(pod, "-")
	if !strings.HasPrefix(pod, "wsk") {
		return "", ""
	}
	for i := 1; i+3 < len(parts); i++ {
		if !number(parts[i]) || !number(parts[i+1]) {
			continue
		}
		if parts[i+2] == "prewarm" {
			return "", ""
		}
		return parts[i+2], strings.Join(parts[i+3:], "-")
	}
	return "", ""
}

func number(s string) bool {
	for _, c := range s {
		if c < '0' || c > '9' {
			return false
		}
	}
	return s != ""
}
