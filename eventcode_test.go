package trefoil

import (
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/event"
	"github.com/trefoil-im/trefoil/internal/wire/wiretest"
	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/ratchet/rules"
	"github.com/trefoil-im/trefoil/ratchet/session/linking"
	"github.com/trefoil-im/trefoil/ratchet/step"
	"github.com/trefoil-im/trefoil/state"
)

// every holds one event of each type that is no message.
var every = []event.Event{
	event.Joined{}, event.Refused{Reason: ratchet.ErrInviteTaken}, event.Arrived{Index: 3}, event.Left{Index: 4}, event.Removed{}, event.Conflict{Index: 5, Own: true},
	event.DevicesChanged{Devices: 2}, event.Rekeyed{Members: 15}, event.Unread{Reason: ratchet.ErrForged}, event.GivenUp{Frames: 6}, event.Rejected{Reason: "too long"}, event.NotSent{Message: event.ID{7}, Reason: ratchet.ErrRemoved},
	event.StillWaiting{Since: time.UnixMilli(8)}, event.Hint{Reason: ratchet.ErrHintOwnerNeeded}, event.LetInGone{Index: 9}, event.InviteDead{Index: 17}, event.TitleChanged{}, event.ProfileChanged{Index: 10},
	event.LinkGiven{Link: sampleLink()}, event.DeviceInvited{}, event.DeviceInvited{Reason: dkg.ErrExhausted}, event.SpaceAwaited{Space: state.ID{7}, Title: "Gardening"}, event.SpaceAwaited{Reason: ratchet.ErrPolicy}, event.OwnersChanged{}, event.RoleChanged{Index: 15}, event.PolicyChanged{}, event.HandedOver{Index: 16}, event.KeyChanged{Index: 11}, event.Resynced{Index: 12}, event.Impersonated{}, event.Lost{Messages: 13}, event.MailboxNotRead{Since: time.UnixMilli(14)},
	event.LinkDigits{Digits: "012 345"}, event.Linked{}, event.LinkEnded{Reason: linking.ErrTwice},
}

// sampleLink returns a link.
func sampleLink() invite.Link {
	s, err := ratchet.NewSpace(time.Now(), rules.Policy{}, nil)
	if err != nil {
		panic(err)
	}
	var made invite.Made
	if _, _, err = ratchet.Take(s, time.Now(), step.NewInvite(invite.Private(0), &made)); err != nil {
		panic(err)
	}
	return made.Link
}

// with returns an event with a stamp.
func with(e event.Event, s event.Stamp) event.Event {
	v := reflect.New(reflect.TypeOf(e)).Elem()
	v.Set(reflect.ValueOf(e))
	v.FieldByName("Stamp").Set(reflect.ValueOf(s))
	return v.Interface().(event.Event)
}

// requireSame requires that two events are equal, whose links show nothing.
func requireSame(t *testing.T, want, got event.Event) {
	t.Helper()
	if w, ok := want.(event.LinkGiven); ok {
		require.IsType(t, want, got)
		g := got.(event.LinkGiven)
		require.Equal(t, w.Link.Bytes(), g.Link.Bytes())
		require.Equal(t, w.Stamp, g.Stamp)
		return
	}
	require.Equal(t, want, got)
}

// Every event comes out of the inbox as it went in, with an ID of its own that stays.
func TestEventCode(t *testing.T) {
	chat := state.NewID()
	seen := make(map[event.ID]bool)
	for _, e := range every {
		b := encodeNotice(e)
		got, err := decodeEvent(chat, b)
		require.NoError(t, err)
		again, err := decodeEvent(chat, b)
		require.NoError(t, err)
		requireSame(t, got, again)
		require.False(t, seen[got.About().ID])
		seen[got.About().ID] = true
		requireSame(t, with(e, event.Stamp{Chat: chat, ID: got.About().ID}), got)
		require.NotEmpty(t, got.String())
	}
}

