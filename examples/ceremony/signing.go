package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/dkg/frost"
	"github.com/trefoil-im/trefoil/dkg/threshold"
)

// name names owners: a member proposes, the people look at what they are asked to sign and sign it over the space, and the first
// of them puts it in place.
func (s *story) name(owners []*person, people ...*person) error {
	want := make([]dkg.Index, len(owners))
	for i, o := range owners {
		want[i] = o.place
	}
	slices.Sort(want)
	first := people[0]
	space := first.client.Space(first.space)
	message, err := space.ProposeOwners(s.ctx, want...)
	if err != nil {
		return err
	}
	if err := first.say(s.ctx, proposal, message); err != nil {
		return err
	}
	if err := s.settle(people); err != nil {
		return err
	}
	for _, p := range people {
		asked := p.last(proposal, first)
		named, err := p.client.Space(p.space).ProposedOwners(s.ctx, asked)
		if err != nil {
			return err
		}
		if !slices.Equal(named, want) {
			return fmt.Errorf("%s is asked to name %v", p.name, named)
		}
	}
	sig, err := s.signOver(message, people)
	if err != nil {
		return err
	}
	if err := first.client.Space(first.space).PutOwners(s.ctx, message, sig); err != nil {
		return err
	}
	return s.settle(people)
}

// signOver makes a signature with the shares of the root owner key, over the space. The last person's program ends between the rounds: its
// nonce is gone, and all commit anew.
func (s *story) signOver(message []byte, people []*person) ([]byte, error) {
	if _, err := s.commit(people); err != nil {
		return nil, err
	}
	s.note("%s's program ends between the rounds: the nonce is gone, and all commit anew", people[len(people)-1].name)
	nonces, err := s.commit(people)
	if err != nil {
		return nil, err
	}
	for i, p := range people {
		packet, err := p.packet(s.ctx, message, people)
		if err != nil {
			return nil, err
		}
		z, err := nonces[i].Sign(packet)
		if err != nil {
			return nil, err
		}
		if err := p.say(s.ctx, part, z.Bytes()); err != nil {
			return nil, err
		}
	}
	if err := s.settle(people); err != nil {
		return nil, err
	}
	first := people[0]
	packet, err := first.packet(s.ctx, message, people)
	if err != nil {
		return nil, err
	}
	var parts []frost.SignatureShare
	for _, p := range people {
		z, err := frost.ParseSignatureShare(first.last(part, p))
		if err != nil {
			return nil, err
		}
		if z.Index() != p.party.Index {
			return nil, fmt.Errorf("%s speaks for somebody else", p.name)
		}
		parts = append(parts, z)
	}
	return packet.Aggregate(parts)
}

// commit is the first round of signing. The nonces that it returns exist here alone.
func (s *story) commit(people []*person) (nonces []*frost.Nonce, err error) {
	for _, p := range people {
		share, err := p.rootShare(s.ctx)
		if err != nil {
			return nil, err
		}
		n, c := frost.Commit(share)
		nonces = append(nonces, n)
		if err := p.say(s.ctx, commitment, c.Bytes()); err != nil {
			return nil, err
		}
	}
	return nonces, s.settle(people)
}

// last returns what a person heard last of a kind from another one.
func (p *person) last(kind byte, from *person) []byte {
	for _, h := range slices.Backward(p.heard) {
		if h.kind == kind && h.from == from.place {
			return h.body
		}
	}
	return nil
}

// settle lets everybody read and answer, each in a program that was opened anew.
func (s *story) settle(people []*person) error {
	for range 4 {
		for _, p := range people {
			if err := p.sync(s.ctx); err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
		}
	}
	return nil
}

// holdersOf returns who holds a share of the key of a person.
func holdersOf(share threshold.Share) []threshold.Index { return share.Key().Terms().Holders }

// packet returns the message with the commitments that the person heard, each from whom it names.
func (p *person) packet(ctx context.Context, message []byte, people []*person) (frost.Package, error) {
	share, err := p.rootShare(ctx)
	if err != nil {
		return frost.Package{}, err
	}
	var commitments []frost.Commitment
	for _, from := range people {
		c, err := frost.ParseCommitment(p.last(commitment, from))
		if err != nil {
			return frost.Package{}, err
		}
		if c.Index() != from.party.Index {
			return frost.Package{}, fmt.Errorf("%s speaks for somebody else", from.name)
		}
		commitments = append(commitments, c)
	}
	return frost.NewPackage(share.Key(), message, commitments)
}
