package epochs

import (
	"slices"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/ratchet/internal/pprf"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

type (
	// Maker is who made a commit: an index and the key that signed.
	Maker = proto.Maker
	// Millis is a time in milliseconds: of the pruning clock where an age is measured.
	Millis = proto.Millis
)

// Root is what the forest knows of a root.
type Root struct {
	ID         proto.EpochID
	Generation uint64 // of rekeys
	Rank       uint8  // place of the signer in the owner list that decides between roots of one generation; 255 if it is not in it
	Barred     bool   // its epochs are not preferred (§2)
	Depth      int
	Public     dkg.Commitment
}

// meta is what is fixed of an epoch. It is shared by all values of the epoch.
type meta struct {
	id         proto.EpochID
	parent     proto.EpochID // zero for a genesis
	root       proto.EpochID
	generation uint64
	depth      int
	serial     uint64 // order in which this forest came to hold its epochs, from 1
	entered    Millis
	place      proto.Place
	check      proto.Check
	shown      proto.Shown // the commit that made it; zero for a root
	maker      Maker       // zero for a root
	headerKey  secret.Bytes
	hh         proto.HeaderCheck // of the header key, which may be missing
	commitKey  secret.Bytes
	auth       secret.Bytes
	header     suite.AEAD
	sealing    suite.AEAD // of commits
}

// prepare makes the sealers.
func (m *meta) prepare() *meta {
	if !m.headerKey.IsZero() {
		m.header = suite.NewAEAD(m.headerKey)
	}
	m.sealing = suite.NewAEAD(m.commitKey)
	return m
}

func (m *meta) isRoot() bool { return m.id == m.root }

// Epoch is one epoch held, or the one of a Candidate. It is immutable.
type Epoch struct {
	*meta
	seen      uint32       // messages read and sent in it
	stamp     Millis       // when it was entered or, if later, ceased to be preferred
	heard     []dkg.Index  // the first maxHeard members that were read, or sent, in or below it, ascending
	derived   bool         // from a secret that was computed; else told
	cut       bool         // it keeps few members' places, and is not preferred
	confirmed bool         // a message of somebody who told none of its words was read in or below it
	alone     bool         // neither it nor what is below is preferred, until such a message is read (D56)
	passed    uint64       // number of the epoch entered last when its maker was first read, or committed, below it, and so held it; 0 never; lostPassed if it asked before
	misled    bool         // its parent is derived, and its keys do not fit: neither it nor what is below is preferred (D18, D87)
	exporter  secret.Bytes // while it is not far behind
	own0      secret.Bytes // the own chain from its start, while nobody is known to have read it (§5)
	seed      [32]byte     // of a child that was derived from a word of its parent: pprf.SeedHash of what that gave for it; else zero
	tellers   []dkg.Index  // whose tickets told it, ascending
	commits   commitTree
	senders   senders
	pieces    pieces
}

// commitTree is derived or told.
type commitTree struct {
	tree pprf.Frontier
	told pprf.Told
}

// maxHeard is how many members are remembered of an epoch. With as many others it counts as confirmed whoever told it.
const maxHeard = 4

// ID returns the epoch's id, Parent that of the epoch it was made from (zero for a genesis), Root that of its root.
func (e Epoch) ID() proto.EpochID     { return e.id }
func (e Epoch) Parent() proto.EpochID { return e.parent }
func (e Epoch) Root() proto.EpochID   { return e.root }

// Generation returns how many commits lie between the epoch and its root.
func (e Epoch) Generation() uint64 { return e.generation }

// Serial returns the epoch's number in the order in which the forest came to hold its epochs; 0 for one that is not held.
func (e Epoch) Serial() uint64 { return e.serial }

// Maker returns who made the epoch; zero for a root.
func (e Epoch) Maker() Maker { return e.maker }

// Commit returns the commit that made the epoch. It is not ok for a root.
func (e Epoch) Commit() (proto.Shown, bool) { return e.shown, !e.isRoot() }

// Derived reports whether the member computed the epoch's secret itself; else tickets told it.
func (e Epoch) Derived() bool { return e.derived }

// Readable reports whether headers in the epoch can be opened.
func (e Epoch) Readable() bool { return !e.headerKey.IsZero() }

// Seen returns how many messages were read or sent in the epoch, and when it was entered.
func (e Epoch) Seen() (messages uint32, entered Millis) { return e.seen, e.entered }

// Alone reports whether the epoch is not preferred because others say that they do not hold it.
func (e Epoch) Alone() bool { return e.alone }

// Misled reports whether the epoch's keys do not fit its parent's true tree: only members that were given the same false node
// can hold it.
func (e Epoch) Misled() bool { return e.misled }

// Confirmed reports whether a message of a member that told no word of the epoch was read in or below it.
func (e Epoch) Confirmed() bool { return e.confirmed }

// Authenticator returns what fingerprints are made of, 32 bytes.
func (e Epoch) Authenticator() secret.Bytes { return e.auth }

// OpenHeader opens a sealed header, or returns suite.ErrNotOpened.
func (e Epoch) OpenHeader(space state.ID, h proto.SealedHeader) (proto.Header, error) {
	if !e.Readable() {
		return proto.Header{}, suite.ErrNotOpened
	}
	return h.Open(e.header, space, e.id)
}

// SealHeader seals a header of a message in the epoch, which must be readable.
func (e Epoch) SealHeader(space state.ID, h proto.Header) proto.SealedHeader {
	return h.Seal(e.header, space, e.id)
}

// OpenCommit opens a commit that was made from the epoch. Errors are those of proto.Sealed.Open.
func (e Epoch) OpenCommit(space state.ID, s proto.Sealed) (proto.Shown, error) {
	return s.Open(e.sealing, space, e.id)
}

// SealCommit seals a commit that was made from the epoch.
func (e Epoch) SealCommit(space state.ID, p proto.Shown) proto.Sealed {
	return p.Seal(e.sealing, space, e.id)
}

// Child returns the id of the epoch that a commit makes from this one.
func (e Epoch) Child(space state.ID, c proto.Commit) proto.EpochID {
	return c.Child(space, e.id, e.generation+1)
}

// Export returns n bytes that are the same for all members that hold the epoch (§5). It returns ErrNoExporter, or an error of
// suite.Export.
func (e Epoch) Export(label string, context []byte, n int) (secret.Bytes, error) {
	if e.exporter.IsZero() {
		return secret.Bytes{}, ErrNoExporter
	}
	return suite.Export(e.exporter, label, context, n)
}

// newEpoch returns a derived epoch. Its keys are used up.
func newEpoch(m meta, k proto.EpochKeys) Epoch {
	m.headerKey, m.commitKey, m.auth, m.hh = k.Header, k.Commit, k.Authenticator, k.HeaderCheck(m.place)
	e := Epoch{meta: m.prepare(), derived: true, exporter: k.Exporter}
	e.commits.tree = pprf.New(k.CommitRoot, m.depth+pprf.ChildBits)
	e.senders = newSenders(k.SenderRoot, m.depth)
	return e
}

// path returns the place of a child in the commit tree.
func (e Epoch) path(maker dkg.Index, place proto.Place) []byte {
	return pprf.Path(maker, e.depth, place[:pprf.ChildBits/8])
}

// hasPlaces reports whether anything is left of the commit tree.
func (e Epoch) hasPlaces() bool {
	return !e.commits.tree.IsZero() || e.commits.told.HasLeft()
}

// covers reports whether the place of a child is known.
func (e Epoch) covers(path []byte) bool {
	if e.derived {
		return e.commits.tree.Covers(path)
	}
	return e.commits.told.Covers(path)
}

// puncture returns the epoch without the place of a child that was derived, by what is left of the tree if that is known. It returns
// ErrQuota if the tree would be too long.
func (e Epoch) puncture(path []byte, words []uint32, s spent, maker dkg.Index) (Epoch, error) {
	if e.derived && s.of.Same(e.commits.tree) {
		e.commits.tree = s.left
	} else if e.derived {
		_, tree, err := e.commits.tree.Eval(path)
		if err == pprf.ErrFull {
			return e, ErrQuota
		}
		e.commits.tree = tree
	} else {
		e.commits.told = e.commits.told.Fits(words, maker, path)
	}
	return e.stowCommits(), nil
}

// hear returns the epoch after a member was read, or sent, in or below it. If it is not changed, neither is any above it.
func (e Epoch) hear(i, own dkg.Index) (next Epoch, changed bool) {
	if len(e.heard) == maxHeard || slices.Contains(e.heard, i) {
		return e, false
	}
	e.heard = mergeIndices(e.heard, []dkg.Index{i})
	if i != own {
		e.own0 = secret.Bytes{}
		if !e.issued(i) || len(e.heard) == maxHeard {
			e.confirmed, e.alone = true, false
		}
	}
	return e, true
}

// onlyHeard reports whether nobody but one member was read, or sent, in or below the epoch.
func (e Epoch) onlyHeard(i dkg.Index) bool {
	return !slices.ContainsFunc(e.heard, func(h dkg.Index) bool { return h != i })
}

// issued reports whether a member told something of the epoch.
func (e Epoch) issued(i dkg.Index) bool {
	_, told := slices.BinarySearch(e.tellers, i)
	return told
}

// unproven reports whether nobody but the maker was read, or sent, in or below the epoch (D13, D16, D48).
func (e Epoch) unproven() bool {
	return !e.isRoot() && e.onlyHeard(e.maker.Index)
}

// mergeIndices returns the union of two ascending lists.
func mergeIndices(a, b []dkg.Index) []dkg.Index {
	out := append(slices.Clone(a), b...)
	slices.Sort(out)
	return slices.Compact(out)
}
