package session

import (
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/state"
)

// Session is what a Vault[Session] holds: one slot for each pair of devices, however often the session in it is replaced. A
// person's devices have a slot each.
type Session = state.One[Pair]

// SlotID names the slot of a device and a person's device. It stays the same for as long as both exist. The person is part
// of it: anybody can register a device that is somebody else's, and shall not take its slot with that.
func SlotID(d Device, person Address, identity PublicKey[Identity]) state.ID {
	b := append([]byte(labelSlot+"\x00"), d.identity.public.encoding[:]...)
	b = append(b, person[:]...)
	return sha256.Sum256(append(b, identity.encoding[:]...))
}

// New returns the slot for a device and a peer, without a session. Create it in the vault when either side wants to begin;
// if it exists already, nothing is lost. When it is the other side that claims to begin, let Decrypt try first: anybody can
// claim, and a slot stays.
func New(d Device, peer Peer) (Session, error) {
	if peer.person.IsZero() || d.identity.IsZero() || peer.entry.identity.Equal(d.identity.public) {
		return Session{}, fmt.Errorf("%w: a session needs two devices", ErrNotReady)
	}
	p := Pair{
		person: d.person, self: d.identity.public, peer: peer.person, device: peer.entry,
		mailbox: GenerateSigningKey(), inbox: GenerateKey[Inbox](), pinned: deployed,
	}
	if peer.IsTrefoil() {
		p.pinned = hybrid
	}
	return state.NewOne(SlotID(d, peer.person, peer.entry.identity), p)
}

// Initiate begins a session with a peer, or replaces the one there is by one of a newer generation, which what is sent
// from now on goes through; those before still read what is in flight, and where either side reads stays the same. Nothing
// is sent yet: every message carries the initialization until an answer was read.
//
// It returns ErrUnverified if the peer is another one, or is given without the bundle that it was known with before: there
// is no falling back to a weaker form.
func Initiate(s Session, d Device, peer Peer) (Session, error) {
	next, err := s.Part().initiate(d, peer)
	if err != nil {
		return s, err
	}
	return s.With(next), nil
}

// Outgoing is a frame and the mailbox it is for.
type Outgoing struct {
	To    Address
	Frame []byte
}

// Encrypt returns the frame for a message of at most MaxPlaintext bytes. It returns ErrNotReady if there is no session: see
// Initiate. Save the next value before the frame leaves; the outbox of a vault does that.
func Encrypt(s Session, plaintext []byte) (Session, Outgoing, error) {
	if len(plaintext) > MaxPlaintext {
		return s, Outgoing{}, fmt.Errorf("%w: message is too long", ErrNotReady)
	}
	next, out, err := s.Part().encrypt(plaintext)
	if err != nil {
		return s, Outgoing{}, err
	}
	return s.With(next), out, nil
}

