package proto

import (
	"encoding/binary"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// Trial opens headers and sealed commits with the keys of one epoch, like SealedHeader.Open and Sealed.Open. It is its own
// buffers, since most of what a search tries does not open: a trial then allocates nothing. It is not safe for concurrent use.
type Trial struct {
	aad    [64]byte // space ‖ id_e
	header SealedHeader
	opened [headerSize]byte
	commit []byte
}

// NewTrial returns a trial in an epoch.
func NewTrial(space state.ID, id EpochID) Trial { return Trial{aad: epochAAD(space, id)} }

// Move makes the trial one in another epoch of the same space.
func (t *Trial) Move(id EpochID) { copy(t.aad[32:], id[:]) }

// Header opens a header, or returns suite.ErrNotOpened.
func (t *Trial) Header(key suite.AEAD, s *SealedHeader) (Header, error) {
	t.header = *s
	plain, err := key.Open(t.opened[:0], t.header[:], t.aad[:])
	if err != nil || [16]byte(plain[8:]) != [16]byte{} {
		return Header{}, suite.ErrNotOpened
	}
	return Header{dkg.Index(binary.BigEndian.Uint32(plain)), binary.BigEndian.Uint32(plain[4:])}, nil
}

// Commit opens a sealed commit, or returns suite.ErrNotOpened; wire.ErrMalformed if the key fits but this is no commit.
func (t *Trial) Commit(key suite.AEAD, s Sealed) (Opened, error) {
	if t.commit == nil {
		t.commit = make([]byte, 0, MaxSealedCommit)
	}
	plain, err := key.Open(t.commit, s, t.aad[:])
	switch {
	case err != nil:
		return nil, err
	case len(plain) < minSealed-suite.AEADOverhead:
		return nil, wire.ErrMalformed
	}
	return append(Opened(nil), plain...), nil
}

// Opened is a commit that was opened and not parsed yet. To parse its points takes much longer than to look up whether the epoch
// that it makes is known, and most commits that a member sees are shown again.
type Opened []byte

// Child returns the id of the epoch of that generation that the commit makes from parent, if it is one.
func (o Opened) Child(space state.ID, parent EpochID, generation uint64) EpochID {
	place := ByCommit.place(space, parent[:], suite.U64(generation), o[:coreSize])
	return ByCommit.ID(place, Check(o[coreSize:]))
}

// Parse reads the commit and its credential without verifying them, or returns wire.ErrMalformed.
func (o Opened) Parse() (Shown, error) { return ParseShown(o) }
