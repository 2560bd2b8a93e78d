package state

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/scheduler/power"
)

// Cluster is a Kubernetes cluster or a cloud region's function service.
type Cluster struct {
	ID           wattle.ClusterID
	Zone         wattle.ZoneID
	Region       wattle.RegionID
	Country      string
	Jurisdiction string
	Provider     string
	// Latitude and Longitude in degrees give the network latency between regions.
	Latitude, Longitude float64
	// PUE multiplies the energy of machines; at least 1.
	PUE    float64
	Price  Price
	Pools  []Pool
	Labels map[string]string
}

// Pool is a set of equal nodes.
type Pool struct {
	Name     string
	Nodes    int
	Hardware string
	// Speed divides execution and initialisation time; 1 is the reference.
	Speed   float64
	Machine power.Machine
	// Profile is the partition offered on every device, whole devices if zero.
	Profile *power.MIGProfile
	Sharing wattle.Sharing
	// Shares is the number of MPS or time-slice shares of each device.
	Shares int
}

// Price is a platform's price model.
type Price struct {
	PerRequest   wattle.USD
	PerGBSecond  wattle.USD // per GiB·s of reserved memory
	PerCPUSecond wattle.USD // per vCPU·s reserved
	PerSlice     wattle.USD // per accelerator slice and second
	EgressPerGB  wattle.USD // leaving the region, per 10^9 bytes
	// Round is the billing step and Minimum the least billed time.
	Round, Minimum time.Duration
	// BillInit bills the start-up of a cold start too.
	BillInit bool
}

// Billed rounds d up to what the platform bills.
func (p Price) Billed(d time.Duration) time.Duration {
	if p.Round > 0 {
		d = (d + p.Round - 1) / p.Round * p.Round
	}
	return max(d, p.Minimum)
}

// Rate is the money per second of holding r.
func (p Price) Rate(r wattle.Resources) wattle.USD {
	return p.PerGBSecond.Times(r.Memory.GiB()) + p.PerCPUSecond.Times(r.CPU.VCPU()) + p.PerSlice.Times(float64(r.Slices))
}

// Target is one kind of place: a pool, with or without its accelerators.
type Target struct {
	Attributes wattle.Attributes
	Cluster    int // index into Fleet.Clusters
	Pool       int // index into Fleet.Pools, which targets share
	Region     int // index into Fleet.Regions
	Slices     int32
	Machine    power.Machine
	Speed      float64
	PUE        float64
	Price      Price
}

// PoolCapacity is what the nodes of one pool offer together.
type PoolCapacity struct {
	Cluster  int
	Name     string
	Nodes    int
	Capacity wattle.Resources
	Machine  power.Machine
}

// Fleet is everything that changes only when people change it.
type Fleet struct {
	Clusters []Cluster
	Pools    []PoolCapacity
	Targets  []Target // sorted by TargetID
	Regions  []wattle.RegionID
	// RTT is the round trip between regions, row = from.
	RTT        [][]time.Duration
	attributes []wattle.Attributes
	index      map[wattle.ClusterID]int32
	regions    []int32 // per cluster, index into Regions
	first      []int   // first cluster of each region
}

// NewFleet derives targets, regions and latencies from clusters.
func NewFleet(clusters []Cluster) (*Fleet, error) {
	f := &Fleet{Clusters: slices.Clone(clusters), index: make(map[wattle.ClusterID]int32, len(clusters))}
	slices.SortFunc(f.Clusters, func(a, b Cluster) int { return cmp.Compare(a.ID, b.ID) })
	for i := range f.Clusters {
		c := &f.Clusters[i]
		if err := checkCluster(c); err != nil {
			return nil, err
		}
		if i > 0 && f.Clusters[i-1].ID == c.ID {
			return nil, fmt.Errorf("cluster %s is listed twice", c.ID)
		}
		region := f.region(c.Region)
		f.index[c.ID], f.regions = int32(i), append(f.regions, int32(region))
		for p := range c.Pools {
			f.addPool(i, region, &c.Pools[p])
		}
	}
	slices.SortFunc(f.Targets, func(a, b Target) int { return cmp.Compare(a.Attributes.Target, b.Attributes.Target) })
	for i := range f.Targets {
		f.attributes = append(f.attributes, f.Targets[i].Attributes)
	}
	f.measureDistances()
	return f, nil
}

// Attributes returns the slow properties, indexed as Targets. The slice is
// shared and must not be changed.
func (f *Fleet) Attributes() []wattle.Attributes { return f.attributes }

// ClusterIndex finds a cluster, or returns -1.
func (f *Fleet) ClusterIndex(id wattle.ClusterID) int {
	if i, ok := f.index[id]; ok {
		return int(i)
	}
	return -1
}

// RegionOf is the index in Regions of a cluster's region.
func (f *Fleet) RegionOf(cluster int) int { return int(f.regions[cluster]) }

// Holds reports whether target could hold need if it were empty.
func (f *Fleet) Holds(target int32, need wattle.Resources) bool {
	t := &f.Targets[target]
	c := &f.Pools[t.Pool].Capacity
	return need.CPU <= c.CPU && need.Memory <= c.Memory && need.Slices <= t.Slices
}

// FarEnd is the cluster whose grid stands for the caller's end of what moves
// between a target and the region origin: the first one of that region; the
// target's own if the caller is beside it or nobody knows where.
func (f *Fleet) FarEnd(origin int, t *Target) int {
	if origin < 0 || origin == t.Region {
		return t.Cluster
	}
	return f.first[origin]
}

// RegionIndex finds a region, or returns -1.
func (f *Fleet) RegionIndex(id wattle.RegionID) int { return slices.Index(f.Regions, id) }

