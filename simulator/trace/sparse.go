package trace

import "encoding/binary"

// sparse holds counts per minute of many functions, about one byte for each
// minute with an invocation. A token's high four bits are the silent minutes
// before it, the low four the count less one; 15 in either means that a varint
// with the excess follows, silence first.
type sparse struct {
	tokens []byte
	end    []uint32 // per row: one past its last token
}

const escape = 15

// rowWriter appends one row to a sparse.
type rowWriter struct {
	into   *sparse
	silent uint64
	total  int64
}

func (s *sparse) row() rowWriter { return rowWriter{into: s} }

// add appends the count of the next minute.
func (w *rowWriter) add(count uint64) {
	if count == 0 {
		w.silent++
		return
	}
	gap, less := min(w.silent, escape), min(count-1, escape)
	b := append(w.into.tokens, byte(gap<<4|less))
	if gap == escape {
		b = binary.AppendUvarint(b, w.silent-escape)
	}
	if less == escape {
		b = binary.AppendUvarint(b, count-1-escape)
	}
	w.into.tokens, w.silent = b, 0
	w.total += int64(count)
}

// close ends the row and returns the sum of its counts.
func (w *rowWriter) close() int64 {
	w.into.end = append(w.into.end, uint32(len(w.into.tokens)))
	return w.total
}

func (s *sparse) begin(row int) uint32 {
	if row == 0 {
		return 0
	}
	return s.end[row-1]
}

func (s *sparse) size() int64 { return int64(cap(s.tokens) + 4*cap(s.end)) }

// keep returns the rows named, in that order, in memory of exactly their size.
func (s *sparse) keep(rows []int32) sparse {
	n := 0
	for _, r := range rows {
		n += int(s.end[r] - s.begin(int(r)))
	}
	out := sparse{tokens: make([]byte, 0, n), end: make([]uint32, 0, len(rows))}
	for _, r := range rows {
		out.tokens = append(out.tokens, s.tokens[s.begin(int(r)):s.end[r]]...)
		out.end = append(out.end, uint32(len(out.tokens)))
	}
	return out
}

// cursor walks the active minutes of one row.
type cursor struct {
	at     uint32 // next token
	minute int32  // the active minute read last
	count  uint32 // and its count
}

func (s *sparse) cursor(row int) cursor { return cursor{at: s.begin(row), minute: -1} }

// next moves to the next active minute; false means that there is none.
func (c *cursor) next(s *sparse, row int) bool {
	if c.at >= s.end[row] {
		return false
	}
	token := s.tokens[c.at]
	c.at++
	gap, less := uint64(token>>4), uint64(token&escape)
	if gap == escape {
		gap += c.varint(s)
	}
	if less == escape {
		less += c.varint(s)
	}
	c.minute += int32(gap) + 1
	c.count = uint32(less) + 1
	return true
}

func (c *cursor) varint(s *sparse) uint64 {
	v, n := binary.Uvarint(s.tokens[c.at:])
	c.at += uint32(n)
	return v
}
