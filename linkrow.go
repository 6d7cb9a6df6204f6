package trefoil

import (
	"time"

	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/ratchet/session"
	"github.com/trefoil-im/trefoil/ratchet/session/directory"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/ratchet/session/linking"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
)

// linkRow is what a device stores of the linking of a further device to a person.
type linkRow struct {
	linking.Linking
	// device holds the keys of the further device, which begin to count when the linking is done. They are drawn when it confirms.
	device session.Device
	posted time.Time // when it said last what it has to say
}

type storedLink = state.One[linkRow]

// linkTx is a transaction on a linking.
type linkTx = *state.Tx[storedLink]

// StoredAs says that a linking is stored apart from sessions.
func (linkRow) StoredAs() store.Kind { return store.Linkings }

// Succeeds implements state.Part.
func (l linkRow) Succeeds(prev linkRow) error { return l.Linking.Succeeds(prev.Linking) }

const linkRowVersion = 1

// Encode implements state.Part.
func (l linkRow) Encode(e *state.Encoder) {
	e.Version(linkRowVersion)
	l.Linking.Encode(e)
	e.Int64(l.posted.UnixMilli())
	e.Bool(!l.device.IsZero())
	if !l.device.IsZero() {
		l.device.Encode(e)
	}
}

// Decode implements state.Part.
func (linkRow) Decode(in *state.Decoder) (l linkRow, err error) {
	in.Version(linkRowVersion, linkRowVersion)
	if l.Linking, err = l.Linking.Decode(in); err != nil {
		return linkRow{}, err
	}
	l.posted = time.UnixMilli(in.Int64())
	if in.Bool() {
		l.device, err = l.device.Decode(in)
	}
	return l, err
}

// further is what a device says of itself that wants to belong to a person.
type further struct {
	entry   directory.Entry
	bundle  directory.Bundle
	consent []byte
}

// maxBundle bounds a bundle, which takes 2,690 bytes.
const maxBundle = 4 << 10

// asksToBelong is what the further device sends: u8(1) ‖ entry of a registration ‖ vec16(bundle) ‖ consent.
func asksToBelong(d session.Device) ([]byte, error) {
	e := d.Entry()
	mailbox := e.Mailbox()
	bundle, err := d.Bundle().MarshalBinary()
	if err != nil {
		return nil, err
	}
	w := wire.NewWriter(3072)
	w.U8(1)
	w.Fixed(e.Identity().Bytes())
	w.Fixed(e.PreKey().Bytes())
	w.Fixed(mailbox[:])
	w.Fixed(e.Inbox().Bytes())
	w.Vec16(bundle)
	w.Fixed(d.Sign(e.Consent(d.Person())))
	return w.Bytes(), nil
}

func parseAsks(b []byte) (f further, err error) {
	r := wire.NewReader(b)
	r.Version8(1, 1)
	identity, preKey := r.Fixed(key.PublicKeySize), r.Fixed(key.PublicKeySize)
	var mailbox key.Address
	r.Into(mailbox[:])
	inbox, bundle := r.Fixed(key.PublicKeySize), r.Vec16(maxBundle)
	f.consent = r.Fixed(key.SignatureSize)
	if err := r.Done(); err != nil {
		return further{}, err
	}
	i, err := key.ParsePublicKey[key.Identity](identity)
	if err != nil {
		return further{}, err
	}
	p, err := key.ParsePublicKey[key.PreKey](preKey)
	if err != nil {
		return further{}, err
	}
	x, err := key.ParsePublicKey[key.Inbox](inbox)
	if err != nil {
		return further{}, err
	}
	f.entry = directory.NewEntry(i, p, mailbox, x)
	f.bundle, err = directory.ParseBundle(bundle)
	return f, err
}

// awaited is a space into which a further device is to come, for which there is no invite yet; or, with a reason, none will be.
type awaited struct {
	space  state.ID
	title  []byte
	reason error
}

const (
	maxEntrances = 4096 // of at most 1.4 KB each, of which MaxPayload bounds the sum
	maxTitle     = 1 << 10
)

// entering is what the first device tells a further one of the spaces that it is to come into.
type entering struct {
	invited []ratchet.Entrance
	waits   []awaited
}

// encode returns u8(1) ‖ u16(number) ‖ (vec16(link) ‖ vec16(vouch) ‖ vec16(profile))… ‖ u16(number) ‖ (space ‖ vec16(title) ‖ u8(reason))….
func (x entering) encode() []byte {
	w := wire.NewWriter(5 + len(x.invited)*512 + len(x.waits)*64)
	w.U8(1)
	w.U16(uint16(len(x.invited)))
	for _, e := range x.invited {
		w.Vec16(e.Link.Bytes())
		w.Vec16(e.Vouch)
		w.Vec16(e.Profile)
	}
	w.U16(uint16(len(x.waits)))
	for _, a := range x.waits {
		w.Fixed(a.space[:])
		w.Vec16(a.title)
		w.U8(reasonOf(a.reason))
	}
	return w.Bytes()
}

func parseEntering(b []byte) (x entering, err error) {
	r := wire.NewReader(b)
	r.Version8(1, 1)
	for range number(r, maxEntrances) {
		text := r.Vec16(256)
		e := ratchet.Entrance{Vouch: r.Vec16(512), Profile: r.Vec16(ratchet.MaxApplicationData)}
		if r.Err() != nil {
			break
		}
		if e.Link, err = invite.FromBytes(text); err != nil {
			return entering{}, err
		}
		x.invited = append(x.invited, e)
	}
	for range number(r, maxEntrances) {
		var a awaited
		r.Into(a.space[:])
		a.title = r.Vec16(maxTitle)
		reason := r.U8()
		if int(reason) >= len(reasons) {
			r.Fail("reason")
		}
		if r.Err() != nil {
			break
		}
		a.reason = reasons[reason]
		x.waits = append(x.waits, a)
	}
	return x, r.Done()
}

// number reads how many there are of something.
func number(r *wire.Reader, most int) int {
	n := int(r.U16())
	if n > most {
		r.Fail("number of spaces")
	}
	if r.Err() != nil {
		return 0
	}
	return n
}

// roomForEntrances is how many bytes of entrances fit a frame, less the longest one and what is around them. Spaces for which there is no
// room come later, by the session of the two devices.
func (c *Client) roomForEntrances() int {
	room := linking.MaxPayload
	if c.o.MaxFrame > 0 {
		room = min(room, c.o.MaxFrame)
	}
	return room - aroundEntrances
}

// aroundEntrances is the longest entrance, of 1.4 KB, and the seal of a frame, of 1.3 KB, with room.
const aroundEntrances = 4 << 10
