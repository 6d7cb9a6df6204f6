package trefoil

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/wire/wiretest"
	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/state"
)

// every holds one event of each type that is no message.
var every = []Event{
	Joined{}, Refused{Reason: ratchet.ErrInviteTaken}, Arrived{Index: 3}, Left{Index: 4}, Removed{}, Conflict{Index: 5, Own: true},
	DevicesChanged{Devices: 2}, Unread{Reason: ratchet.ErrForged}, GivenUp{Frames: 6}, Rejected{Reason: "too long"}, NotSent{Message: EventID{7}, Reason: ratchet.ErrRemoved},
}

// with returns an event with a stamp.
func with(e Event, s Stamp) Event {
	switch e := e.(type) {
	case Joined:
		e.Stamp = s
		return e
	case Refused:
		e.Stamp = s
		return e
	case Arrived:
		e.Stamp = s
		return e
	case Left:
		e.Stamp = s
		return e
	case Removed:
		e.Stamp = s
		return e
	case Conflict:
		e.Stamp = s
		return e
	case DevicesChanged:
		e.Stamp = s
		return e
	case Unread:
		e.Stamp = s
		return e
	case GivenUp:
		e.Stamp = s
		return e
	case Rejected:
		e.Stamp = s
		return e
	case NotSent:
		e.Stamp = s
		return e
	}
	panic("unknown event")
}

// Every event comes out of the inbox as it went in, with an ID of its own that stays.
func TestEventCode(t *testing.T) {
	chat := state.NewID()
	seen := make(map[EventID]bool)
	for _, e := range every {
		b := encodeNotice(e)
		got, err := decodeEvent(chat, b)
		require.NoError(t, err)
		again, err := decodeEvent(chat, b)
		require.NoError(t, err)
		require.Equal(t, got, again)
		require.False(t, seen[got.About().ID])
		seen[got.About().ID] = true
		require.Equal(t, with(e, Stamp{chat, got.About().ID}), got)
		require.NotEmpty(t, got.String())
	}
}

// What packages state and ratchet tell becomes an event of the client or nothing, and a long word of a relay is cut.
func TestKept(t *testing.T) {
	for e, want := range map[state.Event]Event{
		ratchet.Introduced{Index: 1}:                                  Arrived{Index: 1},
		ratchet.LeavePending{Index: 2}:                                Left{Index: 2},
		ratchet.Conflict{Index: 3, Own: true}:                         Conflict{Index: 3, Own: true},
		state.SendRejected{Reason: "too long"}:                        Rejected{Reason: "too long"},
		state.SendRejected{Reason: string(make([]byte, 2*maxReason))}: Rejected{Reason: string(make([]byte, maxReason))},
	} {
		got, err := decodeEvent(state.ID{}, kept(state.ID{}, e))
		require.NoError(t, err)
		require.Equal(t, want, with(got, Stamp{}))
	}
	require.Nil(t, kept(state.ID{}, state.ForgetFailed{}))
	require.False(t, isKept(state.Damaged{}))
}

// The ID of a message depends on its writer, so that nobody writes under that of another's.
func TestMessageID(t *testing.T) {
	c := newContent(time.UnixMilli(1_700_000_000_123), []byte("hello"))
	got, err := parseContent(c.encode())
	require.NoError(t, err)
	require.Equal(t, c, got)
	one, err := ratchet.NewSpace(time.Now(), ratchet.Policy{})
	require.NoError(t, err)
	other, err := ratchet.NewSpace(time.Now(), ratchet.Policy{})
	require.NoError(t, err)
	id := c.id(one.ID(), ratchet.Info(one).Key)
	require.Equal(t, id, got.id(one.ID(), ratchet.Info(one).Key))
	require.NotEqual(t, id, c.id(one.ID(), ratchet.Info(other).Key))
	require.NotEqual(t, id, c.id(other.ID(), ratchet.Info(one).Key))
	for _, b := range [][]byte{nil, {0}, {2}, c.encode()[:contentHeader-1]} {
		_, err := parseContent(b)
		require.Error(t, err)
	}
}

// A fingerprint has thirty digits, and none if there is nothing to compare.
func TestFingerprint(t *testing.T) {
	require.Empty(t, fingerprint([32]byte{}))
	require.Regexp(t, `^(\d{5} ){5}\d{5}$`, fingerprint([32]byte{1}))
	require.NotEqual(t, fingerprint([32]byte{1}), fingerprint([32]byte{2}))
}

func FuzzNotice(f *testing.F) {
	var seeds [][]byte
	for _, e := range every {
		seeds = append(seeds, encodeNotice(e))
	}
	wiretest.Fuzz(f, parseNotice, notice.encode, seeds...)
}

func FuzzContent(f *testing.F) {
	wiretest.Fuzz(f, parseContent, content.encode, newContent(time.Now(), []byte("hello")).encode())
}
