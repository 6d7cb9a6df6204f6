package proto

import (
	"encoding/binary"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// Trial opens headers and sealed commits with the keys of one epoch, like SealedHeader.Open and Sealed.Open. It keeps its
// buffers, since most of what a search tries does not open: a trial then allocates nothing. It is not safe for concurrent use.
type Trial struct {
	aad    []byte // space ‖ id_e
	plain  []byte
	header []byte
}

// NewTrial returns a trial in an epoch.
func NewTrial(space state.ID, id EpochID) *Trial {
	t := &Trial{header: make([]byte, sealedHeaderSize)}
	t.aad = append(append(t.aad, space[:]...), id[:]...)
	return t
}

// Move makes the trial one in another epoch of the same space.
func (t *Trial) Move(id EpochID) { copy(t.aad[32:], id[:]) }

// Header opens a header, or returns suite.ErrNotOpened.
func (t *Trial) Header(key suite.AEAD, s *SealedHeader) (Header, error) {
	copy(t.header, s[:])
	if t.plain == nil {
		t.plain = make([]byte, 0, headerSize)
	}
	plain, err := key.Open(t.plain, t.header, t.aad)
	if err != nil || [16]byte(plain[8:]) != [16]byte{} {
		return Header{}, suite.ErrNotOpened
	}
	return Header{dkg.Index(binary.BigEndian.Uint32(plain)), binary.BigEndian.Uint32(plain[4:])}, nil
}

// Commit opens a sealed commit, or returns suite.ErrNotOpened; wire.ErrMalformed if the key fits but this is no commit.
func (t *Trial) Commit(key suite.AEAD, s Sealed) (Shown, error) {
	if cap(t.plain) < MaxSealedCommit {
		t.plain = make([]byte, 0, MaxSealedCommit)
	}
	plain, err := key.Open(t.plain, s, t.aad)
	if err != nil {
		return Shown{}, err
	}
	return ParseShown(append([]byte(nil), plain...))
}
