package policies

import (
	"cmp"
	"encoding/binary"
	"slices"
	"time"

	"github.com/wattle-project/wattle"
)

// cell is the value of one field. An absent cell is undefined in Rego.
type cell struct {
	kind   kind // 0 means absent
	n      int64
	s      string
	list   []string
	labels map[string]string
}

func integer(n int64) cell          { return cell{kind: kindInt, n: n} }
func micros(d time.Duration) cell   { return integer(d.Microseconds()) }
func joules(j wattle.Joules) cell   { return integer(int64(j.Micro())) }
func grams(g wattle.GramsCO2e) cell { return integer(g.Micrograms()) }

// text is absent when empty: what is not known is undefined, not "".
func text(s string) cell {
	if s == "" {
		return cell{}
	}
	return cell{kind: kindText, s: s}
}

// wished is absent when zero: a wish that was not stated.
func wished(n int64) cell {
	if n == 0 {
		return cell{}
	}
	return integer(n)
}

func boolean(b bool) cell {
	c := cell{kind: kindBool}
	if b {
		c.n = 1
	}
	return c
}

// row is one candidate together with its request; attrs and columns are nil for
// an entry point that may not read candidates.
type row struct {
	function *wattle.Function
	params   *wattle.Params
	attrs    []wattle.Attributes
	columns  *wattle.Columns
	i        int
}

// cell returns the value of one field. The same function feeds the cache key
// and OPA's input, so that the two cannot differ.
func (r *row) cell(rd read) cell {
	switch id := rd.id; {
	case id < paramsSLO:
		return requestCell(id, r.function)
	case id < slowTarget:
		return paramsCell(id, r.params)
	case id < slowVendor:
		return slowCell(rd, &r.attrs[r.columns.Target[r.i]])
	case id < columnSandbox:
		return acceleratorCell(id, &r.attrs[r.columns.Target[r.i]].Accelerator)
	case id < columnStartEnergy:
		return timeCell(id, r.columns, r.i)
	default:
		return physicsCell(id, r.columns, r.i)
	}
}

func requestCell(id fieldID, f *wattle.Function) cell {
	switch id {
	case requestID:
		return text(string(f.ID))
	case requestTenant:
		return text(string(f.Tenant))
	case requestClass:
		return text(f.Class)
	case requestTrustGroup:
		return text(f.TrustGroup)
	case requestResidency:
		return cell{kind: kindTexts, list: f.Residency}
	case requestHome:
		return text(string(f.Home))
	case requestCPU:
		return integer(int64(f.Needs.CPU))
	case requestMemory:
		return integer(int64(f.Needs.Memory))
	case requestSlices:
		return integer(int64(f.Needs.Slices))
	case requestAccelerator:
		return text(f.Accelerator)
	case requestMinIsolation:
		return integer(int64(f.MinIsolation))
	case requestDeterministic:
		return boolean(f.Deterministic)
	case requestExec:
		return micros(f.Profile.Exec)
	case requestConcurrency:
		return integer(int64(f.Concurrency))
	case requestMaxInstances:
		return wished(int64(f.MaxInstances))
	case requestIn:
		return integer(int64(f.In))
	case requestOut:
		return integer(int64(f.Out))
	}
	return cell{}
}

func paramsCell(id fieldID, p *wattle.Params) cell {
	switch id {
	case paramsSLO:
		return wished(p.SLO.Microseconds())
	case paramsBudget:
		return wished(p.Budget.Nano())
	case paramsCap:
		return wished(p.Cap.Micrograms())
	case paramsRegion:
		return text(string(p.Region))
	case paramsDeadline:
		return wished(p.Deadline.Microseconds())
	}
	return cell{}
}

