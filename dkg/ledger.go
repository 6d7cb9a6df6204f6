package dkg

import (
	"bytes"
	"cmp"
	"fmt"
	"iter"
	"slices"

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

// ledger is the records of a root. They are kept in blocks, each stored by itself, so that handing out an index rewrites
// and copies one block and the list of blocks: of 10,000 records some 8 KiB.
type ledger struct{ blocks []state.Segment[block] } // not empty, in ascending order

// blockSize is the number of indices to a block. It is part of the format.
const blockSize = 128

// block is the records of the indices from number·blockSize, in ascending order; at least one.
type block struct {
	number  Index
	records []Record
}

func (b block) name() string { return blockName(b.number) }

func blockName(number Index) string { return fmt.Sprintf("ledger-%d", number) }

// newLedger returns a ledger of records, which are sorted and valid.
func newLedger(records []Record) (l ledger) {
	for len(records) > 0 {
		number := records[0].Index / blockSize
		n := 1
		for n < len(records) && records[n].Index/blockSize == number {
			n++
		}
		l.blocks = append(l.blocks, state.NewSegment(block{number, records[:n:n]}))
		records = records[n:]
	}
	return l
}

func (l ledger) find(i Index) (at int, found bool) {
	return slices.BinarySearchFunc(l.blocks, i/blockSize, func(s state.Segment[block], n Index) int {
		return cmp.Compare(s.Value().number, n)
	})
}

func (b block) find(i Index) (at int, found bool) {
	return slices.BinarySearchFunc(b.records, i, func(r Record, i Index) int { return cmp.Compare(r.Index, i) })
}

// get returns the record of an index; its Status is Free if there is none.
func (l ledger) get(i Index) Record {
	if at, ok := l.find(i); ok {
		b := l.blocks[at].Value()
		if at, ok := b.find(i); ok {
			return b.records[at]
		}
	}
	return Record{Index: i}
}

// with returns a ledger with r in it, in the place of the record with the same index if there is one.
func (l ledger) with(r Record) ledger {
	blocks := slices.Clone(l.blocks)
	b := block{number: r.Index / blockSize}
	at, ok := l.find(r.Index)
	if ok {
		b.records = slices.Clone(blocks[at].Value().records)
	} else {
		blocks = slices.Insert(blocks, at, state.Segment[block]{})
	}
	if i, ok := b.find(r.Index); ok {
		b.records[i] = r
	} else {
		b.records = slices.Insert(b.records, i, r)
	}
	blocks[at] = state.NewSegment(b)
	return ledger{blocks}
}

// all yields the records in ascending order of their indices.
func (l ledger) all() iter.Seq[Record] {
	return func(yield func(Record) bool) {
		for _, s := range l.blocks {
			for _, r := range s.Value().records {
				if !yield(r) {
					return
				}
			}
		}
	}
}

// last returns the greatest index in the ledger, 0 if there is none.
func (l ledger) last() Index {
	if len(l.blocks) == 0 {
		return 0
	}
	records := l.blocks[len(l.blocks)-1].Value().records
	return records[len(records)-1].Index
}

// succeeds returns ErrLedger if a record of prev is missing or goes backwards.
func (l ledger) succeeds(prev ledger) error {
	for _, was := range prev.blocks {
		at, ok := l.find(was.Value().number * blockSize)
		if ok && l.blocks[at] == was {
			continue // the same stored piece
		}
		for _, r := range was.Value().records {
			if !l.get(r.Index).succeeds(r) {
				return fmt.Errorf("%w: record of index %d", ErrLedger, r.Index)
			}
		}
	}
	return nil
}
