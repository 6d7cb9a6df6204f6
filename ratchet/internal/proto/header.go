package proto

import (
	"encoding/binary"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// Header says whose message it is and which of that sender's (§7).
type Header struct {
	Index  dkg.Index
	Number uint32
}

const (
	headerSize       = 4 + 4 + 16
	sealedHeaderSize = headerSize + suite.AEADOverhead
)

// SealedHeader is headerCT.
type SealedHeader [sealedHeaderSize]byte

// Tag is 8 bytes of H(headerCT), by which a number that is read again is told from one used twice (§7).
func (s SealedHeader) Tag() [8]byte {
	d := suite.Hash(s[:])
	return [8]byte(d[:8])
}

// Seal seals the header under the header key of its epoch: u32(i) ‖ u32(n) ‖ 16 zero bytes.
func (h Header) Seal(key suite.AEAD, space state.ID, id EpochID) (out SealedHeader) {
	var plain [headerSize]byte
	binary.BigEndian.PutUint32(plain[:], uint32(h.Index))
	binary.BigEndian.PutUint32(plain[4:], h.Number)
	aad := epochAAD(space, id)
	key.Seal(out[:0], plain[:], aad[:])
	return out
}

// Open opens headerCT with the header key of an epoch, or returns suite.ErrNotOpened. The index may be one that no member has.
// AES-GCM does not commit to its key: one ciphertext can be made to open under two. It does not have its zeros under both
// then, so it opens for all members in the same epoch.
func (s SealedHeader) Open(key suite.AEAD, space state.ID, id EpochID) (Header, error) {
	aad := epochAAD(space, id)
	var buf [headerSize]byte
	plain, err := key.Open(buf[:0], s[:], aad[:])
	if err != nil || [16]byte(plain[8:]) != [16]byte{} {
		return Header{}, suite.ErrNotOpened
	}
	return Header{dkg.Index(binary.BigEndian.Uint32(plain)), binary.BigEndian.Uint32(plain[4:])}, nil
}
