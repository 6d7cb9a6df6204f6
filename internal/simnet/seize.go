package simnet

import (
	"crypto/hkdf"
	"crypto/sha256"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/chacha20poly1305"

	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/state/store"
)

// Roles of what a vault seals, as its stored format has them.
const (
	roleHead   = 1
	roleRecord = 2
	roleOutbox = 3
	roleInbox  = 4
	roleFrame  = 5
)

// Seize returns all bytes that the device has stored, as whoever has the store and the vault's key reads them: every record
// of the space, what is still to be sent or shown, and the retained frames. It knows the stored format by itself and asks
// nothing of package state.
func (m *Member) Seize() (all [][]byte) {
	t, ctx := m.net.t, m.net.t.Context()
	t.Helper()
	key, err := hkdf.Expand(sha256.New, vaultKey[:], "trefoil state seal", chacha20poly1305.KeySize)
	require.NoError(t, err)
	aead, err := chacha20poly1305.NewX(key)
	require.NoError(t, err)
	open := func(role uint8, name string, number uint64, sealed []byte) []byte {
		w := wire.NewWriter(64)
		w.U16(1)
		w.U8(uint8(store.Spaces))
		w.Fixed(m.id[:])
		w.U8(role)
		w.U64(number)
		w.Fixed([]byte(name))
		r := wire.NewReader(sealed)
		r.Fixed(2 + 8) // format, name of the key
		nonce := r.Fixed(chacha20poly1305.NonceSizeX)
		plain, err := aead.Open(nil, nonce, r.Rest(), w.Bytes())
		require.NoError(t, err, name)
		all = append(all, plain)
		return plain
	}
	row, err := m.store.Load(ctx, store.Spaces, m.id)
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
		r := wire.NewReader(open(roleRecord, path, version, sealed))
		r.Vec32(1 << 24)
		list(r, path)
		require.NoError(t, r.Done(), path)
	}
	head := wire.NewReader(open(roleHead, "head", row.Head.Version, row.Head.Sealed))
	parts := 0
	for range head.U32() {
		name, version := string(head.Vec8(255)), head.U64()
		head.Fixed(32)
		record(name, version, row.Parts[parts])
		parts++
	}
	require.Equal(t, len(row.Parts)+len(row.Segments), records, "every record was found")
	for queue, role := range map[store.Queue]uint8{store.Outbox: roleOutbox, store.Inbox: roleInbox} {
		items, err := m.store.Items(ctx, store.Spaces, m.id, queue, 0, 1<<20)
		require.NoError(t, err)
		for _, it := range items {
			open(role, "item", it.Seq, it.Data)
		}
	}
	frames, err := m.store.Retained(ctx, store.Spaces, m.id, 0, 1<<20)
	require.NoError(t, err)
	for _, f := range frames {
		open(roleFrame, "frame", f.Seq, f.Data)
	}
	return all
}
