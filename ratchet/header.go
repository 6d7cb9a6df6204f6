package ratchet

import (
	"encoding/binary"
	"fmt"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/state"
)

// header says whose message it is and which of that sender's (§7).
type header struct {
	index  dkg.Index
	number uint32
}

// sealedHeader is headerCT.
type sealedHeader [sealedHeaderSize]byte

// epochAAD is the additional data of headers and sealed commits: space ‖ id_e.
func epochAAD(space state.ID, id epochID) (aad [64]byte) {
	copy(aad[:], space[:])
	copy(aad[32:], id[:])
	return aad
}

// seal seals the header under the header key of its epoch: u32 index ‖ u32 number ‖ 16 zero bytes.
func (h header) seal(key sealer, space state.ID, id epochID) (out sealedHeader) {
	var plain [headerSize]byte
	binary.BigEndian.PutUint32(plain[:], uint32(h.index))
	binary.BigEndian.PutUint32(plain[4:], h.number)
	aad := epochAAD(space, id)
	key.seal(out[:0], plain[:], aad[:])
	return out
}

// openHeader opens headerCT with the header key of an epoch, whose trees have the given depth. It returns errNotOpened if
// the header is another epoch's. AES-GCM alone does not commit to its key: one ciphertext can be made to open under two.
// Then it does not have its zeros under both, so that it opens for all members in the same epoch. It returns
// wire.ErrMalformed if the key fits but no member has the index.
func openHeader(key sealer, space state.ID, id epochID, depth int, sealed sealedHeader) (header, error) {
	aad := epochAAD(space, id)
	var buf [headerSize]byte
	plain, err := key.open(buf[:0], sealed[:], aad[:])
	if err != nil || [16]byte(plain[8:]) != [16]byte{} {
		return header{}, errNotOpened
	}
	h := header{dkg.Index(binary.BigEndian.Uint32(plain)), binary.BigEndian.Uint32(plain[4:])}
	if err := checkIndex(h.index, depth); err != nil {
		return header{}, fmt.Errorf("%w: header", wire.ErrMalformed)
	}
	return h, nil
}

// sealedCommit is a commit as messages carry it, sealed under the commit key of its parent. It can be compared with ==.
type sealedCommit [sealedCommitSize]byte

// seal seals the commit.
func (c commit) seal(key sealer, space state.ID, parent epochID) (out sealedCommit) {
	aad := epochAAD(space, parent)
	key.seal(out[:0], c[:], aad[:])
	return out
}

// open opens a sealed commit with the commit key of a possible parent, or returns errNotOpened.
func (s sealedCommit) open(key sealer, space state.ID, parent epochID) (c commit, err error) {
	aad := epochAAD(space, parent)
	_, err = key.open(c[:0], s[:], aad[:])
	return c, err
}
