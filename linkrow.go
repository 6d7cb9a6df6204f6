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

// entrance is how a further device comes into a space.
type entrance struct {
	link           invite.Link
	vouch, profile []byte
}

const maxEntrances = 4096 // of at most 1.4 KB each, of which MaxPayload bounds the sum

// encodeEntrances returns what the first device sends: u8(1) ‖ u16(number) ‖ (vec16(link) ‖ vec16(vouch) ‖ vec16(profile))….
func encodeEntrances(all []entrance) []byte {
	w := wire.NewWriter(3 + len(all)*512)
	w.U8(1)
	w.U16(uint16(len(all)))
	for _, e := range all {
		w.Vec16(e.link.Bytes())
		w.Vec16(e.vouch)
		w.Vec16(e.profile)
	}
	return w.Bytes()
}

func parseEntrances(b []byte) (all []entrance, err error) {
	r := wire.NewReader(b)
	r.Version8(1, 1)
	n := int(r.U16())
	if n > maxEntrances {
		r.Fail("number of spaces")
	}
	for i := 0; i < n && r.Err() == nil; i++ {
		text := r.Vec16(256)
		e := entrance{vouch: r.Vec16(512), profile: r.Vec16(ratchet.MaxApplicationData)}
		if r.Err() != nil {
			break
		}
		if e.link, err = invite.FromBytes(text); err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	return all, r.Done()
}

// entranceFor is how long a further device may take to come into a space.
const entranceFor = 7 * 24 * time.Hour

// roomForEntrances is how many bytes of entrances fit a frame, less the longest one and what is around them. Spaces for which there is no
// room are left out.
func (c *Client) roomForEntrances() int {
	room := linking.MaxPayload
	if c.o.MaxFrame > 0 {
		room = min(room, c.o.MaxFrame)
	}
	return room - aroundEntrances
}

// aroundEntrances is the longest entrance, of 1.4 KB, and the seal of a frame, of 1.3 KB, with room.
const aroundEntrances = 4 << 10
