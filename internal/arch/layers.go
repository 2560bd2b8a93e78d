package arch

// Root is the import path of the main module.
const Root = "github.com/wattle-project/wattle"

// Row says what one package may import. Everything that is not named is
// forbidden, and a package without a row is an error.
type Row struct {
	Layer int
	// Package is relative to Root: "." is the root package, a trailing "/*"
	// stands for every package beneath. The longest match wins.
	Package string
	// Own lists packages of this module, written like Package; "*" is all.
	Own []string
	// Third lists allowed third-party import paths with all that is beneath
	// them; "*" is any.
	Third []string
	// Std lists the allowed packages of the standard library; nil is any.
	Std []string
	// Kind adds rules on what the code may do.
	Kind Kind
}

// Kind says how strictly a package is kept from the outside world.
type Kind uint8

// Kinds of package.
const (
	// Free packages may do what they need.
	Free Kind = iota
	// Deterministic packages read no clock and no global random source.
	Deterministic
	// Pure packages are deterministic, start no goroutine and do no I/O.
	Pure
)

// Layers is the whole table: deny by default, adapters of one layer never
// import each other, and an import always points to a lower layer or to a
// package named here.
func Layers() []Row {
	vocabulary := []string{"errors", "fmt", "math", "strconv", "strings", "time", "cmp", "slices", "iter", "maps"}
	core := []string{".", "scheduler/state", "scheduler/power"}
	whole := []string{".", "scheduler", "scheduler/state", "scheduler/power", "scheduler/stage", "scheduler/lifecycle"}
	simulated := append(whole[:len(whole):len(whole)],
		"simulator", "simulator/trace/*", "simulator/workload/*", "simulator/signal/*",
		"simulator/bound", "simulator/flow", "simulator/minute", "simulator/analytic", "simulator/workflow", "simulator/known")
	meter := []string{".", "telemetry"}
	rpc := []string{"github.com/hashicorp/go-plugin", "github.com/hashicorp/go-hclog", "google.golang.org/grpc", "google.golang.org/protobuf"}
	return []Row{
		// 0: units, identities, values.
		{Layer: 0, Package: ".", Std: vocabulary, Kind: Pure},
		// 1: formulas and state.
		{Layer: 1, Package: "scheduler/power", Own: []string{"."}, Kind: Pure},
		{Layer: 1, Package: "scheduler/state", Own: []string{".", "scheduler/power"}, Kind: Pure},
		// 2: the decision core.
		{Layer: 2, Package: "scheduler", Own: core, Kind: Pure},
		{Layer: 2, Package: "scheduler/stage", Own: core, Kind: Pure},
		{Layer: 2, Package: "scheduler/lifecycle", Own: core, Kind: Pure},
		{Layer: 2, Package: "scheduler/schedulertest", Own: whole, Third: []string{"github.com/cockroachdb/datadriven", "pgregory.net/rapid"}},
		// 3: adapters to the world outside, one SDK each.
		{Layer: 3, Package: "telemetry", Own: []string{"."}},
		{Layer: 3, Package: "telemetry/*", Own: meter, Third: []string{"golang.org/x/sys", "golang.org/x/sync"}},
		{Layer: 3, Package: "telemetry/cgroup", Own: meter, Third: []string{"github.com/fsnotify/fsnotify", "golang.org/x/sys"}},
		{Layer: 3, Package: "telemetry/kube", Own: meter, Third: []string{"google.golang.org/grpc", "k8s.io/kubelet/pkg/apis/podresources"}},
		{Layer: 3, Package: "telemetry/invocations", Own: meter, Third: []string{"github.com/prometheus/client_model", "github.com/prometheus/common"}},
		{Layer: 3, Package: "telemetry/rapl", Own: meter, Third: []string{"github.com/prometheus/procfs"}},
		{Layer: 3, Package: "telemetry/disaggregate/profile", Own: append(meter[:2:2], "telemetry/disaggregate")},
		{Layer: 3, Package: "telemetry/record", Own: meter, Third: []string{"github.com/klauspost/compress"}},
		{Layer: 3, Package: "telemetry/gpu/nvml", Own: append(meter[:2:2], "telemetry/gpu"), Third: []string{"github.com/NVIDIA/go-nvml", "github.com/ebitengine/purego"}},
		{Layer: 3, Package: "telemetry/gpu/dcgmexporter", Own: append(meter[:2:2], "telemetry/gpu"), Third: []string{"github.com/prometheus/common"}},
		{Layer: 3, Package: "telemetry/exporter", Own: meter, Third: []string{"github.com/klauspost/compress", "github.com/prometheus", "google.golang.org/protobuf", "go.opentelemetry.io", "google.golang.org/grpc"}},
		{Layer: 3, Package: "telemetry/exporter/*", Own: append(meter[:2:2], "telemetry/exporter"), Third: []string{"github.com/prometheus", "go.opentelemetry.io", "google.golang.org/grpc"}},
		{Layer: 3, Package: "policies", Own: []string{".", "scheduler", "policies/library", "policies/schemas"}, Third: []string{"github.com/open-policy-agent/opa"}},
		{Layer: 3, Package: "policies/library"},
		{Layer: 3, Package: "policies/schemas"},
		{Layer: 3, Package: "plugins/proto", Own: []string{".", "plugins/proto/*"}, Third: rpc},
		{Layer: 3, Package: "plugins/proto/*", Third: rpc},
		{Layer: 3, Package: "plugins/*", Own: []string{".", "scheduler", "plugins/proto/*"}, Third: rpc},
		{Layer: 3, Package: "plugins/sdk", Own: []string{".", "plugins/proto/*"}, Third: rpc},
		{Layer: 3, Package: "plugins/sdk/*", Own: []string{".", "plugins/sdk"}},
		{Layer: 3, Package: "scheduler/extender", Own: []string{".", "scheduler", "scheduler/state"}, Third: []string{"k8s.io/kube-scheduler/extender", "k8s.io/api", "k8s.io/apimachinery"}},
		{Layer: 3, Package: "scheduler/etcd", Own: []string{".", "scheduler", "scheduler/state"}, Third: []string{"go.etcd.io/etcd/client", "go.etcd.io/etcd/api"}},
		// 4: the other driver of the same core; cmd injects policies and meters.
		{Layer: 4, Package: "simulator", Own: simulated, Third: []string{"golang.org/x/sync"}, Kind: Deterministic},
		{Layer: 4, Package: "simulator/*", Own: simulated, Third: []string{"gonum.org/v1/gonum"}, Kind: Deterministic},
		{Layer: 4, Package: "simulator/flow/oracle", Third: []string{"gonum.org/v1/gonum"}},
		{Layer: 4, Package: "simulator/trace/*", Own: []string{".", "simulator/trace/*", "simulator/workload/random"}, Third: []string{"github.com/klauspost/compress", "github.com/parquet-go/parquet-go"}, Kind: Deterministic},
		{Layer: 4, Package: "simulator/workload/*", Own: []string{".", "simulator/trace", "simulator/workload/*"}, Kind: Deterministic},
		{Layer: 4, Package: "simulator/signal/*", Own: []string{".", "simulator/trace/tabular", "simulator/signal/*", "simulator/workload/random"}, Third: []string{"github.com/klauspost/compress"}, Kind: Deterministic},
		{Layer: 4, Package: "simulator/report", Own: []string{"."}, Third: []string{"github.com/parquet-go/parquet-go", "github.com/klauspost/compress"}, Kind: Deterministic},
		// 5: flags, configuration, wiring.
		{Layer: 5, Package: "cmd/*", Own: []string{"*"}, Third: []string{"*"}},
		// Beside the layers.
		{Layer: 0, Package: "internal/version"},
		{Layer: 5, Package: "internal/arch"},
		{Layer: 5, Package: "internal/e2e", Own: []string{"*"}, Third: []string{"*"}},
		{Layer: 5, Package: "deploy", Own: []string{"*"}, Third: []string{"*"}},
	}
}

// Ban keeps something out of everything that a package reaches through this
// module.
type Ban struct {
	// From is the package that must not reach Away, which are import paths
	// relative to Root or of third parties.
	From string
	Away []string
	Why  string
}

// Bans lists what is kept out over several imports.
func Bans() []Ban {
	return []Ban{
		{
			From: "cmd/wattle-agent",
			Away: []string{"policies", "simulator", "github.com/open-policy-agent/opa", "go.etcd.io/etcd/server", "k8s.io/client-go"},
			Why:  "the agent runs on every node and stays small",
		},
		{
			From: "scheduler",
			Away: []string{"policies", "plugins", "telemetry", "simulator"},
			Why:  "the core is driven by adapters, it does not know them",
		},
	}
}

// CorePackages are those whose third-party closure must stay empty.
func CorePackages() []string {
	return []string{".", "scheduler", "scheduler/state", "scheduler/power", "scheduler/stage", "scheduler/lifecycle"}
}
