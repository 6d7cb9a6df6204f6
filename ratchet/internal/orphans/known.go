package orphans

import (
	"errors"
	"iter"

	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// Known is what a search asks of the epochs that are held. Their numbers say in which order they came to be known, from 1.
type Known interface {
	Space() state.ID
	// Newest returns the greatest number that was given to an epoch, 0 if there was none.
	Newest() uint64
	// Near yields the preferred epoch and its nearest ancestors, nearest first: what a frame is tried with first.
	Near(yield func(Epoch) bool)
	// Up yields the epochs held with numbers from first on, ascending; Down those up to last, descending.
	Up(first uint64) iter.Seq2[uint64, Epoch]
	Down(last uint64) iter.Seq2[uint64, Epoch]
	// Epoch returns an epoch held.
	Epoch(proto.EpochID) (Epoch, bool)
	// Derive makes the checks of §4 from step 2 on. Above is the parent if that is a candidate itself, and nil if it is held.
	// Its errors are the ones below.
	Derive(parent proto.EpochID, above *Candidate, s proto.Shown) (Candidate, error)
}

// Epoch is what a search tries a frame with.
type Epoch struct {
	ID         proto.EpochID
	Generation uint64
	Header     suite.AEAD // not there (Readable) in an epoch that a ticket told without it
	Commit     suite.AEAD
	Readable   bool
}

// Errors of Derive. Any other error stands for a copy that is false, which says nothing of the commit (§4).
var (
	// ErrFalse: its maker signed a false commit.
	ErrFalse = errors.New("ratchet: false commit")
	// ErrMisled: likewise, by step 8: its maker may have been given a false node.
	ErrMisled = errors.New("ratchet: commit made from a false node")
	// ErrWaits: no node that was told gives the keys of the child.
	ErrWaits = errors.New("ratchet: commit waits for a further word")
	// ErrClosed: its place is used up. See ClosedError.
	ErrClosed = errors.New("ratchet: commit of a place that is used up")
	// ErrOwnCommit: it is of the own index.
	ErrOwnCommit = proto.ErrOwnCommit
)

// ClosedError is ErrClosed in an epoch of which tickets told.
type ClosedError struct{ Words }

// Error implements error.
func (ClosedError) Error() string { return ErrClosed.Error() }

// Unwrap returns ErrClosed.
func (ClosedError) Unwrap() error { return ErrClosed }

// Words is what is known of the words about a tree or a chain that a frame would need.
type Words struct {
	Issuers int // of all words
	// UsedUp: in every word the place is used up, and no child of it is held; or the number is below the start of every word,
	// or there is neither a word nor a node for the index.
	UsedUp bool
}

// Ticket says what became of the key that the tickets of a joiner came under.
type Ticket struct {
	Gone bool
	For  Millis // by the pruning clock
}

// beforeJoinAfter is how long the key has to be gone for one issuer's words to count.
const beforeJoinAfter Millis = 7 * 24 * 3600 * 1000

// BeforeJoin reports whether a frame that needs these words was sent before joining and is to be discarded (§9). It takes two
// issuers or a week, since one may lie and what is discarded does not come back (D45).
func (t Ticket) BeforeJoin(w Words) bool {
	return t.Gone && w.UsedUp && (w.Issuers >= 2 || t.For >= beforeJoinAfter)
}

// Budget is what a search may spend. It is shared by the searches that it is given to.
type Budget struct {
	Trials int // openings of a sealed commit; the headers of a frame that is new are tried besides
	Checks int // checks of a commit from §4 step 2 on
}

// The amounts for one frame in one call, and for all frames together in one call of Maintain: a message with four commits is
// tried to its end with a thousand epochs, and 64 KiB of junk cost as much as twenty messages. What is left only waits.
const (
	maxTrials         = 4_096
	maxChecks         = proto.MaxCommits
	maxMaintainTrials = 16 * maxTrials
)

// ForFrame returns the budget of one frame, and ForMaintain that of all frames in a call of Maintain.
func ForFrame() *Budget    { return &Budget{maxTrials, maxChecks} }
func ForMaintain() *Budget { return &Budget{maxMaintainTrials, maxChecks} }

// Turn returns the budget of one frame out of what is left. The rest is given back with Return.
func (b *Budget) Turn() *Budget {
	turn := &Budget{min(b.Trials, maxTrials), min(b.Checks, maxChecks)}
	b.Trials -= turn.Trials
	b.Checks -= turn.Checks
	return turn
}

// Return gives back what a turn left over.
func (b *Budget) Return(turn *Budget) {
	b.Trials += turn.Trials
	b.Checks += turn.Checks
}
