package trefoil

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"math"
	"time"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/event"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/ratchet/session"
	"github.com/trefoil-im/trefoil/ratchet/session/linking"
	"github.com/trefoil-im/trefoil/state"
)

// noticeVersion is the version of the encoding of events that are no messages. No message of package ratchet begins so.
const noticeVersion = 0xff02

// kind says which event a notice is. The numbers are part of the stored format.
type kind uint8

const (
	kindJoined kind = iota + 1
	kindRefused
	kindArrived
	kindLeft
	kindRemoved
	kindConflict
	kindUnread
	kindGivenUp
	kindRejected
	kindNotSent
	kindStillWaiting
	kindHint
	kindLetInGone
	kindTitleChanged
	kindProfileChanged
	kindLinkGiven
	kindKeyChanged
	kindResynced
	kindImpersonated
	kindLost
	kindMailboxNotRead
	kindDevicesChanged
	kindRekeyed
	kindLinkDigits
	kindLinked
	kindLinkEnded
	kindOwnersChanged
	kindRoleChanged
	kindPolicyChanged
	kindHandedOver
	kindDeviceInvited
	kindSpaceAwaited
	kindInviteDead
	kinds
)

// reasons are the errors that events name. Their places are part of the stored format.
var reasons = []error{
	1: ratchet.ErrInviteDead, 2: ratchet.ErrInviteTaken, 3: ratchet.ErrLost, 4: ratchet.ErrForged, 5: ratchet.ErrRemoved,
	6: ratchet.ErrPhase, 7: ratchet.ErrTooLong, 8: state.ErrTooNew, 9: state.ErrTooOld, 10: ratchet.ErrMalformed,
	11: ratchet.ErrHintExpired, 12: ratchet.ErrHintClosed, 13: ratchet.ErrHintOldCounter, 14: ratchet.ErrHintNotListed,
	15: ratchet.ErrHintOwnerNeeded, 16: session.ErrUnverified, 17: linking.ErrDigits, 18: linking.ErrTwice, 19: linking.ErrExpired,
	20: ErrNobody, 21: ratchet.ErrPolicy, 22: dkg.ErrExhausted,
}

// malformed is the reason of everything that is none of them.
const malformed = 10

// reasonOf returns the first of the reasons that err is, malformed if it is none, and 0 for nil.
func reasonOf(err error) uint8 {
	if err == nil {
		return 0
	}
	for i, r := range reasons {
		if r != nil && errors.Is(err, r) {
			return uint8(i)
		}
	}
	return malformed
}

// maxReason bounds the words of a relay that an event keeps, in bytes.
const maxReason = 1 << 10

// notice is the stored form of every event but messages: whatever one of them has.
type notice struct {
	kind   kind
	id     event.ID
	index  dkg.Index
	own    bool
	reason uint8
	count  uint32
	time   int64 // in milliseconds since 1970
	text   string
	about  event.ID
}

// encodeNotice returns how an event lies in the inbox, with a fresh ID.
func encodeNotice(e event.Event) []byte {
	n := noticeOf(e)
	rand.Read(n.id[:])
	return n.encode()
}

func noticeOf(e event.Event) (n notice) {
	switch e := e.(type) {
	case event.Joined:
		n.kind = kindJoined
	case event.Refused:
		n.kind, n.reason = kindRefused, reasonOf(e.Reason)
	case event.Arrived:
		n.kind, n.index = kindArrived, e.Index
	case event.Left:
		n.kind, n.index = kindLeft, e.Index
	case event.Removed:
		n.kind = kindRemoved
	case event.Conflict:
		n.kind, n.index, n.own = kindConflict, e.Index, e.Own
	case event.Unread:
		n.kind, n.reason = kindUnread, reasonOf(e.Reason)
	case event.GivenUp:
		n.kind, n.count = kindGivenUp, uint32(min(e.Frames, math.MaxInt32))
	case event.Rejected:
		n.kind, n.text = kindRejected, e.Reason[:min(len(e.Reason), maxReason)]
	case event.Rekeyed:
		n.kind, n.count = kindRekeyed, uint32(min(e.Members, math.MaxInt32))
	case event.DevicesChanged:
		n.kind, n.count = kindDevicesChanged, uint32(min(e.Devices, math.MaxInt32))
	case event.NotSent:
		n.kind, n.about, n.reason = kindNotSent, e.Message, reasonOf(e.Reason)
	case event.LinkDigits:
		n.kind, n.text = kindLinkDigits, e.Digits
	case event.Linked:
		n.kind = kindLinked
	case event.DeviceInvited:
		n.kind, n.reason = kindDeviceInvited, reasonOf(e.Reason)
	case event.SpaceAwaited:
		n.kind, n.reason, n.text = kindSpaceAwaited, reasonOf(e.Reason), string(e.Space[:])+e.Title[:min(len(e.Title), maxTitle)]
	case event.LinkEnded:
		n.kind, n.reason = kindLinkEnded, reasonOf(e.Reason)
	case event.StillWaiting:
		n.kind, n.time = kindStillWaiting, e.Since.UnixMilli()
	case event.Hint:
		n.kind, n.reason = kindHint, reasonOf(e.Reason)
	case event.LetInGone:
		n.kind, n.index = kindLetInGone, e.Index
	case event.InviteDead:
		n.kind, n.index = kindInviteDead, e.Index
	case event.TitleChanged:
		n.kind = kindTitleChanged
	case event.OwnersChanged:
		n.kind = kindOwnersChanged
	case event.RoleChanged:
		n.kind, n.index = kindRoleChanged, e.Index
	case event.PolicyChanged:
		n.kind = kindPolicyChanged
	case event.HandedOver:
		n.kind, n.index = kindHandedOver, e.Index
	case event.ProfileChanged:
		n.kind, n.index = kindProfileChanged, e.Index
	case event.LinkGiven:
		n.kind, n.text = kindLinkGiven, string(e.Link.Bytes())
	case event.KeyChanged:
		n.kind, n.index = kindKeyChanged, e.Index
	case event.Resynced:
		n.kind, n.index = kindResynced, e.Index
	case event.Impersonated:
		n.kind = kindImpersonated
	case event.Lost:
		n.kind, n.count = kindLost, uint32(min(e.Messages, math.MaxInt32))
	case event.MailboxNotRead:
		n.kind, n.time = kindMailboxNotRead, e.Since.UnixMilli()
	}
	return n
}

