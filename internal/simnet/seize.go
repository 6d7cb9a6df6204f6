package simnet

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/chacha20poly1305"

	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/ratchettest"
	"github.com/trefoil-im/trefoil/state/store"
)

// Roles of what a vault seals, as its stored format has them.
const (
	roleHead   = 1
	roleRecord = 2
	roleOutbox = 3
	roleInbox  = 4
	roleFrame  = 5
	roleKeys   = 6
)

// Seize returns all bytes that the device has stored, as whoever has the store and the vault's key reads them: every record
// of the space, what is still to be sent or shown, and the retained frames. It knows the stored format by itself and asks
// nothing of package state.
func (m *Member) Seize() (all [][]byte) {
	t, ctx, id := m.net.t, m.net.t.Context(), m.Space().ID()
	t.Helper()
	var incarnation [32]byte
	open := func(key []byte, k store.Kind, id store.ID, role uint8, name string, number uint64, sealed []byte) []byte {
		w := wire.NewWriter(96)
		w.U16(1)
		w.U8(uint8(k))
		w.Fixed(id[:])
		w.U8(role)
		w.Fixed(incarnation[:])
		w.U64(number)
		w.Fixed([]byte(name))
		r := wire.NewReader(sealed)
		r.Fixed(2 + 8) // format, name of the key
		nonce := r.Fixed(chacha20poly1305.NonceSizeX)
		derived, err := hkdf.Expand(sha256.New, key, "trefoil state seal", chacha20poly1305.KeySize)
		require.NoError(t, err)
		aead, err := chacha20poly1305.NewX(derived)
		require.NoError(t, err)
		plain, err := aead.Open(nil, nonce, r.Rest(), w.Bytes())
		require.NoError(t, err, name)
		all = append(all, plain)
		return plain
	}
	vaults, err := m.Store.List(ctx, store.Vault, store.ID{}, 1)
	require.NoError(t, err)
	vault, err := m.Store.Load(ctx, store.Vault, vaults[0])
	require.NoError(t, err)
	copy(incarnation[:], vault.Parts[0][2:][:16]) // the database's ID
	keys := open(ratchettest.KeyBytes[:], store.Vault, vaults[0], roleKeys, "keys", vault.Head.Version, vault.Parts[1])
	dataKey := keys[8+2:][:32] // behind its date and the number of keys
	of := func(role uint8, name string, number uint64, sealed []byte) []byte {
		return open(dataKey, store.Spaces, id, role, name, number, sealed)
	}
	incarnation = [32]byte{}
	row, err := m.Store.Load(ctx, store.Spaces, id)
	require.NoError(t, err)
	records := 0
	var record func(path string, version uint64, sealed []byte)
	list := func(r *wire.Reader, below string) {
		for range r.U32() {
			name := string(r.Vec8(255))
			version := r.U64()
			r.Fixed(32)
			record(below+"/"+name, version, row.Segments[below+"/"+name])
		}
	}
	record = func(path string, version uint64, sealed []byte) {
		records++
		r := wire.NewReader(of(roleRecord, path, version, sealed))
		r.Vec32(1 << 24)
		list(r, path)
		require.NoError(t, r.Done(), path)
	}
	head := wire.NewReader(of(roleHead, "head", row.Head.Version, row.Head.Sealed))
	head.Into(incarnation[:])
	parts := 0
	for range head.U32() {
		name, version := string(head.Vec8(255)), head.U64()
		head.Fixed(32)
		record(name, version, row.Parts[parts])
		parts++
	}
	require.Equal(t, len(row.Parts)+len(row.Segments), records, "every record was found")
	for queue, held := range map[store.Queue][]store.Held{store.Outbox: row.Outbox, store.Inbox: row.Inbox} {
		for _, h := range held {
			items, err := m.Store.Items(ctx, store.Spaces, id, queue, h.Seq)
			require.NoError(t, err)
			require.Len(t, items, 1)
			if queue == store.Outbox {
				of(roleOutbox, string(binary.BigEndian.AppendUint64(nil, h.Lane)), h.Seq, items[0].Data)
			} else {
				of(roleInbox, "", h.Seq, items[0].Data)
			}
		}
	}
	for _, h := range row.Retained {
		frames, err := m.Store.Frames(ctx, store.Spaces, id, h.Hash)
		require.NoError(t, err)
		require.Len(t, frames, 1)
		of(roleFrame, "frame", h.Seq, frames[0].Data)
	}
	return all
}
