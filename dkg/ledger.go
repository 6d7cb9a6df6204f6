package dkg

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"

	"github.com/trefoil-im/trefoil/internal/segmap"
	"github.com/trefoil-im/trefoil/state"
)

// Kind says how an index was handed out. Its numbers are part of the stored format.
type Kind uint8

// Status says how far an index has come. Its numbers are part of the stored format; it only grows. Redeemed and Revoked
// are both final.
type Status uint8

// maxAdmission bounds the admission public key of a record, in bytes. It is part of the format; Ed448 has 57.
const maxAdmission = 64

// Record is what the ledger knows of an index that was handed out under the present root.
type Record struct {
	Index     Index
	Kind      Kind
	Status    Status
	Admission []byte // public key that admits whoever redeems the index, 1 to 64 bytes; none if Held
}

func (r Record) valid() bool {
	if r.Kind == Held {
		return r.Status == Redeemed && len(r.Admission) == 0
	}
	return r.Kind >= Private && r.Kind <= Direct && r.Status >= Issued && r.Status <= Revoked &&
		len(r.Admission) > 0 && len(r.Admission) <= maxAdmission
}

// succeeds reports whether the record may take the place of prev.
func (r Record) succeeds(prev Record) bool {
	return r.Kind == prev.Kind && bytes.Equal(r.Admission, prev.Admission) &&
		(r.Status == prev.Status || prev.Status == Issued && r.Status > Issued)
}

func (r Record) clone() Record {
	r.Admission = bytes.Clone(r.Admission)
	return r
}

// ledger is the records of a root. Handing out an index rewrites and copies one block and the list of blocks: of 10,000
// records some 8 KiB.
type ledger struct{ rows segmap.Map[row] }

// row is a Record as it is stored.
type row struct{ Record }

// blockSize is the number of indices to a block. It is part of the format.
const blockSize = 128

func rowKey(i Index) (k segmap.Key) {
	k.Block = uint32(i) / blockSize
	binary.BigEndian.PutUint32(k.Place[:], uint32(i))
	return k
}

// Key implements segmap.Row.
func (r row) Key() segmap.Key { return rowKey(r.Index) }

// Encode implements state.Piece.
func (r row) Encode(w *state.Encoder) {
	w.Uint32(uint32(r.Index))
	w.Uint8(uint8(r.Kind))
	w.Uint8(uint8(r.Status))
	w.Uint8(uint8(len(r.Admission)))
	w.Fixed(r.Admission)
}

// Decode implements state.Piece.
func (row) Decode(d *state.Decoder) (row, error) {
	r := Record{Index: Index(d.Uint32()), Kind: Kind(d.Uint8()), Status: Status(d.Uint8())}
	if size := d.Uint8(); size > 0 {
		r.Admission = d.Fixed(int(size))
	}
	if d.Err() != nil || r.Index < 1 || r.Index > MaxIndex || !r.valid() {
		return row{}, errors.New("dkg: a record of the ledger is invalid")
	}
	return row{r}, nil
}

// get returns the record of an index; its Status is Free if there is none.
func (l ledger) get(i Index) Record {
	if r, ok := l.rows.Get(rowKey(i)); ok {
		return r.Record
	}
	return Record{Index: i}
}

// with returns a ledger with r in it, in the place of the record with the same index if there is one.
func (l ledger) with(r Record) ledger { return ledger{l.rows.Put(row{r})} }

// all yields the records in ascending order of their indices.
func (l ledger) all() iter.Seq[Record] {
	return func(yield func(Record) bool) {
		for r := range l.rows.All() {
			if !yield(r.Record) {
				return
			}
		}
	}
}

// last returns the greatest index in the ledger, 0 if there is none.
func (l ledger) last() Index {
	r, _ := l.rows.Last()
	return r.Index
}

// succeeds returns ErrLedger if a record of prev is missing or goes backwards.
func (l ledger) succeeds(prev ledger) error {
	for r := range prev.rows.Unshared(l.rows) {
		if !l.get(r.Index).succeeds(r.Record) {
			return fmt.Errorf("%w: record of index %d", ErrLedger, r.Index)
		}
	}
	return nil
}
