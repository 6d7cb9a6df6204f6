package trefoil

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
)

// Fingerprint is what people compare when they meet, or in a call in which they know each other's voices. It is alike on two devices
// exactly if both know of the same members, or devices, with the same keys: if it is, no server and nobody else is in between. Messages,
// rekeys and renewed inbox keys do not change it; somebody who comes or goes does. It is no secret. The zero Fingerprint is none.
type Fingerprint [sha256.Size]byte

// groups is how many groups of five digits a fingerprint has for people: 199 bits.
const groups = 12

// String returns 60 digits in twelve groups of five, to be read aloud, or nothing for the zero Fingerprint.
func (f Fingerprint) String() string {
	if f == (Fingerprint{}) {
		return ""
	}
	h := sha512.Sum512(append([]byte("trefoil fingerprint"), f[:]...))
	var out [groups]string
	for i := range out {
		five := binary.BigEndian.Uint64(append(make([]byte, 3), h[5*i:5*i+5]...))
		out[i] = fmt.Sprintf("%05d", five%100_000)
	}
	return strings.Join(out[:], " ")
}

// fingerprintVersion is the first byte of what a QR code of a fingerprint holds.
const fingerprintVersion = 1

// QR returns the 33 bytes for a QR code, which the other device gives to Check.
func (f Fingerprint) QR() []byte { return append([]byte{fingerprintVersion}, f[:]...) }

// Check returns nil if what was scanned is the QR code of this fingerprint. It returns ErrDiffers if it is that of another one,
// state.ErrTooNew or state.ErrTooOld for the code of another release, and ratchet.ErrMalformed for what is no fingerprint.
func (f Fingerprint) Check(scanned []byte) error {
	r := wire.NewReader(scanned)
	r.Version8(fingerprintVersion, fingerprintVersion)
	var other Fingerprint
	r.Into(other[:])
	if err := r.Done(); err != nil {
		return fmt.Errorf("%w: %w", ratchet.ErrMalformed, err)
	}
	if f == (Fingerprint{}) || other != f {
		return ErrDiffers
	}
	return nil
}

// Fingerprint returns the fingerprint of the conversation: of both persons, and of the keys of all their devices. Both see the same, so
// comparing it once compares both ways. It asks the directory, whose answers are verified, and returns ErrNobody if one of
// them is nobody there.
func (d Direct) Fingerprint(ctx context.Context) (Fingerprint, error) {
	self, err := d.client.Person(ctx)
	if err != nil {
		return Fingerprint{}, err
	}
	var both [][]byte
	for _, who := range []key.Address{self, d.with} {
		p, _, ok, err := bodyOf(d.client).directs.person(ctx, who)
		if err != nil {
			return Fingerprint{}, err
		}
		if !ok {
			return Fingerprint{}, ErrNobody
		}
		of := p.Fingerprint()
		both = append(both, of[:])
	}
	if bytes.Compare(both[0], both[1]) > 0 {
		both[0], both[1] = both[1], both[0]
	}
	return sha256.Sum256(bytes.Join([][]byte{[]byte("trefoil direct fingerprint"), both[0], both[1]}, nil)), nil
}
