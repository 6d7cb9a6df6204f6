package session

import (
	"fmt"
	"slices"

	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/session/directory"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/gaps"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/ratchet/session/keypair"
)

// notice is how a device says that it does not read all that another one sends (SPEC §18.8).
type notice struct {
	number   uint64 // ascending among the notices of a pair
	person   key.Address
	identity key.PublicKey[key.Identity]
	mailbox  key.VerifyKey        // whose address is that of the device in the registration
	sessions [][seenNameSize]byte // that the device can read
	above    uint64               // it has read no message above this number,
	missing  []gaps.Range         // nor any of these, in ascending order
	signed   [key.SignatureSize]byte
}

// noticeVersion is the version of a notice.
const noticeVersion = 1

func (n notice) body() []byte {
	w := wire.NewWriter(512)
	w.U8(noticeVersion)
	w.U64(n.number)
	w.Fixed(n.person[:])
	w.Fixed(n.identity.Bytes())
	w.Fixed(n.mailbox.Bytes())
	w.U8(uint8(len(n.sessions)))
	for _, s := range n.sessions {
		w.Fixed(s[:])
	}
	w.U64(n.above)
	w.U8(uint8(len(n.missing)))
	for _, r := range n.missing {
		w.U64(r.From)
		w.U64(r.To)
	}
	return w.Bytes()
}

func (n notice) marshal() []byte { return append(n.body(), n.signed[:]...) }

// said returns what is signed: the notice, and whom it is for.
func (n notice) said(to key.Address, device key.PublicKey[key.Identity]) []byte {
	b := append([]byte(labelNotice+"\x00"), to[:]...)
	return append(append(b, device.Bytes()...), n.body()...)
}

func (n notice) sign(to key.Address, device directory.Entry, mailbox keypair.SigningKey) notice {
	n.signed = [key.SignatureSize]byte(mailbox.Sign(n.said(to, device.Identity())))
	return n
}

// parseNotice reads what marshal returns.
func parseNotice(b []byte) (n notice, err error) {
	in := wire.NewReader(b)
	in.Version8(noticeVersion, noticeVersion)
	n.number = in.U64()
	in.Into(n.person[:])
	identity, mailbox := in.Fixed(key.PublicKeySize), in.Fixed(key.VerifyKeySize)
	for range in.U8() {
		var name [seenNameSize]byte
		if in.Into(name[:]); len(n.sessions) == maxSessions {
			in.Fail("sessions of a notice")
			break
		}
		n.sessions = append(n.sessions, name)
	}
	n.above = in.U64()
	before := uint64(0)
	for range in.U8() {
		r := gaps.Range{From: in.U64(), To: in.U64()}
		if len(n.missing) == maxMissing || r.From <= before || r.To < r.From || r.To > n.above {
			in.Fail("missing messages of a notice")
			break
		}
		before = r.To
		n.missing = append(n.missing, r)
	}
	in.Into(n.signed[:])
	if err := in.Done(); err != nil {
		return notice{}, key.Malformed(err)
	}
	if n.identity, err = key.ParsePublicKey[key.Identity](identity); err != nil {
		return notice{}, err
	}
	if n.mailbox, err = key.ParseVerifyKey(mailbox); err != nil {
		return notice{}, err
	}
	return n, nil
}

// heed takes in a notice of the peer's. What follows from it is done by Maintain.
func (s side) heed(plain []byte) (side, error) {
	n, err := parseNotice(plain)
	switch {
	case err != nil:
		return s, err
	case n.person != s.peer || !n.identity.Equal(s.device.Identity()) || n.mailbox.Address() != s.device.Mailbox():
		return s, fmt.Errorf("%w: a notice by another device", ErrUnverified)
	case s.said == 0: // from a stranger, so that nobody makes a device begin a session
		return s, fmt.Errorf("%w: a notice by a device that nothing was sent to", ErrUnverified)
	}
	if err := n.mailbox.Verify(n.said(s.own.person, s.own.identity.Public()), n.signed[:]); err != nil {
		return s, err
	}
	if n.number <= s.heard {
		return s, fmt.Errorf("%w: notice", ErrReplayed)
	}
	s.heard = n.number
	s.again = s.log.Missing(n.missing, n.above)
	s.unheard = !n.readsIn(s.sessions) || s.isInVain() && !s.sessions.list[0].awaitingReply // nobody has written in an unanswered one
	s.asked = s.unheard || len(s.again) > 0
	s.moves++
	return s, nil
}

// readsIn reports whether the device that wrote the notice can read what is sent on the first of some sessions.
func (n notice) readsIn(s sessions) bool {
	return len(s.list) > 0 && slices.Contains(n.sessions, nameOf(s.list[0].ephemeral))
}