func (n notice) encode() []byte {
	w := wire.NewWriter(64 + len(n.text))
	w.U16(noticeVersion)
	w.U8(uint8(n.kind))
	w.Fixed(n.id[:])
	w.U32(uint32(n.index))
	w.Bool(n.own)
	w.U8(n.reason)
	w.U32(n.count)
	w.U64(uint64(n.time))
	w.Vec16([]byte(n.text))
	w.Fixed(n.about[:])
	return w.Bytes()
}

// decodeEvent reads an item of the inbox of a chat: a message of package ratchet, or a notice.
func decodeEvent(chat state.ID, b []byte) (event.Event, error) {
	switch {
	case len(b) > 0 && b[0] == arrivedVersion>>8:
		return decodeArrived(chat, b)
	case len(b) == 0 || b[0] != noticeVersion>>8:
		return decodeMessage(chat, b)
	}
	n, err := parseNotice(b)
	if err != nil {
		return nil, err
	}
	return n.event(event.Stamp{Chat: chat, ID: n.id}), nil
}

func parseNotice(b []byte) (n notice, err error) {
	r := wire.NewReader(b)
	r.Version16(noticeVersion, noticeVersion)
	n.kind = kind(r.U8())
	r.Into(n.id[:])
	n.index, n.own, n.reason, n.count = dkg.Index(r.U32()), r.Bool(), r.U8(), r.U32()
	n.time = int64(r.U64())
	n.text = string(r.Vec16(len(state.ID{}) + max(maxReason, maxTitle)))
	r.Into(n.about[:])
	if n.kind < kindJoined || n.kind >= kinds || int(n.reason) >= len(reasons) {
		r.Fail("unknown kind or reason")
	}
	if n.kind == kindSpaceAwaited && len(n.text) < len(state.ID{}) {
		r.Fail("space")
	}
	if err := r.Done(); err != nil || n.kind != kindLinkGiven {
		return n, err
	}
	if _, err := invite.FromBytes([]byte(n.text)); err != nil {
		r.Fail("link")
	}
	return n, r.Err()
}

func (n notice) event(at event.Stamp) event.Event {
	reason := reasons[n.reason]
	switch n.kind {
	case kindJoined:
		return event.Joined{Stamp: at}
	case kindRefused:
		return event.Refused{Stamp: at, Reason: reason}
	case kindArrived:
		return event.Arrived{Stamp: at, Index: n.index}
	case kindLeft:
		return event.Left{Stamp: at, Index: n.index}
	case kindRemoved:
		return event.Removed{Stamp: at}
	case kindConflict:
		return event.Conflict{Stamp: at, Index: n.index, Own: n.own}
	case kindUnread:
		return event.Unread{Stamp: at, Reason: reason}
	case kindGivenUp:
		return event.GivenUp{Stamp: at, Frames: int(n.count)}
	case kindRejected:
		return event.Rejected{Stamp: at, Reason: n.text}
	case kindRekeyed:
		return event.Rekeyed{Stamp: at, Members: int(n.count)}
	case kindDevicesChanged:
		return event.DevicesChanged{Stamp: at, Devices: int(n.count)}
	case kindNotSent:
		return event.NotSent{Stamp: at, Message: n.about, Reason: reason}
	}
	return n.laterEvent(at, reason)
}

