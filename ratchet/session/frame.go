package session

import (
	"fmt"
	"math"
	"time"

	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/box"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/double"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/frame"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/sentlog"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
)

// encrypt returns the frame for a new message.
func (p Pair) encrypt(now time.Time, plaintext []byte) (Pair, Outgoing, error) {
	next := p
	c := content{text: plaintext}
	if p.IsPostQuantum() {
		if p.said == math.MaxUint64 {
			return p, Outgoing{}, fmt.Errorf("%w: no number for a message", ErrNotReady)
		}
		next.said++
		next.log = p.log.With(sentlog.Text{Number: next.said, Sent: now.UnixMilli(), Bytes: secret.New(plaintext)})
		c.number = next.said
	}
	next, out, err := next.seal(now, c)
	if err != nil {
		return p, Outgoing{}, err
	}
	return next, out, nil
}

// seal returns the frame for a message, which may have been sent before.
func (p Pair) seal(now time.Time, c content) (Pair, Outgoing, error) {
	if len(p.sessions.list) == 0 || p.sessions.restored {
		return p, Outgoing{}, fmt.Errorf("%w: no session to send on", ErrNotReady)
	}
	t := p.sessions.list[0]
	plain := c.text
	if t.suite == hybrid {
		if t.introduce {
			c.route = p.home()
		}
		c.read = p.arrived.Floor()
		if n := p.givenUp(); n > p.peerRead {
			c.givenUp = n
		}
		plain = c.marshal()
	}
	isFirst := !t.ratchet.HasSent()
	r, m, err := t.ratchet.Encrypt(plain)
	if err != nil {
		return p, Outgoing{}, err
	}
	f, to, err := p.frame(t, m)
	if err != nil {
		return p, Outgoing{}, err
	}
	t.ratchet = r
	if t.offer != nil && t.since == 0 {
		t.since = now.UnixMilli()
	}
	if t.suite == classic {
		t.introduce = false // the deployed client expects it once
	}
	out := Outgoing{To: to, Frame: f.Marshal()}
	if t.awaitingReply {
		out.Ephemeral, out.First = t.ephemeral, isFirst
	}
	p.sessions = p.sessions.replace(0, t)
	p.moves++
	return p, out, nil
}

// frame puts a message of a session into the frame that the other side expects.
func (p Pair) frame(t ratchetSession, m double.Message) (f frame.Frame, to key.Address, err error) {
	out := initiation{ephemeral: t.ephemeral, person: p.person, identity: p.identity, route: p.home(), offer: t.offer, message: m}
	target := p.route
	if target.isZero() {
		target = route{p.device.Mailbox(), p.device.Inbox()}
	}
	switch {
	case t.awaitingReply:
		f.Kind, to = frame.Initiation, p.device.Mailbox()
		content := out.marshal
		if t.suite == classic {
			f.Kind, content = frame.Classic, func() []byte { return out.jsonWith(p.mailbox) }
		}
		e, err := t.ephemeralPrivate()
		if err != nil {
			return f, to, err
		}
		f.Box, err = box.SealWith(e, p.device.Inbox(), content())
		return f, to, err
	case t.suite == hybrid:
		f.Kind, to = frame.Message, target.mailbox
		f.Message = m
	case t.introduce:
		f.Kind, to = frame.Classic, target.mailbox
		f.Box, err = box.Seal(target.inbox, out.jsonWith(p.mailbox))
	default:
		f.Kind, to = frame.Classic, target.mailbox
		f.Box, err = box.Seal(target.inbox, m.JSON())
	}
	return f, to, err
}
