package proto

import (
	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/pprf"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// TicketEpoch is an epoch as a ticket tells it (§9). Its commit key and authenticator are proven by the check; its trees and
// chains are the word of the issuer.
type TicketEpoch struct {
	Readable      bool // with header key, sender tree and chains
	Cut           bool // its trees and chains hold only the places of some members
	Parent        EpochID
	Generation    uint64
	Commit        Commit       // of generation 1 and more
	Header        secret.Bytes // readable
	HeaderCheck   HeaderCheck  // not readable: hh
	CommitKey     secret.Bytes
	Authenticator secret.Bytes
	CommitTree    pprf.Frontier
	SenderTree    pprf.Frontier // readable
	Chains        []TicketChain // readable; ascending
}

// TicketChain is a chain that has begun.
type TicketChain struct {
	Index dkg.Index
	Next  uint32 // the number that Key is for
	Key   secret.Bytes
}

// IsRoot reports whether the epoch is a root, which no commit made.
func (e TicketEpoch) IsRoot() bool { return e.Generation == 0 }

// Place returns where the epoch stands: of the commit, or, for a root, of the common in its notice.
func (e TicketEpoch) Place(space state.ID, root Common) Place {
	if e.IsRoot() {
		return root.Place()
	}
	return e.Commit.Core.Place(space, e.Parent, e.Generation)
}

// Verify checks that header key or hh, commit key and authenticator have the check of the commit, or for a root that of its
// notice (§9 step 8), and returns the epoch's id; else suite.ErrInvalid. The checks of §4 of the commit are not made here.
func (e TicketEpoch) Verify(space state.ID, root Notice) (EpochID, error) {
	kind, want := ByCommit, e.Commit.Check
	if e.IsRoot() {
		kind, want = root.Common.Kind(), root.Check
		if e.Parent != root.Common.Parent {
			return EpochID{}, invalid("parent of a root")
		}
	}
	place := e.Place(space, root.Common)
	keys := EpochKeys{Header: e.Header, Commit: e.CommitKey, Authenticator: e.Authenticator}
	hh := e.HeaderCheck
	if e.Readable {
		hh = keys.HeaderCheck(place)
	}
	if keys.CheckUnder(place, hh) != want {
		return EpochID{}, invalid("keys of an epoch")
	}
	return kind.ID(place, want), nil
}

// What a ticket says of an epoch, as flags: one may be readable and cut, and one may be neither.
const (
	epochReadable = 1
	epochCut      = 2
)

func (e TicketEpoch) what() (f uint8) {
	if e.Readable {
		f |= epochReadable
	}
	if e.Cut {
		f |= epochCut
	}
	return f
}

// encode returns u8 what ‖ parent ‖ u64 generation ‖ vec16 commit ‖ header key or hh ‖ commit key ‖ authenticator ‖ vec32 commit
// tree ‖ [vec32 sender tree ‖ u32 number ‖ (u32 index ‖ u32 next ‖ chain key)…].
func (e TicketEpoch) encode() []byte {
	tree := e.CommitTree.Encode()
	return encode(1024+len(tree)+len(e.Chains)*40, func(w *wire.Writer) {
		w.U8(e.what())
		w.Fixed(e.Parent[:])
		w.U64(e.Generation)
		if e.IsRoot() {
			w.Vec16(nil)
		} else {
			w.Vec16(e.Commit.Encode())
		}
		if e.Readable {
			w.Fixed(e.Header.Expose())
		} else {
			w.Fixed(e.HeaderCheck[:])
		}
		w.Fixed(e.CommitKey.Expose())
		w.Fixed(e.Authenticator.Expose())
		w.Vec32(tree)
		if !e.Readable {
			return
		}
		w.Vec32(e.SenderTree.Encode())
		w.U32(uint32(len(e.Chains)))
		for _, c := range e.Chains {
			w.U32(uint32(c.Index))
			w.U32(c.Next)
			w.Fixed(c.Key.Expose())
		}
	})
}

func ticketEpochReader(depth int) func(*wire.Reader) TicketEpoch {
	return func(r *wire.Reader) (e TicketEpoch) {
		what := r.U8()
		e.Readable, e.Cut = what&epochReadable != 0, what&epochCut != 0
		r.Into(e.Parent[:])
		e.Generation = readGeneration(r)
		commit := r.Vec16(maxCommit)
		if r.Err() == nil && (what != e.what() || e.IsRoot() != (len(commit) == 0)) {
			r.Fail("kind of an epoch")
		}
		if len(commit) > 0 {
			e.Commit = readNested(r, commit, readCommit)
		}
		if e.Readable {
			e.Header = secret.Own(r.Fixed(suite.KeySize))
		} else {
			r.Into(e.HeaderCheck[:])
		}
		e.CommitKey = secret.Own(r.Fixed(suite.KeySize))
		e.Authenticator = secret.Own(r.Fixed(suite.KeySize))
		e.CommitTree = readTree(r, depth+pprf.ChildBits)
		if !e.Readable {
			return e
		}
		e.SenderTree = readTree(r, depth)
		for n := r.Count(1<<depth, 4+4+suite.KeySize); n > 0 && r.Err() == nil; n-- {
			c := TicketChain{Index: readIndexOf(r, depth), Next: r.U32(), Key: secret.Own(r.Fixed(suite.KeySize))}
			if k := len(e.Chains); k > 0 && e.Chains[k-1].Index >= c.Index {
				r.Fail("order of chains")
			}
			e.Chains = append(e.Chains, c)
		}
		return e
	}
}

// readTree reads a tree behind its length.
func readTree(r *wire.Reader, bits int) pprf.Frontier {
	b := r.Vec32(MaxTicketBody)
	if r.Err() != nil {
		return pprf.Frontier{}
	}
	t, err := pprf.Decode(b, bits)
	if err != nil {
		r.Fail(err.Error())
	}
	return t
}
