package gpu

// Use is a share of a board's dynamic energy in the last interval. The shares
// of one board sum to 1. Where nothing is known of who used a board, one Use
// without process and owner stands for all of it.
type Use struct {
	Board    string // UUID
	Instance string // MIG instance key, or empty
	PID      int    // process, or 0
	Owner    Owner  // container, where the source knows it
	Share    float64
	Basis    Basis
	// Slices and OfSlices are those of the instance, 0 for a whole board.
	Slices, OfSlices int
}

// appendUses lists the finest division that is known: instances, within them
// (or within the whole board) processes, else the containers as named by the
// source. Containers that share a board by time-slicing count alike, for
// nothing tells them apart.
func appendUses(dst []Use, b *Board, shares []float64, basis Basis) []Use {
	if len(b.Instances) == 0 {
		return appendPart(dst, b, Use{Board: b.UUID, Share: 1, Basis: Whole})
	}
	for i, in := range b.Instances {
		dst = appendPart(dst, b, Use{Board: b.UUID, Instance: in.Key, Share: shares[i], Basis: basis, Slices: in.Slices, OfSlices: in.OfSlices})
	}
	return dst
}

// appendPart divides one part of a board over its processes or containers.
func appendPart(dst []Use, b *Board, part Use) []Use {
	start, busy := len(dst), 0.0
	for _, p := range b.Processes {
		if p.Instance == part.Instance && p.Busy > 0 && part.Instance == p.Instance {
			u := part
			u.PID, u.Share, u.Basis = p.PID, part.Share*p.Busy, ByProcess
			dst, busy = append(dst, u), busy+p.Busy
		}
	}
	for i := range dst[start:] {
		dst[start+i].Share /= busy
	}
	if len(dst) > start {
		return dst
	}
	return appendOwners(dst, b, part)
}

func appendOwners(dst []Use, b *Board, part Use) []Use {
	n := 0
	for _, o := range b.Owners {
		if o.Instance == part.Instance {
			n++
		}
	}
	for _, o := range b.Owners {
		if o.Instance != part.Instance {
			continue
		}
		u := part
		u.Owner, u.Share = o, part.Share/float64(n)
		if n > 1 {
			u.Basis = ByEqualPart
		}
		dst = append(dst, u)
	}
	if n == 0 {
		dst = append(dst, part)
	}
	return dst
}
