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
	switch {
	case l.phase == Ended:
		return nil, nil
	case l.phase == Done && l.first:
		return nil, nil
	case l.phase == Done:
		return l.signed(finished, nil)
	case l.first && l.sent != nil:
		return l.signed(grant, l.sent)
	case l.first && l.theirs != nil:
		return l.frame(reveal, l.hello())
	case l.first:
		return nil, nil
	case l.sent != nil:
		return l.signed(confirm, l.sent)
	}
	return l.frame(sayHello, l.hello())
}

// frame seals what is said under the code.
func (l Linking) frame(s step, body []byte) ([]byte, error) {
	place := l.ID()
	out := append([]byte{frameVersion}, make([]byte, aead.NonceSize)...)
	nonce := out[1:]
	rand.Read(nonce)
	return l.frameKey().Seal(out, nonce, append([]byte{byte(s)}, body...), place[:]), nil
}

// frameKey seals frames against all who do not have the code, the relay for one.
func (l Linking) frameKey() aead.Key { return aead.New(secret.Own(hash("frames", l.secret[:]))) }

// signed seals a payload to the other device, with a signature over all that was compared.
func (l Linking) signed(s step, payload []byte) ([]byte, error) {
	other, err := parseHello(l.theirs)
	if err != nil {
		return nil, err
	}
	w := wire.NewWriter(4 + len(payload) + key.SignatureSize)
	w.Vec32(payload)
	w.Fixed(l.signing.Sign(l.statement(s, payload)))
	box, err := other.kem.Seal(boxInfo, w.Bytes())
	if err != nil {
		return nil, err
	}
	return l.frame(s, box)
}

const boxInfo = "trefoil linking"

// statement is what a payload is signed over.
func (l Linking) statement(s step, payload []byte) []byte {
	return append([]byte("trefoil linking statement\x00"), hash("statement", []byte{byte(s)}, l.transcript(), payload)...)
}

// Receive takes a frame in. It returns ErrIgnored for one that brings nothing, whoever made it, ErrTwice and the linking that has
// ended if two devices used the code, and state.ErrTooNew for one of a later release.
func (l Linking) Receive(frame []byte) (Linking, error) {
	r := wire.NewReader(frame)
	r.Version8(frameVersion, frameVersion)
	nonce := r.Fixed(aead.NonceSize)
	sealed := r.Rest()
	if err := r.Done(); err != nil {
		return l, err
	}
	place := l.ID()
	plain, ok := l.frameKey().Open(nil, nonce, sealed, place[:])
	if !ok || len(plain) == 0 || l.phase == Ended {
		return l, ErrIgnored
	}
	s, body := step(plain[0]), plain[1:]
	if l.first != (s == sayHello || s == confirm || s == finished) {
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
	if s == reveal && !bytes.Equal(hash("commitment", body), l.commitment[:]) {
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
	opened, err := l.kem.Open(boxInfo, body)
	if err != nil {
		return l, ErrIgnored
	}
	r := wire.NewReader(opened)
	payload := r.Vec32(MaxPayload)
	signature := r.Fixed(key.SignatureSize)
	if r.Done() != nil || other.signing.Verify(l.statement(s, payload), signature) != nil {
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
