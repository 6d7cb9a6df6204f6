package directory

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/trefoil-im/trefoil/ratchet/session/key"
)

// Person is a registration that was verified. It is the only source of a Peer.
type Person struct{ r Registration }

// Address names the person.
func (p Person) Address() key.Address { return p.r.user.Address() }

// Entries returns what is registered, for the person itself to sign again with a device more or less.
func (p Person) Entries() []Entry { return slices.Clone(p.r.entries) }

// Fingerprint returns a digest of who the person is and which devices it has: of its signing key, and of the name, identity key and mailbox
// of each device. It is alike exactly if these are. Keys that a device replaces by itself, in its bundle, do not change it; a renewal does.
func (p Person) Fingerprint() [sha256.Size]byte {
	devices := make([][]byte, len(p.r.entries))
	for i, e := range p.r.entries {
		devices[i] = slices.Concat(e.Name().Bytes(), e.identity.Bytes(), e.mailbox[:]) // each of one length
	}
	slices.SortFunc(devices, bytes.Compare)
	address := p.Address()
	return sha256.Sum256(slices.Concat([]byte("trefoil person fingerprint"), address[:], slices.Concat(devices...)))
}

// Peers returns the person's devices: in the hybrid suite those whose bundle is given, in the classic suite the others. It
// returns ErrUnverified if a bundle is not that of one of the devices.
func (p Person) Peers(bundles ...Bundle) ([]Peer, error) {
	out := make([]Peer, len(p.r.entries))
	for i, e := range p.r.entries {
		out[i] = Peer{person: p.Address(), entry: e}
	}
	for _, b := range bundles {
		peer, err := p.WithBundle(b)
		if err != nil {
			return nil, err
		}
		i := slices.IndexFunc(out, func(o Peer) bool { return o.entry.identity.Equal(b.identity) })
		out[i] = peer
	}
	return out, nil
}

// WithBundle returns the device that the bundle belongs to as a peer in the hybrid suite, or ErrUnverified. Once a
// session with it was made, nothing weaker is agreed with it.
func (p Person) WithBundle(b Bundle) (Peer, error) {
	peer, err := p.Peer(b.identity)
	if err != nil {
		return Peer{}, err
	}
	if b.keys.MLKEM == nil || b.mailbox.Address() != peer.entry.mailbox {
		return Peer{}, fmt.Errorf("%w: a bundle signed by another mailbox", key.ErrUnverified)
	}
	if err := b.verify(); err != nil {
		return Peer{}, err
	}
	peer.bundle = &b
	return peer, nil
}

// Peer returns the device of that identity, or ErrUnverified if the registration names none.
func (p Person) Peer(identity key.PublicKey[key.Identity]) (Peer, error) {
	for _, e := range p.r.entries {
		if e.identity.Equal(identity) {
			return Peer{person: p.Address(), entry: e}, nil
		}
	}
	return Peer{}, fmt.Errorf("%w: no such device", key.ErrUnverified)
}
