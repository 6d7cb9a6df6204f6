package proto

import (
	"encoding/binary"

	"github.com/trefoil-im/trefoil/dkg"
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
func (t *Trial) Commit(key suite.AEAD, s Sealed) (Shown, error) {
	if t.commit == nil {
		t.commit = make([]byte, 0, MaxSealedCommit)
	}
	plain, err := key.Open(t.commit, s, t.aad[:])
	if err != nil {
		return Shown{}, err
	}
	return ParseShown(append([]byte(nil), plain...))
}
