package trefoil

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"math"
	"time"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/ratchet/session"
	"github.com/trefoil-im/trefoil/state"
)

// noticeVersion is the version of the encoding of events that are no messages. No message of package ratchet begins so.
const noticeVersion = 0xff01

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
	kindDevicesChanged
)

// reasons are the errors that events name. Their places are part of the stored format.
var reasons = []error{
	1: ratchet.ErrInviteDead, 2: ratchet.ErrInviteTaken, 3: ratchet.ErrLost, 4: ratchet.ErrForged, 5: ratchet.ErrRemoved,
	6: ratchet.ErrPhase, 7: ratchet.ErrTooLong, 8: state.ErrTooNew, 9: state.ErrTooOld, 10: session.ErrUnverified, 11: ratchet.ErrMalformed,
}

// reasonOf returns the first of the reasons that err is. Everything else is malformed.
func reasonOf(err error) uint8 {
	for i, r := range reasons {
		if r != nil && errors.Is(err, r) {
			return uint8(i)
		}
	}
	return uint8(len(reasons) - 1)
}

// maxReason bounds the words of a relay that an event keeps, in bytes.
const maxReason = 1 << 10

// notice is the stored form of every event but messages: whatever one of them has.
type notice struct {
	kind   kind
	id     EventID
	index  dkg.Index
	own    bool
	reason uint8
	count  uint32
	text   string
	about  EventID
}

// encodeNotice returns how an event lies in the inbox, with a fresh ID.
func encodeNotice(e Event) []byte {
	n := noticeOf(e)
	rand.Read(n.id[:])
	return n.encode()
}

func noticeOf(e Event) (n notice) {
	switch e := e.(type) {
	case Joined:
		n.kind = kindJoined
	case Refused:
		n.kind, n.reason = kindRefused, reasonOf(e.Reason)
	case Arrived:
		n.kind, n.index = kindArrived, e.Index
	case Left:
		n.kind, n.index = kindLeft, e.Index
	case Removed:
		n.kind = kindRemoved
	case Conflict:
		n.kind, n.index, n.own = kindConflict, e.Index, e.Own
	case Unread:
		n.kind, n.reason = kindUnread, reasonOf(e.Reason)
	case GivenUp:
		n.kind, n.count = kindGivenUp, uint32(min(e.Frames, math.MaxInt32))
	case Rejected:
		n.kind, n.text = kindRejected, e.Reason[:min(len(e.Reason), maxReason)]
	case DevicesChanged:
		n.kind, n.count = kindDevicesChanged, uint32(min(e.Devices, math.MaxInt32))
	case NotSent:
		n.kind, n.about, n.reason = kindNotSent, e.Message, reasonOf(e.Reason)
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
	w.Vec16([]byte(n.text))
	w.Fixed(n.about[:])
	return w.Bytes()
}

// decodeEvent reads an item of the inbox of a chat: a message of package ratchet, or a notice.
func decodeEvent(chat state.ID, b []byte) (Event, error) {
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
	return n.event(Stamp{chat, n.id}), nil
}

func parseNotice(b []byte) (n notice, err error) {
	r := wire.NewReader(b)
	r.Version16(noticeVersion, noticeVersion)
	n.kind = kind(r.U8())
	r.Into(n.id[:])
	n.index, n.own, n.reason, n.count = dkg.Index(r.U32()), r.Bool(), r.U8(), r.U32()
	n.text = string(r.Vec16(maxReason))
	r.Into(n.about[:])
	if n.kind < kindJoined || n.kind > kindDevicesChanged || int(n.reason) >= len(reasons) {
		r.Fail("unknown kind or reason")
	}
	return n, r.Done()
}

func (n notice) event(at Stamp) Event {
	reason := reasons[n.reason]
	switch n.kind {
	case kindJoined:
		return Joined{at}
	case kindRefused:
		return Refused{at, reason}
	case kindArrived:
		return Arrived{at, n.index}
	case kindLeft:
		return Left{at, n.index}
	case kindRemoved:
		return Removed{at}
	case kindConflict:
		return Conflict{at, n.index, n.own}
	case kindUnread:
		return Unread{at, reason}
	case kindGivenUp:
		return GivenUp{at, int(n.count)}
	case kindRejected:
		return Rejected{at, n.text}
	case kindDevicesChanged:
		return DevicesChanged{at, int(n.count)}
	}
	return NotSent{at, n.about, reason}
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

// id returns the ID of the message. It holds its writer's key, so that nobody can write under the ID of another's.
func (c content) id(chat state.ID, from ratchet.PublicKey) (id EventID) {
	w := wire.NewWriter(160)
	w.Fixed([]byte("trefoil message"))
	w.Fixed(chat[:])
	w.Vec16(from.Bytes())
	w.Fixed(c.nonce[:])
	h := sha256.Sum256(w.Bytes())
	return EventID(h[:16])
}

// decodeMessage reads a message as package ratchet left it in the inbox. One whose content cannot be read is Unread.
func decodeMessage(chat state.ID, b []byte) (Event, error) {
	m, err := ratchet.ParseMessage(b)
	if err != nil {
		return nil, err
	}
	c, err := parseContent(m.Plaintext)
	if err != nil {
		h := sha256.Sum256(b)
		return Unread{Stamp{chat, EventID(h[:16])}, reasons[reasonOf(err)]}, nil
	}
	return Message{
		Stamp: Stamp{chat, c.id(chat, m.SenderKey)}, From: m.SenderKey, Index: m.Sender, Own: m.Own, Verified: m.Verified, Sent: c.sent, Body: c.body,
	}, nil
}
