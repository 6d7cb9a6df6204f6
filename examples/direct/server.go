package main

import (
	"errors"

	"github.com/trefoil-im/trefoil/ratchet/session"
)

// server is what all devices can reach. It is not trusted: what it hands out is signed, what it carries is sealed.
type server struct {
	registrations map[session.Address][]byte
	shelves       map[string]session.Shelf // by the identity of the device
	mailboxes     map[session.Address][][]byte
}

func newServer() *server {
	return &server{
		registrations: make(map[session.Address][]byte),
		shelves:       make(map[string]session.Shelf),
		mailboxes:     make(map[session.Address][][]byte),
	}
}

// publish takes a person's registration. A real server checks the signature too, so that nobody can erase another's.
func (s *server) publish(person session.Address, registration []byte) error {
	r, err := session.ParseRegistration(registration)
	if err != nil {
		return err
	}
	if _, err := r.Verify(person); err != nil {
		return err
	}
	s.registrations[person] = registration
	return nil
}

func name(k session.PublicKey[session.Identity]) string { return string(k.Bytes()) }

// stock takes a device's bundle and one-time pre-keys.
func (s *server) stock(device session.PublicKey[session.Identity], b session.Bundle, keys []session.OneTimePreKey) error {
	shelf, err := session.NewShelf(b).Stock(keys...)
	if err != nil {
		return err
	}
	s.shelves[name(device)] = shelf
	return nil
}

// claim hands a one-time pre-key out, if there is one left.
func (s *server) claim(device session.PublicKey[session.Identity]) (session.OneTimePreKey, bool) {
	next, key, err := s.shelves[name(device)].Claim()
	if err != nil {
		return session.OneTimePreKey{}, false
	}
	s.shelves[name(device)] = next
	return key, true
}

var errUnknown = errors.New("nobody of that address is registered")

// peers looks a person's devices up, as far as signatures reach: the registration must be the person's own, each bundle
// its device's.
func (s *server) peers(person session.Address) ([]session.Peer, error) {
	raw, ok := s.registrations[person]
	if !ok {
		return nil, errUnknown
	}
	r, err := session.ParseRegistration(raw)
	if err != nil {
		return nil, err
	}
	verified, err := r.Verify(person)
	if err != nil {
		return nil, err
	}
	peers := verified.Peers()
	for i, p := range peers {
		shelf, ok := s.shelves[name(p.Identity())]
		if !ok {
			continue // a device of the deployed messenger
		}
		if peers[i], err = verified.Trefoil(shelf.Bundle()); err != nil {
			return nil, err
		}
	}
	return peers, nil
}

func (s *server) post(to session.Address, frame []byte) {
	s.mailboxes[to] = append(s.mailboxes[to], frame)
}

// fetch takes everything out of a mailbox. Whoever cannot deal with a frame puts it back.
func (s *server) fetch(mailbox session.Address) [][]byte {
	frames := s.mailboxes[mailbox]
	delete(s.mailboxes, mailbox)
	return frames
}
