package session

import (
	"fmt"

	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/box"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/double"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/frame"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
)

func (p Pair) encrypt(plaintext []byte) (Pair, Outgoing, error) {
	if len(p.sessions) == 0 || p.restored {
		return p, Outgoing{}, fmt.Errorf("%w: no session to send on", ErrNotReady)
	}
	t := p.sessions[0]
	content := plaintext
	if t.suite == hybrid {
		content = p.content(t.introduce, plaintext)
	}
	r, m, err := t.ratchet.Encrypt(content)
	if err != nil {
		return p, Outgoing{}, err
	}
	f, to, err := p.frame(t, m)
	if err != nil {
		return p, Outgoing{}, err
	}
	t.ratchet = r
	if t.suite == classic {
		t.introduce = false // the deployed client expects it once
	}
	return p.replace(0, t), Outgoing{to, f.Marshal()}, nil
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

func (p Pair) decrypt(d Device, f frame.Frame) (Pair, Received, error) {
	if f.Kind == frame.Message {
		next, _, r, err := p.read(f.Message)
		return next, r, err
	}
	plain, err := p.open(d, f)
	if err != nil {
		return p, Received{}, err
	}
	i, err := readInitiation(f, plain)
	switch {
	case err == errNoInitiation:
		m, err := double.ParseMessageJSON(plain)
		if err != nil {
			return p, Received{}, err
		}
		next, _, r, err := p.read(m)
		return next, r, err
	case err != nil:
		return p, Received{}, err
	}
	return p.readInitiation(d, i)
}

// open opens the box of a frame with the key of the inbox that it most likely came to, or else with the other one.
func (p Pair) open(d Device, f frame.Frame) ([]byte, error) {
	if f.Kind == frame.Initiation {
		return f.Box.Open(d.inbox)
	}
	first, second := p.inbox, d.inbox
	if len(p.sessions) == 0 || p.knows(f.Box.Ephemeral()) {
		first, second = second, first
	}
	plain, err := f.Box.Open(first)
	if err != nil {
		plain, err = f.Box.Open(second)
	}
	return plain, err
}

// In the hybrid suite a flag stands before the text of every message. While the other side may not know where to answer, that
// follows the flag.
const (
	contentRoute    = 1
	contentOverhead = 1 + routeSize
)

func (p Pair) content(introduce bool, plaintext []byte) []byte {
	b := make([]byte, 0, contentOverhead+len(plaintext))
	if !introduce {
		return append(append(b, 0), plaintext...)
	}
	home := p.home()
	b = append(append(append(b, contentRoute), home.mailbox[:]...), home.inbox.Bytes()...)
	return append(b, plaintext...)
}

func parseContent(b []byte) (r route, text []byte, err error) {
	in := wire.NewReader(b)
	switch in.U8() {
	case contentRoute:
		r = readRoute(in)
	case 0:
	default:
		in.Fail("flags of a message")
	}
	text = in.Rest()
	if err := in.Done(); err != nil {
		return route{}, nil, key.Malformed(err)
	}
	return r, text, nil
}