func (p Pair) encrypt(plaintext []byte) (Pair, Outgoing, error) {
	if len(p.threads) == 0 {
		return p, Outgoing{}, fmt.Errorf("%w: no session", ErrNotReady)
	}
	t := p.threads[0]
	content := plaintext
	if t.form == hybrid {
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
	if t.form == deployed {
		t.introduce = false // the deployed peer expects it once
	}
	return p.replace(0, t), Outgoing{to, f.marshal()}, nil
}

// frame puts a message of a thread into the frame that the other side expects.
func (p Pair) frame(t thread, m Message) (f frame, to Address, err error) {
	out := initiation{ephemeral: t.ephemeral, person: p.person, identity: p.self, route: p.home(), offer: t.offer, message: m}
	target := p.route
	if target.isZero() {
		target = route{p.device.mailbox, p.device.inbox}
	}
	switch {
	case t.unanswered && t.form == hybrid:
		f.kind, to = frameInitiation, p.device.mailbox
		f.box, err = seal(t.ephemeralPrivate(), p.device.inbox, out.marshal())
	case t.unanswered:
		f.kind, to = frameDeployed, p.device.mailbox
		f.box, err = seal(t.ephemeralPrivate(), p.device.inbox, out.jsonWith(p.mailbox))
	case t.form == hybrid:
		f.kind, to = frameMessage, target.mailbox
		f.message = m
	case t.introduce:
		f.kind, to = frameDeployed, target.mailbox
		f.box, err = Seal(target.inbox, out.jsonWith(p.mailbox))
	default:
		f.kind, to = frameDeployed, target.mailbox
		f.box, err = Seal(target.inbox, m.JSON())
	}
	return f, to, err
}

// Received is what a frame said.
type Received struct {
	Plaintext []byte
	Began     bool   // the frame began a session; frames that came before it may be readable now
	Spent     uint32 // the one-time pre-key that it used up, 0 for none: see Device.Spend
	turned    bool   // it began a new chain of the peer's
}

// Decrypt reads a frame from the peer, that came to the device's mailbox or to the pair's. Every error but that for a wrong
// device carries a verdict. No failure changes anything, whatever the frame; an initialization replaces a session only
// when its message was read.
func Decrypt(s Session, d Device, in []byte) (Session, Received, error) {
	p := s.Part()
	if !d.identity.public.Equal(p.self) {
		return s, Received{}, fmt.Errorf("%w: another device's session", ErrNotReady)
	}
	f, err := parseFrame(in)
	if err != nil {
		return s, Received{}, err
	}
	next, r, err := p.decrypt(d, f)
	if err != nil {
		return s, Received{}, err
	}
	return s.With(next), r, nil
}

func (p Pair) decrypt(d Device, f frame) (Pair, Received, error) {
	if f.kind == frameMessage {
		next, _, r, err := p.read(f.message)
		return next, r, err
	}
	plain, err := p.open(d, f)
	if err != nil {
		return p, Received{}, err
	}
	i, err := f.initiation(plain)
	switch {
	case err == errNoInitiation:
		m, err := ParseMessageJSON(plain)
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
func (p Pair) open(d Device, f frame) ([]byte, error) {
	if f.kind == frameInitiation {
		return f.box.Open(d.inbox)
	}
	first, second := p.inbox, d.inbox
	if len(p.threads) == 0 || p.knows(f.box.ephemeral) {
		first, second = second, first
	}
	plain, err := f.box.Open(first)
	if err != nil {
		plain, err = f.box.Open(second)
	}
	return plain, err
}

// DeployedSession is what the deployed client holds of a session: its ratchet, the ephemeral key of whoever began it, the
// keys of the inbox that it reads answers in, and where it sends its own, which is zero if it was not told yet.
type DeployedSession struct {
	Ephemeral   PublicKey[Ephemeral]
	Ratchet     Ratchet // see ParseRatchetJSON
	Mailbox     SigningKey
	Inbox       PrivateKey[Inbox]
	PeerMailbox Address
	PeerInbox   PublicKey[Inbox]
}

// Import returns the slot for a device and a peer with a session taken over from the deployed client. That client must not
// go on using it.
func Import(d Device, peer Peer, from DeployedSession) (Session, error) {
	s, err := New(d, peer)
	if err != nil {
		return Session{}, err
	}
	if from.Mailbox.IsZero() || from.Inbox.IsZero() {
		return Session{}, fmt.Errorf("%w: a session without an inbox", ErrNotReady)
	}
	t, err := newThread(deployed, 1, from.Ephemeral, from.Ratchet)
	if err != nil {
		return Session{}, err
	}
	t.unanswered = as[step](from.Ephemeral).Equal(from.Ratchet.public)
	p := s.Part()
	p.pinned = deployed
	p.mailbox, p.inbox = from.Mailbox, from.Inbox
	p.route = route{from.PeerMailbox, from.PeerInbox}
	return s.With(p.with(t)), nil
}

// Between devices that run trefoil a flag stands before the text of every message, and where to answer behind it as long as
// the other side may not know.
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
	b = append(append(append(b, contentRoute), home.mailbox[:]...), home.inbox.encoding[:]...)
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
		return route{}, nil, malformed(err)
	}
	return r, text, nil
}

// Opener returns the function that reads frames of a session inside Vault.Receive: it delivers their texts to the inbox.
// When one used up a one-time pre-key it emits OneTimeSpent.
func Opener(d Device) state.Opener[Session] {
	return func(tx *state.Tx[Session], f state.Frame) error {
		s := tx.Value()
		next, r, err := Decrypt(s, d, f.Data)
		switch {
		case errors.Is(err, errAhead):
			tx.Set(s.With(s.Part().waiting()))
			return err
		case err != nil:
			return err
		}
		tx.Set(next)
		tx.Deliver(r.Plaintext)
		if r.Began || r.turned || next.Part().ahead {
			tx.RetryRetained()
		}
		if r.Spent != 0 {
			tx.Emit(OneTimeSpent{d.Identity(), r.Spent})
		}
		return nil
	}
}

// OneTimeSpent is the event of a session that used a one-time pre-key up. Let Device.Spend follow.
type OneTimeSpent struct {
	Device PublicKey[Identity]
	ID     uint32
}

// Event implements state.Event.
func (e OneTimeSpent) Event() string {
	return fmt.Sprintf("one-time pre-key %d of %v is used up", e.ID, e.Device)
}

// String implements state.Event.
func (e OneTimeSpent) String() string { return e.Event() }
