package proto

import (
	"encoding/binary"
	"fmt"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// Header says whose message it is and which of that sender's (§7).
type Header struct {
	Index  dkg.Index
	Number uint32
}

// SealedHeader is headerCT.
type SealedHeader [sealedHeaderSize]byte

// epochAAD is the additional data of headers and sealed commits: space ‖ id_e.
func epochAAD(space state.ID, id EpochID) (aad [64]byte) {
	copy(aad[:], space[:])
	copy(aad[32:], id[:])
	return aad
}

// Seal seals the header under the header key of its epoch: u32 index ‖ u32 number ‖ 16 zero bytes.
func (h Header) Seal(key suite.AEAD, space state.ID, id EpochID) (out SealedHeader) {
	var plain [headerSize]byte
	binary.BigEndian.PutUint32(plain[:], uint32(h.Index))
	binary.BigEndian.PutUint32(plain[4:], h.Number)
	aad := epochAAD(space, id)
	key.Seal(out[:0], plain[:], aad[:])
	return out
}

// OpenHeader opens headerCT with the header key of an epoch, whose trees have the given depth. It returns suite.ErrNotOpened if
// the header is another epoch's. AES-GCM alone does not commit to its key: one ciphertext can be made to open under two.
// Then it does not have its zeros under both, so that it opens for all members in the same epoch. It returns
// wire.ErrMalformed if the key fits but no member has the index.
func OpenHeader(key suite.AEAD, space state.ID, id EpochID, depth int, sealed SealedHeader) (Header, error) {
	aad := epochAAD(space, id)
	var buf [headerSize]byte
	plain, err := key.Open(buf[:0], sealed[:], aad[:])
	if err != nil || [16]byte(plain[8:]) != [16]byte{} {
		return Header{}, suite.ErrNotOpened
	}
	h := Header{dkg.Index(binary.BigEndian.Uint32(plain)), binary.BigEndian.Uint32(plain[4:])}
	if err := checkIndex(h.Index, depth); err != nil {
		return Header{}, fmt.Errorf("%w: header", wire.ErrMalformed)
	}
	return h, nil
}

const headerSize = 4 + 4 + 16

const sealedHeaderSize = headerSize + suite.AEADOverhead