// laterEvent returns the events of whom this device waits for, of members, and of itself.
func (n notice) laterEvent(at event.Stamp, reason error) event.Event {
	switch n.kind {
	case kindLinkDigits:
		return event.LinkDigits{Stamp: at, Digits: n.text}
	case kindLinked:
		return event.Linked{Stamp: at}
	case kindDeviceInvited:
		return event.DeviceInvited{Stamp: at, Reason: reason}
	case kindSpaceAwaited:
		return event.SpaceAwaited{Stamp: at, Space: state.ID([]byte(n.text[:len(state.ID{})])), Title: n.text[len(state.ID{}):], Reason: reason}
	case kindLinkEnded:
		return event.LinkEnded{Stamp: at, Reason: reason}
	case kindStillWaiting:
		return event.StillWaiting{Stamp: at, Since: time.UnixMilli(n.time)}
	case kindHint:
		return event.Hint{Stamp: at, Reason: reason}
	case kindLetInGone:
		return event.LetInGone{Stamp: at, Index: n.index}
	case kindInviteDead:
		return event.InviteDead{Stamp: at, Index: n.index}
	case kindTitleChanged:
		return event.TitleChanged{Stamp: at}
	case kindOwnersChanged:
		return event.OwnersChanged{Stamp: at}
	case kindRoleChanged:
		return event.RoleChanged{Stamp: at, Index: n.index}
	case kindPolicyChanged:
		return event.PolicyChanged{Stamp: at}
	case kindHandedOver:
		return event.HandedOver{Stamp: at, Index: n.index}
	case kindProfileChanged:
		return event.ProfileChanged{Stamp: at, Index: n.index}
	case kindLinkGiven:
		l, _ := invite.FromBytes([]byte(n.text)) // parseNotice looked
		return event.LinkGiven{Stamp: at, Link: l}
	case kindKeyChanged:
		return event.KeyChanged{Stamp: at, Index: n.index}
	case kindResynced:
		return event.Resynced{Stamp: at, Index: n.index}
	case kindImpersonated:
		return event.Impersonated{Stamp: at}
	case kindLost:
		return event.Lost{Stamp: at, Messages: int(n.count)}
	}
	return event.MailboxNotRead{Stamp: at, Since: time.UnixMilli(n.time)}
}

// content is what a message holds as its members see it: u8(1) ‖ nonce ‖ u64(ms since 1970) ‖ body.
type content struct {
	nonce [16]byte
	sent  time.Time
	body  []byte
}

const (
	contentVersion = 1
	contentHeader  = 1 + 16 + 8
)

// MaxBody is the length of the longest body of a message, in bytes.
const MaxBody = ratchet.MaxPlaintext - contentHeader

// newContent returns what is written now.
func newContent(now time.Time, body []byte) content {
	c := content{sent: now, body: body}
	rand.Read(c.nonce[:])
	return c
}

func (c content) encode() []byte {
	w := wire.NewWriter(contentHeader + len(c.body))
	w.U8(contentVersion)
	w.Fixed(c.nonce[:])
	w.U64(uint64(c.sent.UnixMilli()))
	w.Fixed(c.body)
	return w.Bytes()
}

// parseContent returns state.ErrTooOld, state.ErrTooNew or wire.ErrMalformed.
func parseContent(b []byte) (c content, err error) {
	r := wire.NewReader(b)
	r.Version8(contentVersion, contentVersion)
	r.Into(c.nonce[:])
	c.sent = time.UnixMilli(int64(r.U64()))
	c.body = r.Rest()
	return c, r.Done()
}

// id returns the ID of the message, which has one before it was encrypted. It covers its writer's key, so that nobody can write under
// the ID of another's, and all that it holds, so that one ID never stands for two texts; the nonce keeps who has the ID alone from
// guessing the text.
func (c content) id(chat state.ID, from ratchet.PublicKey) (id event.ID) {
	w := wire.NewWriter(160 + len(c.body))
	w.Fixed([]byte("trefoil message"))
	w.Fixed(chat[:])
	w.Vec16(from.Bytes())
	w.Fixed(c.encode())
	h := sha256.Sum256(w.Bytes())
	return event.ID(h[:16])
}

// decodeMessage reads a message as package ratchet left it in the inbox. One whose content cannot be read is Unread.
func decodeMessage(chat state.ID, b []byte) (event.Event, error) {
	m, err := ratchet.ParseMessage(b)
	if err != nil {
		return nil, err
	}
	c, err := parseContent(m.Plaintext)
	if err != nil {
		h := sha256.Sum256(b)
		return event.Unread{Stamp: event.Stamp{Chat: chat, ID: event.ID(h[:16])}, Reason: reasons[reasonOf(err)]}, nil
	}
	return event.Message{
		Stamp: event.Stamp{Chat: chat, ID: c.id(chat, m.SenderKey)}, From: m.SenderKey, Index: m.Sender, Own: m.Own, AfterRemoval: m.AfterRemoval, Sent: c.sent,
		Body: c.body,
	}, nil
}
