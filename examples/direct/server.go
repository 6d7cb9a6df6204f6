package main

import (
	"context"

	"github.com/trefoil-im/trefoil/ratchet/session/directory"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
)

// server is what all devices can reach. It holds public keys only, and is not trusted: what it hands out is signed, what it
// carries is sealed.
type server struct {
	registrations map[key.Address][]byte
	preKeys       map[string]directory.PreKeys // by the identity of the device
	mailboxes     map[key.Address][][]byte
}

func newServer() *server {
	return &server{
		registrations: make(map[key.Address][]byte),
		preKeys:       make(map[string]directory.PreKeys),
		mailboxes:     make(map[key.Address][][]byte),
	}
}

// publish takes a person's registration. It checks the signature, so that nobody can erase the registration of another person.
func (s *server) publish(person key.Address, registration []byte) error {
	r, err := directory.ParseRegistration(registration)
	if err != nil {
		return err
	}
	if _, err := r.Verify(person); err != nil {
		return err
	}
	s.registrations[person] = registration
	return nil
}

func name(k key.PublicKey[key.Identity]) string { return string(k.Bytes()) }

// stock takes a device's bundle and one-time pre-keys.
func (s *server) stock(device key.PublicKey[key.Identity], b directory.Bundle, keys []directory.OneTimePreKey) error {
	held, err := directory.NewPreKeys(b).Add(keys...)
	if err != nil {
		return err
	}
	s.preKeys[name(device)] = held
	return nil
}

// claim returns a peer with a one-time pre-key, if there is one left.
func (s *server) claim(_ context.Context, p directory.Peer) (directory.Peer, error) {
	next, claimed, err := s.preKeys[name(p.Identity())].Claim()
	if err != nil {
		return p, nil // it works without
	}
	s.preKeys[name(p.Identity())] = next
	return p.WithOneTime(claimed)
}

// peers looks a person's devices up, as far as signatures reach: the registration must be the person's own, each bundle
// its device's.
func (s *server) peers(_ context.Context, person key.Address) ([]directory.Peer, error) {
	raw, ok := s.registrations[person]
	if !ok {
		return nil, nil
	}
	r, err := directory.ParseRegistration(raw)
	if err != nil {
		return nil, err
	}
	verified, err := r.Verify(person)
	if err != nil {
		return nil, err
	}
	var bundles []directory.Bundle // of all devices but those of the deployed messenger
	for _, e := range verified.Entries() {
		if held, ok := s.preKeys[name(e.Identity())]; ok {
			bundles = append(bundles, held.Bundle())
		}
	}
	return verified.Peers(bundles...)
}

func (s *server) post(to key.Address, frame []byte) {
	s.mailboxes[to] = append(s.mailboxes[to], frame)
}

// fetch takes everything out of a mailbox. Whoever cannot deal with a frame puts it back.
func (s *server) fetch(mailbox key.Address) [][]byte {
	frames := s.mailboxes[mailbox]
	delete(s.mailboxes, mailbox)
	return frames
}
