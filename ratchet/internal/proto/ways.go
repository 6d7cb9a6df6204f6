package proto

import (
	"fmt"

	"github.com/trefoil-im/trefoil/internal/wire"
)

// Way is a line of commits, each sealed in the epoch that the one before it makes; the first in any epoch (§7).
type Way []Sealed

// Ways are the lines of commits that a frame carries. Own is the one that ends with the epoch of the message; only it says
// something of the message itself.
type Ways struct {
	Own    Way
	Others []Way
}

// Commits returns the number of commits in all ways.
func (y Ways) Commits() int {
	n := len(y.Own)
	for _, w := range y.Others {
		n += len(w)
	}
	return n
}

// Size returns the length of the encoding.
func (y Ways) Size() int {
	n := 2 + len(y.Others)
	for _, w := range append([]Way{y.Own}, y.Others...) {
		for _, s := range w {
			n += 2 + len(s)
		}
	}
	return n
}

// check refuses what no receiver reads.
func (y Ways) check() error {
	ok := len(y.Others)+1 <= MaxWays && y.Commits() <= MaxCommits
	for _, w := range y.Others {
		ok = ok && len(w) > 0
	}
	if !ok {
		return fmt.Errorf("%w: ways of a message", wire.ErrMalformed)
	}
	for _, w := range append([]Way{y.Own}, y.Others...) {
		for _, s := range w {
			if err := s.check(); err != nil {
				return err
			}
		}
	}
	return nil
}

// write appends own ‖ u8 number of the others ‖ each.
func (y Ways) write(w *wire.Writer) {
	y.Own.write(w)
	w.U8(uint8(len(y.Others)))
	for _, way := range y.Others {
		way.write(w)
	}
}

func (y Way) write(w *wire.Writer) {
	w.U8(uint8(len(y)))
	for _, s := range y {
		w.Vec16(s)
	}
}

// EncodeWays returns ways as a frame has them, and ParseWays reads them: what waits for a parent is stored so.
func EncodeWays(y Ways) []byte { return encode(y.Size(), y.write) }

// ParseWays reads what EncodeWays returned.
func ParseWays(b []byte) (Ways, error) { return parseAll(b, MaxRekey, readWays) }

func readWays(r *wire.Reader) (y Ways) {
	y.Own = readWay(r)
	n := int(r.U8())
	if n+1 > MaxWays {
		r.Fail("number of ways")
	}
	for ; n > 0 && r.Err() == nil; n-- {
		y.Others = append(y.Others, readWay(r))
	}
	if r.Err() == nil && y.check() != nil {
		r.Fail("ways")
	}
	return y
}

func readWay(r *wire.Reader) (y Way) {
	n := int(r.U8())
	for i := 0; i < n && r.Err() == nil; i++ {
		y = append(y, readSealed(r))
	}
	return y
}
