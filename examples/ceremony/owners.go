package main

import (
	"fmt"

	"github.com/trefoil-im/trefoil/dkg/ceremony"
)

// owners tells of a space whose root owner key four people hold, and whose only owner loses her device.
func (s *story) owners(people []*person) error {
	ann, others := people[0], people[1:]
	bob, cem := people[1], people[2]

	s.explain("6. Ann makes a space, and shares its root owner key",
		"Who has this key names the owners. Ann takes it out of her device and deals shares; what she and the others say goes through",
		"the space itself, as messages, and each person's program is opened anew for every step.")
	if err := s.found(ann, others); err != nil {
		return err
	}
	if err := ann.takeRootKey(s.ctx); err != nil {
		return err
	}
	whole, err := ann.rootShare(s.ctx)
	if err != nil {
		return err
	}
	sharing, err := ceremony.NewResharing(ann.space[:], whole.Key(), 3, parties(people[:1]), parties(people))
	if err != nil {
		return err
	}
	if err := s.holdOver(sharing, people); err != nil {
		return err
	}
	share, err := ann.rootShare(s.ctx)
	if err != nil {
		return err
	}
	s.note("any %d of %v sign, Ann holds the whole key: %v", share.Key().Threshold(), holdersOf(share), share.Equal(whole))
	lost := share

	s.explain("7. Ann loses her device, the only one of an owner",
		"Bob, Cem and Dora look at the list that Bob proposes, sign it, and Bob puts it in place. He was no owner before.")
	if err := s.name([]*person{bob, cem}, others...); err != nil {
		return err
	}
	if err := s.tellOwners(others); err != nil {
		return err
	}

	s.explain("8. Ann comes back",
		"Bob removes the lost device and invites her new one. The others reshare the key, with her and without the lost share, and she",
		"signs the next list with Bob and Cem.")
	if err := bob.client.Space(bob.space).Remove(s.ctx, ann.place); err != nil {
		return err
	}
	anew, err := s.newPerson("Ann's new device", 5)
	if err != nil {
		return err
	}
	if err := s.join(bob, anew, others); err != nil {
		return err
	}
	all := append([]*person{anew}, others...)
	if share, err = bob.rootShare(s.ctx); err != nil {
		return err
	}
	resharing, err := ceremony.NewResharing(bob.space[:], share.Key(), 3, parties(others), parties(all))
	if err != nil {
		return err
	}
	if err := s.holdOver(resharing, all); err != nil {
		return err
	}
	if share, err = anew.rootShare(s.ctx); err != nil {
		return err
	}
	s.note("any %d of %v sign with the same key: %v, the lost share is one of theirs: %v", share.Key().Threshold(), holdersOf(share),
		string(share.Key().Public()) == string(lost.Key().Public()), share.Key().Holds(lost.Index()))
	if err := s.name([]*person{anew, bob, cem}, bob, cem, anew); err != nil {
		return err
	}
	return s.tellOwners(all)
}

// found makes a space of several people.
func (s *story) found(founder *person, others []*person) error {
	if err := founder.sync(s.ctx); err != nil {
		return err
	}
	space, err := founder.client.NewSpace(s.ctx)
	if err != nil {
		return err
	}
	if err := founder.enter(s.ctx, space.ID()); err != nil {
		return err
	}
	for i, p := range others {
		if err := s.join(founder, p, others[:i]); err != nil {
			return err
		}
	}
	return nil
}

// join lets somebody into the space.
func (s *story) join(owner, p *person, others []*person) error {
	if err := owner.invites(s.ctx, p); err != nil {
		return err
	}
	if err := s.settle(append([]*person{owner, p}, others...)); err != nil {
		return err
	}
	return p.enter(s.ctx, owner.space)
}

// holdOver runs a ceremony over the space, and gives each person the share that came out.
func (s *story) holdOver(setup ceremony.Setup, people []*person) error {
	for _, p := range people {
		if err := p.trusts(s.ctx, setup); err != nil {
			return err
		}
		share, err := p.rootShare(s.ctx)
		if err != nil {
			return err
		}
		if err := p.begin(s.ctx, setup, share); err != nil {
			return err
		}
	}
	for said := true; said; {
		said = false
		for _, p := range people {
			messages, err := p.says(s.ctx, setup)
			if err != nil {
				return err
			}
			for _, m := range messages {
				said = true
				if err := p.say(s.ctx, ofCeremony, m); err != nil {
					return err
				}
			}
		}
		if err := s.settle(people); err != nil {
			return err
		}
	}
	for _, p := range people {
		r, err := p.load(s.ctx, setup)
		if err != nil {
			return err
		}
		result, err := r.Result()
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		if err := p.keep(s.ctx, result.Share); err != nil {
			return err
		}
	}
	return nil
}

// tellOwners says who the owners are, which all must see alike.
func (s *story) tellOwners(people []*person) error {
	if err := s.settle(people); err != nil {
		return err
	}
	first := ""
	for _, p := range people {
		members, err := p.client.Space(p.space).Members(s.ctx)
		if err != nil {
			return err
		}
		owners := ""
		for _, m := range members {
			if m.Owner {
				owners += " " + string(m.Profile)
			}
		}
		if first == "" {
			first = owners
		}
		if owners != first {
			return fmt.Errorf("%s sees other owners:%s, not%s", p.name, owners, first)
		}
	}
	s.note("owners, as all see it:%s", first)
	return nil
}