// What packages state and ratchet tell becomes an event of the client or nothing, and a long word of a relay is cut.
func TestKept(t *testing.T) {
	link := sampleLink()
	for _, c := range []struct {
		told state.Event
		want event.Event
	}{
		{ratchet.Event{Kind: ratchet.Joined}, event.Joined{}},
		{ratchet.Event{Kind: ratchet.StillWaiting, Since: 5}, event.StillWaiting{Since: time.UnixMilli(5)}},
		{ratchet.Event{Kind: ratchet.Hint, Reason: ratchet.ErrHintExpired}, event.Hint{Reason: ratchet.ErrHintExpired}},
		{ratchet.Event{Kind: ratchet.Refused, Reason: ratchet.ErrInviteDead}, event.Refused{Reason: ratchet.ErrInviteDead}},
		{ratchet.Event{Kind: ratchet.Arrived, Index: 1}, event.Arrived{Index: 1}},
		{ratchet.Event{Kind: ratchet.Gone, Index: 2}, event.Left{Index: 2}},
		{ratchet.Event{Kind: ratchet.Gone, Index: 2, Own: true}, event.Removed{}},
		{ratchet.Event{Kind: ratchet.WasRemoved}, event.Removed{}},
		{ratchet.Event{Kind: ratchet.Rekeyed, Count: 16}, event.Rekeyed{Members: 16}},
		{ratchet.Event{Kind: ratchet.LetInGone, Index: 2}, event.LetInGone{Index: 2}},
		{ratchet.Event{Kind: ratchet.InviteDead, Index: 2}, event.InviteDead{Index: 2}},
		{ratchet.Event{Kind: ratchet.Conflict, Index: 3, Own: true}, event.Conflict{Index: 3, Own: true}},
		{ratchet.Event{Kind: ratchet.KeyChanged, Index: 4}, event.KeyChanged{Index: 4}},
		{ratchet.Event{Kind: ratchet.Resynced, Index: 4}, event.Resynced{Index: 4}},
		{ratchet.Event{Kind: ratchet.Impersonated, Index: 4}, event.Impersonated{}},
		{ratchet.Event{Kind: ratchet.TitleChanged}, event.TitleChanged{}},
		{ratchet.Event{Kind: ratchet.ProfileChanged, Index: 4}, event.ProfileChanged{Index: 4}},
		{ratchet.Event{Kind: ratchet.Unread, First: 2, End: 5}, event.Lost{Messages: 3}},
		{ratchet.Event{Kind: ratchet.MailboxNotRead, Since: 6}, event.MailboxNotRead{Since: time.UnixMilli(6)}},
		{ratchet.Event{Kind: ratchet.LinkGiven, Link: link}, event.LinkGiven{Link: link}},
		{ratchet.Event{Kind: ratchet.OwnersChanged}, event.OwnersChanged{}},
		{ratchet.Event{Kind: ratchet.RoleChanged, Index: 4}, event.RoleChanged{Index: 4}},
		{ratchet.Event{Kind: ratchet.PolicyChanged}, event.PolicyChanged{}},
		{ratchet.Event{Kind: ratchet.HandedOver, Index: 4}, event.HandedOver{Index: 4}},
		{state.SendRejected{Reason: "too long"}, event.Rejected{Reason: "too long"}},
		{state.SendRejected{Reason: string(make([]byte, 2*maxReason))}, event.Rejected{Reason: string(make([]byte, maxReason))}},
	} {
		got, err := decodeEvent(state.ID{}, kept(state.ID{}, c.told))
		require.NoError(t, err)
		requireSame(t, c.want, with(got, event.Stamp{}))
	}
	for k := ratchet.Arrived; k.String() != "no event"; k++ {
		switch k {
		case ratchet.LeavePending, ratchet.Withheld, ratchet.Misled, ratchet.Alone, ratchet.EpochsGivenUp, ratchet.StatementRefused,
			ratchet.TicketCut: // docs/EVENTS.md says why
			require.False(t, isKept(ratchet.Event{Kind: k}), k)
		default:
			require.True(t, isKept(ratchet.Event{Kind: k, Link: link}), k)
		}
	}
	require.Nil(t, kept(state.ID{}, state.ForgetFailed{}))
	require.False(t, isKept(state.Damaged{}))
}

// The ID of a message depends on its writer, so that nobody writes under that of another's, and on all that it says.
func TestMessageID(t *testing.T) {
	c := newContent(time.UnixMilli(1_700_000_000_123), []byte("hello"))
	got, err := parseContent(c.encode())
	require.NoError(t, err)
	require.Equal(t, c, got)
	one, err := ratchet.NewSpace(time.Now(), rules.Policy{}, nil)
	require.NoError(t, err)
	other, err := ratchet.NewSpace(time.Now(), rules.Policy{}, nil)
	require.NoError(t, err)
	id := c.id(one.ID(), ratchet.Info(one).Key)
	require.Equal(t, id, got.id(one.ID(), ratchet.Info(one).Key))
	require.NotEqual(t, id, c.id(one.ID(), ratchet.Info(other).Key))
	require.NotEqual(t, id, c.id(other.ID(), ratchet.Info(one).Key))
	got.body = []byte("another text under the same nonce")
	require.NotEqual(t, id, got.id(one.ID(), ratchet.Info(one).Key))
	for _, b := range [][]byte{nil, {0}, {2}, c.encode()[:contentHeader-1]} {
		_, err := parseContent(b)
		require.Error(t, err)
	}
}

// A fingerprint has sixty digits, and none if there is nothing to compare; a scanned code is right, another one, or no fingerprint.
func TestFingerprintForPeople(t *testing.T) {
	a, b := Fingerprint{1}, Fingerprint{2}
	require.Empty(t, Fingerprint{}.String())
	require.Regexp(t, `^(\d{5} ){11}\d{5}$`, a.String())
	require.NotEqual(t, a.String(), b.String())
	require.NoError(t, a.Check(a.QR()))
	require.ErrorIs(t, a.Check(b.QR()), ErrDiffers)
	require.ErrorIs(t, Fingerprint{}.Check(Fingerprint{}.QR()), ErrDiffers, "nothing to compare is not alike")
	require.ErrorIs(t, a.Check(nil), ratchet.ErrMalformed)
	require.ErrorIs(t, a.Check(append(a.QR(), 0)), ratchet.ErrMalformed)
	newer := a.QR()
	newer[0]++
	require.ErrorIs(t, a.Check(newer), state.ErrTooNew)
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