func checkCluster(c *Cluster) error {
	switch {
	case c.ID == "" || c.Zone == "" || c.Region == "":
		return fmt.Errorf("cluster %q: id, zone and region must be set", c.ID)
	case !(c.PUE >= 1 && c.PUE <= 5): // so written, NaN fails
		return fmt.Errorf("cluster %s: pue %g must be in [1, 5]", c.ID, c.PUE)
	case len(c.Pools) == 0:
		return fmt.Errorf("cluster %s has no pools", c.ID)
	}
	for i := range c.Pools {
		p := &c.Pools[i]
		if p.Name == "" || p.Nodes < 1 || p.Machine.VCPU < 1 || p.Machine.Memory < wattle.MiB || !(p.Speed > 0 && p.Speed <= 1000) {
			return fmt.Errorf("cluster %s, pool %q: name, nodes and vcpu must be above 0, memory at least 1 MiB and speed in (0, 1000]", c.ID, p.Name)
		}
		if slices.IndexFunc(c.Pools[:i], func(q Pool) bool { return q.Name == p.Name }) >= 0 {
			return fmt.Errorf("cluster %s: pool %s is listed twice", c.ID, p.Name)
		}
	}
	return nil
}

func (f *Fleet) region(id wattle.RegionID) int {
	if i := f.RegionIndex(id); i >= 0 {
		return i
	}
	f.Regions = append(f.Regions, id)
	f.first = append(f.first, slices.IndexFunc(f.Clusters, func(c Cluster) bool { return c.Region == id }))
	return len(f.Regions) - 1
}

func (f *Fleet) addPool(cluster, region int, p *Pool) {
	c := &f.Clusters[cluster]
	m := p.Machine
	slices := 0
	if m.Accelerators > 0 {
		m.Accelerator, slices = partition(p)
	}
	f.Pools = append(f.Pools, PoolCapacity{
		Cluster: cluster, Name: p.Name, Nodes: p.Nodes, Machine: m,
		Capacity: wattle.Resources{
			CPU:    wattle.MilliCPU(p.Nodes * m.VCPU * 1000),
			Memory: wattle.Bytes(p.Nodes) * m.Memory,
			Slices: int32(p.Nodes * slices),
		},
	})
	t := Target{
		Cluster: cluster, Pool: len(f.Pools) - 1, Region: region, Machine: m,
		Speed: p.Speed, PUE: c.PUE, Price: c.Price,
		Attributes: wattle.Attributes{
			Target: wattle.TargetID(string(c.ID) + "/" + p.Name), Cluster: c.ID, Zone: c.Zone, Region: c.Region,
			Country: c.Country, Jurisdiction: c.Jurisdiction, Provider: c.Provider, Pool: p.Name,
			Hardware: p.Hardware, Labels: c.Labels,
		},
	}
	f.Targets = append(f.Targets, t)
	if slices > 0 {
		t.Attributes.Accelerator = m.Accelerator
		t.Attributes.Target += wattle.TargetID("/" + deviceName(m.Accelerator))
		t.Slices = int32(p.Nodes * slices)
		f.Targets = append(f.Targets, t)
	}
}

func deviceName(a wattle.Accelerator) string {
	if a.Profile != "" {
		return a.Product + "-" + a.Profile
	}
	return a.Product
}

// partition returns one part of a pool's device and how many parts a node has.
func partition(p *Pool) (wattle.Accelerator, int) {
	a := p.Machine.Accelerator
	a.Sharing = p.Sharing
	parts := 1
	switch {
	case p.Profile != nil:
		a.Profile, a.Memory, a.Sharing = p.Profile.Name, p.Profile.Memory, wattle.SharingMIG
		a.Slices, a.OfSlices, parts = p.Profile.Slices, 7, p.Profile.Max
		a.MemorySlices, a.OfMemorySlices = p.Profile.MemorySlices, 8
	case p.Shares > 1:
		a.Slices, a.OfSlices, parts = 1, p.Shares, p.Shares
	default:
		a.Slices, a.OfSlices = 1, 1
	}
	return a, parts * p.Machine.Accelerators
}

// measureDistances fills RTT: 2 ms within a region, else 20 ms + 16.4 ms per
// 1,000 km of great circle (fit over 2,138 AWS and GCP region pairs measured in
// February 2022, doitintl/intercloud-throughput, R² 0.75). Rounded to 0.1 ms so
// that no processor's last bit of a sine shows.
func (f *Fleet) measureDistances() {
	lat, lon := make([]float64, len(f.Regions)), make([]float64, len(f.Regions))
	for _, c := range f.Clusters {
		i := f.RegionIndex(c.Region)
		lat[i], lon[i] = c.Latitude, c.Longitude
	}
	f.RTT = make([][]time.Duration, len(f.Regions))
	for i := range f.RTT {
		f.RTT[i] = make([]time.Duration, len(f.Regions))
		for j := range f.RTT[i] {
			f.RTT[i][j] = 2 * time.Millisecond
			if i != j {
				ms := 20 + 0.0164*distance(lat[i], lon[i], lat[j], lon[j])
				f.RTT[i][j] = time.Duration(math.Round(ms*10)) * 100 * time.Microsecond
			}
		}
	}
}

// distance is the great-circle distance in km (haversine, Earth radius 6,371 km).
func distance(lat1, lon1, lat2, lon2 float64) float64 {
	const rad = math.Pi / 180
	s1, s2 := math.Sin((lat2-lat1)*rad/2), math.Sin((lon2-lon1)*rad/2)
	h := s1*s1 + math.Cos(lat1*rad)*math.Cos(lat2*rad)*s2*s2
	return 2 * 6371 * math.Asin(math.Sqrt(min(h, 1)))
}
