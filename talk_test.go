package trefoil

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/event"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/internal/wire/wiretest"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
)

// A letter belongs to the conversation of its two persons, on the devices of both. What one of them was written cannot be passed on to
// a third as if it were to that one.
func TestLetterTalks(t *testing.T) {
	ann, bob, eve := key.Address{1}, key.Address{2}, key.Address{3}
	l := newLetter(bob, time.UnixMilli(1_795_000_000_000), []byte("hello"))
	for _, c := range []struct {
		from, self, with key.Address
		ok               bool
	}{
		{ann, bob, ann, true}, {ann, ann, bob, true}, {bob, bob, bob, true},
		{ann, eve, key.Address{}, false}, {eve, bob, eve, true}, {bob, eve, key.Address{}, false},
	} {
		with, ok := l.talkWith(c.from, c.self)
		require.Equal(t, c.ok, ok)
		require.Equal(t, c.with, with)
	}
	require.NotEqual(t, l.id(ann), l.id(eve), "nobody writes under the ID of another's message")
	altered := l
	altered.body = []byte("hello!")
	require.NotEqual(t, l.id(ann), altered.id(ann), "one ID never stands for two texts")

	for _, c := range []struct {
		chat state.ID
		from key.Address
		own  bool
	}{{talkID(ann), ann, false}, {talkID(bob), ann, true}, {talkID(bob), bob, true}} {
		e, err := decodeEvent(c.chat, l.arrived(c.from))
		require.NoError(t, err)
		require.Equal(t, event.Message{
			Stamp: event.Stamp{Chat: c.chat, ID: l.id(c.from)}, Person: c.from, Own: c.own, Sent: l.sent, Body: l.body,
		}, e)
	}
	_, err := decodeEvent(talkID(ann), []byte{arrivedVersion >> 8})
	require.ErrorIs(t, err, wire.ErrMalformed)
}

// A conversation lies in the store as it was, stays with its person, and is a row of a kind of its own.
func TestTalkIsStored(t *testing.T) {
	k, err := state.NewKey(make([]byte, state.KeySize))
	require.NoError(t, err)
	s := store.NewMemory()
	v, err := state.Open[storedTalk](t.Context(), s, k, state.Options{})
	require.NoError(t, err)
	with := key.Address{7}
	first, err := state.NewOne(talkID(with), talk{with: with, known: [32]byte{3}})
	require.NoError(t, err)
	require.NoError(t, v.Create(t.Context(), first, nil))
	again, err := state.Open[storedTalk](t.Context(), s, k, state.Options{})
	require.NoError(t, err)
	got, err := again.Load(t.Context(), talkID(with))
	require.NoError(t, err)
	require.True(t, first.Equal(got))
	require.Equal(t, first.Part(), got.Part())
	require.ErrorIs(t, again.Update(t.Context(), talkID(with), func(tx talkTx) error {
		tx.Set(tx.Value().With(talk{with: key.Address{8}}))
		return nil
	}), state.ErrStale)
	require.Equal(t, store.Talks, talk{}.StoredAs())
	_, err = state.NewOne(talkID(with), talk{})
	require.Error(t, err)
}

func FuzzLetter(f *testing.F) {
	wiretest.Fuzz(f, parseLetter, letter.encode, newLetter(key.Address{1}, time.Now(), []byte("hello")).encode())
}