func slowCell(rd read, a *wattle.Attributes) cell {
	switch rd.id {
	case slowTarget:
		return text(string(a.Target))
	case slowCluster:
		return text(string(a.Cluster))
	case slowZone:
		return text(string(a.Zone))
	case slowRegion:
		return text(string(a.Region))
	case slowCountry:
		return text(a.Country)
	case slowJurisdiction:
		return text(a.Jurisdiction)
	case slowProvider:
		return text(a.Provider)
	case slowPool:
		return text(a.Pool)
	case slowHardware:
		return text(a.Hardware)
	case slowLabels:
		return labelsCell(rd.label, a.Labels)
	}
	return cell{}
}

func labelsCell(key string, labels map[string]string) cell {
	if key == "" {
		return cell{kind: kindLabels, labels: labels}
	}
	if v, ok := labels[key]; ok {
		return cell{kind: kindText, s: v}
	}
	return cell{}
}

func acceleratorCell(id fieldID, a *wattle.Accelerator) cell {
	if !a.Present() {
		return cell{}
	}
	switch id {
	case slowVendor:
		return text(a.Vendor)
	case slowProduct:
		return text(a.Product)
	case slowFamily:
		return text(a.Family)
	case slowMemory:
		return integer(int64(a.Memory))
	case slowCompute:
		return wished(int64(a.Compute))
	case slowProfile:
		return text(a.Profile)
	case slowSlices:
		return integer(int64(a.Slices))
	case slowOfSlices:
		return integer(int64(a.OfSlices))
	case slowSharing:
		return text(a.Sharing.String())
	}
	return cell{}
}

func timeCell(id fieldID, c *wattle.Columns, i int) cell {
	switch id {
	case columnSandbox:
		return text(c.Sandbox[i].String())
	case columnDelay:
		return micros(c.Delay[i])
	case columnNetwork:
		return micros(c.Network[i])
	case columnStart:
		return micros(c.Start[i])
	case columnExec:
		return micros(c.Exec[i])
	case columnMean:
		return micros(c.Mean[i])
	case columnP95:
		return micros(c.P95[i])
	}
	return cell{}
}

func physicsCell(id fieldID, c *wattle.Columns, i int) cell {
	switch id {
	case columnStartEnergy:
		return joules(c.StartEnergy[i])
	case columnExecEnergy:
		return joules(c.ExecEnergy[i])
	case columnIdleEnergy:
		return joules(c.IdleEnergy[i])
	case columnNetEnergy:
		return joules(c.NetEnergy[i])
	case columnEnergy:
		return joules(c.Energy[i])
	case columnCarbon:
		return grams(c.Carbon[i])
	case columnEmbodied:
		return grams(c.Embodied[i])
	case columnCost:
		return integer(c.Cost[i].Nano())
	case columnIsolation:
		return integer(int64(c.Isolation[i]))
	case columnQuality:
		return text(c.Quality[i].String())
	case columnRank:
		return integer(int64(c.Quality[i]))
	case columnAge:
		return micros(c.Age[i])
	case columnPenalty:
		return grams(c.Penalty[i])
	}
	return cell{}
}

// appendKey appends an encoding of the fields in which different values, and
// absence, never collide: kind, then a fixed-size number or length and bytes.
func (r *row) appendKey(dst []byte, reads []read) []byte {
	for _, rd := range reads {
		c := r.cell(rd)
		dst = append(dst, byte(c.kind))
		switch c.kind {
		case kindInt, kindBool:
			dst = binary.LittleEndian.AppendUint64(dst, uint64(c.n))
		case kindText:
			dst = appendText(dst, c.s)
		case kindTexts:
			dst = appendTexts(dst, c.list)
		case kindLabels:
			dst = appendLabels(dst, c.labels)
		}
	}
	return dst
}

func appendText(dst []byte, s string) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(s)))
	return append(dst, s...)
}

func appendTexts(dst []byte, list []string) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(list)))
	for _, s := range list {
		dst = appendText(dst, s)
	}
	return dst
}

func appendLabels(dst []byte, labels map[string]string) []byte {
	keys := make([]string, 0, 32)
	for k := range labels {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, cmp.Compare[string])
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(keys)))
	for _, k := range keys {
		dst = appendText(appendText(dst, k), labels[k])
	}
	return dst
}
