package store

import (
	"bytes"
	"context"
)

// Store moves sealed bytes and knows no keys. A row is named by its kind and ID and has one sealed blob for each part of
// its kind, none of which can be missing, so that the store itself refuses an incomplete value. Beside a row lie its segments,
// an outbox, an inbox, and records of the frames it has dealt with.
//
// Every method is atomic, reads what was last committed, and is safe for concurrent use, also through several handles and by
// several processes on one place. No method keeps or changes what it is given, nor hands out what it goes on using: what
// one call returned may be overwritten without any other call noticing. IDs, hashes and paths are compared as bytes. Empty is
// not nil. A context that has ended before a call changes nothing. Package storetest holds the tests that every Store must
// pass.
type Store interface {
	// Load returns a whole row as of one moment, with the numbers of what lies beside it, or ErrNotFound.
	Load(context.Context, Kind, ID) (Row, error)

	// Head returns only what Load would return as Row.Head, or ErrNotFound.
	Head(context.Context, Kind, ID) (Head, error)

	// List returns at most limit IDs of rows of a kind that are greater than after, in ascending order: none if limit is not
	// positive. There need be no row of the ID after.
	List(ctx context.Context, k Kind, after ID, limit int) ([]ID, error)

	// Commit carries out all of the changes or none, in one transaction; what it has carried out is durable when it returns.
	// Changes that Check refuses, and those of which one has the wrong base, are refused with a *ChangeError that says which:
	// ErrExists or ErrDeleted for a creation, ErrConflict or ErrNotFound for the others. Then nothing was changed.
	//
	// A commit is decided when Commit returns: it was made, or it will never be made. After any other error it may be either,
	// and Head tells, except after ErrUndecided. A context that ends meanwhile may end Commit early as far as that holds.
	Commit(context.Context, ...Change) error

	// Items returns the items of a queue that have these numbers, in the order asked for. One that is not there is left out.
	Items(ctx context.Context, k Kind, id ID, q Queue, seqs ...uint64) ([]Item, error)

	// Frames returns the records of the frames that have these hashes, in the order asked for. One that is not there is left
	// out.
	Frames(ctx context.Context, k Kind, id ID, hashes ...[32]byte) ([]FrameRecord, error)
}

// Scrubber is a Store that can erase what it no longer holds: superseded bytes in logs, free space and caches of its files. A
// Store that wraps another passes Scrub on.
type Scrubber interface {
	// Scrub erases, or returns ErrBusy if others read for too long. What it cannot reach is to be said in the documentation of
	// the Store.
	Scrub(context.Context) error
}

// Head is what a row is known by: its version, which is 1 when the row is created and grows by one with every change, and
// its sealed list of contents. Sealing draws a fresh nonce each time, so two changes never have the same head, not even in
// the same version of a row that was deleted and created again. Comparing heads is therefore what Commit does.
type Head struct {
	Version uint64
	Sealed  []byte
}

// Equal reports whether both are the same.
func (h Head) Equal(other Head) bool {
	return h.Version == other.Version && bytes.Equal(h.Sealed, other.Sealed)
}

// IsZero reports whether the head is that of no row.
func (h Head) IsZero() bool { return h.Version == 0 && len(h.Sealed) == 0 }

// Row is one stored value.
type Row struct {
	Head     Head
	Parts    [][]byte          // sealed, one for each of Kind.Parts
	Segments map[string][]byte // sealed, by path; never nil
	Outbox   []Held            // what lies in the outbox, ascending by Seq
	Inbox    []Held            // likewise
	Retained []HeldFrame       // the records of frames with Data, ascending by Seq
}

// Held is what a row says of an item without its data.
type Held struct {
	Seq  uint64
	Lane uint64
	Size int // of Item.Data
}

// HeldFrame is what a row says of the record of a retained frame without its data.
type HeldFrame struct {
	Hash [32]byte
	Seq  uint64
	Size int // of FrameRecord.Data
}

// Queue names one of the two queues of a row.
type Queue uint8

// The queues.
const (
	Outbox Queue = 1 // what is to be sent
	Inbox  Queue = 2 // what was read
)

// Item is an element of a queue.
type Item struct {
	Seq  uint64 // greater than 0, less than 1<<63
	Lane uint64 // less than 1<<63; items of an outbox with the same destination have the same
	Data []byte // sealed
}

// FrameRecord is what is kept of a received frame.
type FrameRecord struct {
	Hash [32]byte // names the frame
	Seq  uint64   // order in which records were written; unique in a row, greater than 0, less than 1<<63
	Data []byte   // the sealed frame while it is retained, nil once it is done with
}
