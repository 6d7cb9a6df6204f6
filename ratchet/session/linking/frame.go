package linking

import (
	"bytes"
	"crypto/rand"

	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/aead"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
)

// step says what a frame brings.
type step uint8

const (
	sayHello step = 1 // the further device: its keys
	reveal   step = 2 // the first device: its keys, which the code is a commitment to
	confirm  step = 3 // the further device: its payload
	grant    step = 4 // the first device: its payload
	finished step = 5 // the further device
)

const frameVersion = 1

// Frame returns what this device has to say now, and nothing if it has nothing to say. To say it again does no harm, and is what brings
// a linking on whose frames were lost. Each call seals it anew.
func (l Linking) Frame() ([]byte, error) {
	var s step
	payload := l.sent
	switch {
	case l.phase == Ended, l.first && l.phase == Done, l.first && l.theirs == nil:
		return nil, nil
	case l.first && l.sent == nil:
		return l.code.seal(reveal, l.ours), nil
	case l.first:
		s = grant
	case l.phase == Done:
		s, payload = finished, nil
	case l.sent != nil:
		s = confirm
	default:
		return l.code.seal(sayHello, l.ours), nil
	}
	other, err := parseHello(l.theirs)
	if err != nil {
		return nil, err
	}
	box, err := other.seal(payload, l.own.signing.Sign(statement(s, l.transcript(), payload)))
	if err != nil {
		return nil, err
	}
	return l.code.seal(s, box), nil
}

// seal seals what is said against all who do not have the code, the relay for one.
func (c code) seal(s step, body []byte) []byte {
	place := c.place()
	out := append([]byte{frameVersion}, make([]byte, aead.NonceSize)...)
	nonce := out[1:]
	rand.Read(nonce)
	return c.frameKey().Seal(out, nonce, append([]byte{byte(s)}, body...), place[:])
}

// open opens a frame. It returns ErrIgnored for what was not sealed with the code.
func (c code) open(frame []byte) (s step, body []byte, err error) {
	r := wire.NewReader(frame)
	r.Version8(frameVersion, frameVersion)
	nonce := r.Fixed(aead.NonceSize)
	sealed := r.Rest()
	if err := r.Done(); err != nil {
		return 0, nil, err
	}
	place := c.place()
	plain, ok := c.frameKey().Open(nil, nonce, sealed, place[:])
	if !ok || len(plain) == 0 {
		return 0, nil, ErrIgnored
	}
	return step(plain[0]), plain[1:], nil
}

func (c code) frameKey() aead.Key { return aead.New(secret.Own(hash("frames", c.secret[:]))) }

const boxInfo = "trefoil linking"

// seal seals a payload and its signature to the other device.
func (h hello) seal(payload, signature []byte) ([]byte, error) {
	w := wire.NewWriter(4 + len(payload) + key.SignatureSize)
	w.Vec32(payload)
	w.Fixed(signature)
	return h.kem.Seal(boxInfo, w.Bytes())
}

// open opens what the other device sealed to this one.
func (k keys) open(box []byte) (payload, signature []byte, err error) {
	opened, err := k.kem.Open(boxInfo, box)
	if err != nil {
		return nil, nil, err
	}
	r := wire.NewReader(opened)
	payload, signature = r.Vec32(MaxPayload), r.Fixed(key.SignatureSize)
	return payload, signature, r.Done()
}

// statement is what a payload is signed over: with all that was compared.
func statement(s step, transcript, payload []byte) []byte {
	return append([]byte("trefoil linking statement\x00"), hash("statement", []byte{byte(s)}, transcript, payload)...)
}

// Receive takes a frame in. It returns ErrIgnored for one that brings nothing, whoever made it, ErrTwice and the linking that has
// ended if two devices used the code, and state.ErrTooNew for one of a later release.
func (l Linking) Receive(frame []byte) (Linking, error) {
	s, body, err := l.code.open(frame)
	switch {
	case err != nil:
		return l, err
	case l.phase == Ended:
		return l, ErrIgnored
	case l.first != (s == sayHello || s == confirm || s == finished):
		return l, ErrIgnored // its own, or one that is not for it
	}
	switch s {
	case sayHello, reveal:
		return l.met(s, body)
	case confirm, grant, finished:
		return l.told(s, body)
	}
	return l, ErrIgnored
}

// met takes in what the other device says of itself.
func (l Linking) met(s step, body []byte) (Linking, error) {
	if l.theirs != nil {
		if s == sayHello && !bytes.Equal(l.theirs, body) && l.phase == Comparing {
			return l.End(), ErrTwice
		}
		return l, ErrIgnored
	}
	h, err := parseHello(body)
	if err != nil || h.person.IsZero() != l.first || l.phase != Waiting {
		return l, ErrIgnored
	}
	if s == reveal && !l.code.fits(body) {
		return l, ErrIgnored
	}
	l.theirs, l.phase = body, Comparing
	if !l.first {
		l.person = h.person
	}
	return l, nil
}

// told takes in what was sealed to this device, if the other one signed it.
func (l Linking) told(s step, body []byte) (Linking, error) {
	if l.theirs == nil || l.phase == Done {
		return l, ErrIgnored
	}
	other, err := parseHello(l.theirs)
	if err != nil {
		return l, err
	}
	payload, signature, err := l.own.open(body)
	if err != nil || other.signing.Verify(statement(s, l.transcript(), payload), signature) != nil {
		return l, ErrIgnored
	}
	switch {
	case s == confirm && l.got == nil && len(payload) > 0:
		l.got = payload
	case s == grant && l.phase == Confirmed && len(payload) > 0:
		l.got, l.phase = payload, Done
	case s == finished && l.Granted():
		l.phase, l.sent, l.got = Done, nil, nil // what it sent holds seeds of links
	default:
		return l, ErrIgnored
	}
	return l, nil
}
