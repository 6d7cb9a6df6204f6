package store

import (
	"bytes"
	"context"
)

// Store moves sealed bytes and knows no keys. It has one table for each kind of value, in which every part is a column
// that cannot be null, so that the store itself refuses an incomplete value. Beside each row lie its segments, an outbox,
// an inbox, and the frames it has dealt with.
//
// Every method is atomic, reads what was last committed, and is safe for concurrent use, also by several processes on one
// store. No method keeps or writes to the slices it is given, nor hands out slices it goes on using. Errors other than
// the ones named say that the store failed; after an error from Commit or Delete the change may have been made or not,
// but never in part. Package storetest holds the tests that every Store must pass.
type Store interface {
	// Load returns a whole row as of one moment, or ErrNotFound.
	Load(context.Context, Kind, ID) (Row, error)

	// Head returns only what Load would return as Row.Head, or ErrNotFound.
	Head(context.Context, Kind, ID) (Head, error)

	// List returns the IDs of all rows of a kind, in ascending order.
	List(context.Context, Kind) ([]ID, error)

	// Commit carries out a change, all of it or nothing. It returns ErrExists if a row is to be created that exists,
	// ErrNotFound if one is to be changed that does not, and ErrConflict if its head is not the one that the change was
	// made from: then somebody else was faster.
	Commit(context.Context, Kind, ID, Change) error

	// Delete removes a row with its segments, queues and frames if its head is still the given one. It returns
	// ErrNotFound or ErrConflict otherwise.
	Delete(context.Context, Kind, ID, Head) error

	// Items returns at most limit items of a queue whose Seq is greater than after, in ascending order of Seq: none if
	// limit is not positive. A row that does not exist has none.
	Items(ctx context.Context, k Kind, id ID, q Queue, after uint64, limit int) ([]Item, error)

	// Count returns the number of items in a queue.
	Count(context.Context, Kind, ID, Queue) (int, error)

	// Remove takes items out of a queue, all together, each if both its Seq and its Data are as given. It is no error if
	// one is gone already.
	Remove(context.Context, Kind, ID, Queue, ...Item) error

	// Frame returns what is kept of the frame with this hash, or ErrNotFound.
	Frame(ctx context.Context, k Kind, id ID, hash [32]byte) (FrameRecord, error)

	// Retained returns at most limit retained frames whose Seq is greater than after, in ascending order of Seq.
	Retained(ctx context.Context, k Kind, id ID, after uint64, limit int) ([]FrameRecord, error)
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

// Row is one stored value.
type Row struct {
	Head     Head
	Parts    [][]byte          // sealed, one for each of Kind.Parts
	Segments map[string][]byte // sealed, by path; never nil
}

// Change is what one commit does to a row. A Store refuses one that breaks a rule stated here: Check finds all such but
// the use of a number that is taken in a queue or among the frames. Frames are written first, then Forget is heeded.
type Change struct {
	Base   Head              // the head that the change was made from; the zero Head creates the row
	Next   Head              // the head after it; its version is Base.Version + 1
	Parts  [][]byte          // one for each of Kind.Parts; nil for a part that stays, but never in a row's creation
	Put    map[string][]byte // segments to be added or replaced, by path
	Drop   []string          // paths of segments to be removed
	Outbox []Item            // to be appended; every Seq is greater than all before
	Inbox  []Item            // likewise
	Frames []FrameRecord     // to be added, or to replace the record with the same hash
	Forget uint64            // records of settled frames whose Seq is below this are removed
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
	Data []byte // sealed
}

// FrameRecord is what is kept of a received frame.
type FrameRecord struct {
	Hash [32]byte // names the frame
	Seq  uint64   // order in which records were written; unique in a row, greater than 0, less than 1<<63
	Data []byte   // the sealed frame while it is retained, nil once it is settled
}
