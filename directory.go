package trefoil

import (
	"context"
	"fmt"

	"github.com/trefoil-im/trefoil/ratchet/session/directory"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
)

// Directory is where devices publish their public keys and look up those of others; a relay has one. It is not trusted: a client
// verifies what it returns, so it can withhold devices and can make none up. Its methods are called by several goroutines at
// once, and return when their context ends.
type Directory interface {
	// Lookup returns what a person has published, or the zero Listing if it is nobody, or was deleted.
	Lookup(ctx context.Context, person key.Address) (Listing, error)

	// Claim returns a one-time pre-key of a device, the same to nobody else, or false if there is none left.
	Claim(ctx context.Context, person key.Address, device key.PublicKey[key.Identity]) (directory.OneTimePreKey, bool, error)

	// Publish takes what has changed of a person and a device, all or nothing, and returns how many one-time pre-keys of the device
	// are left. Publishing the same twice is no error. A registration of any Version but the next one is refused: another device was
	// faster, and is not in it. A client subscribes to its mailbox, and then publishes before it brings its first line up, so that a relay
	// knows who logs in.
	Publish(ctx context.Context, p Publication) (left int, err error)
}

// Listing is what a directory knows of a person.
type Listing struct {
	Registration []byte             // of the person's devices: directory.ParseRegistration reads it
	Version      uint64             // of the registration: how many there were
	Bundles      []directory.Bundle // of the devices
}

// Publication is what a device publishes.
type Publication struct {
	Person       key.VerifyKey               // whose Registration or deletion it is; zero if nothing of it changes
	Sign         func(message []byte) []byte // signs what the relay wants to have proved, by the key of Person; nil if that is zero
	Registration []byte                      // nil if it is published already
	Deleted      bool                        // the person is taken out of the directory, for good: beside it only Person, Sign and Version count
	Version      uint64                      // of Registration, or of the deletion: one more than that of the Listing that it was made from
	Bundle       directory.Bundle
	OneTime      []directory.OneTimePreKey // beside those that are there

	// Further is the bundle of another device that is new in Registration, and Consent what its mailbox key states of it
	// (directory.Entry.Consent). They are the zero Bundle and nil if none is.
	Further directory.Bundle
	Consent []byte
}

// person returns what a person has published, verified, with the listing that it is from. It is false if the directory knows nobody.
func (d *directs) person(ctx context.Context, who key.Address) (directory.Person, Listing, bool, error) {
	l, err := d.lookup.Lookup(ctx, who)
	if err != nil || len(l.Registration) == 0 {
		return directory.Person{}, l, false, err
	}
	r, err := directory.ParseRegistration(l.Registration)
	if err != nil {
		return directory.Person{}, l, false, fmt.Errorf("trefoil: registration of %v: %w", who, err)
	}
	p, err := r.Verify(who)
	if err != nil {
		return directory.Person{}, l, false, fmt.Errorf("trefoil: registration of %v: %w", who, err)
	}
	return p, l, true, nil
}

// peers returns the devices of a person that have a bundle. To one without, only the classic suite reaches, which this package
// does not speak: who withholds a bundle withholds the device.
func (d *directs) peers(ctx context.Context, who key.Address) ([]directory.Peer, error) {
	_, all, err := d.devicesOf(ctx, who)
	return all, err
}

// devicesOf returns a person, the zero Person if it is nobody, and what peers returns.
func (d *directs) devicesOf(ctx context.Context, who key.Address) (p directory.Person, all []directory.Peer, err error) {
	p, l, ok, err := d.person(ctx, who)
	if err != nil || !ok {
		return directory.Person{}, nil, err
	}
	for _, b := range l.Bundles {
		peer, err := p.WithBundle(b)
		if err != nil {
			return directory.Person{}, nil, fmt.Errorf("trefoil: a bundle of %v: %w", who, err)
		}
		all = append(all, peer)
	}
	return p, all, nil
}

// claim returns a peer with a one-time pre-key if there is one.
func (d *directs) claim(ctx context.Context, p directory.Peer) (directory.Peer, error) {
	o, ok, err := d.lookup.Claim(ctx, p.Person(), p.Identity())
	if err != nil || !ok {
		return p, err
	}
	return p.WithOneTime(o)
}

// signer is the Signer of a client.
type signer struct{ d *directs }

// Device implements Signer.
func (s signer) Device(ctx context.Context) (key.Address, key.PublicKey[key.Identity], error) {
	if _, err := s.d.self(ctx); err != nil {
		return key.Address{}, key.PublicKey[key.Identity]{}, err
	}
	own, err := s.d.devices.Load(ctx, s.d.endpoint.Device)
	if err != nil {
		return key.Address{}, key.PublicKey[key.Identity]{}, err
	}
	return own.Part().Person(), own.Part().Name(), nil
}

// Sign implements Signer.
func (s signer) Sign(ctx context.Context, mailbox key.Address, statement []byte) (key.VerifyKey, []byte, error) {
	if _, err := s.d.self(ctx); err != nil {
		return key.VerifyKey{}, nil, err
	}
	return s.d.endpoint.Sign(ctx, mailbox, statement)
}
