package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/trefoil-im/trefoil/dkg/ceremony"
	"github.com/trefoil-im/trefoil/dkg/frost"
	"github.com/trefoil-im/trefoil/dkg/threshold"
	"github.com/trefoil-im/trefoil/transporttest"
)

// story is what the program tells.
type story struct {
	ctx     context.Context
	out     io.Writer
	network *transporttest.Network
	people  []*person
}

func tell(ctx context.Context, out io.Writer) error {
	s := &story{ctx: ctx, out: out, network: transporttest.NewNetwork()}
	for i, name := range []string{"Ann", "Bob", "Cem", "Dora", "Eve"} {
		p, err := s.newPerson(name, threshold.Index(i+1))
		if err != nil {
			return err
		}
		s.people = append(s.people, p)
	}
	return s.tell()
}

func (s *story) newPerson(name string, i threshold.Index) (*person, error) {
	return newPerson(s.ctx, s.network, name, i)
}

func (s *story) explain(title string, lines ...string) {
	fmt.Fprintf(s.out, "\n%s\n\n  %s\n\n", title, strings.Join(lines, "\n  "))
}

func (s *story) note(format string, args ...any) { fmt.Fprintf(s.out, "  "+format+"\n", args...) }

func (s *story) tell() error {
	s.explain("1. A key is made, and Eve cheats",
		"Everybody deals shares of a random number to everybody; the key is the sum. Eve shows Bob other",
		"commitments than the rest.")
	first, err := ceremony.NewGeneration([]byte("treasury of the club"), 3, parties(s.people))
	if err != nil {
		return err
	}
	eve := s.people[4]
	second, err := ceremony.Begin(first, eve.identity, threshold.Share{})
	if err != nil {
		return err
	}
	eve.cheat = second.Messages()[0]
	if err := s.hold(first, s.people); err != nil {
		return err
	}
	cheaters, err := s.judge(first, s.people[:4])
	if err != nil {
		return err
	}

	s.explain("2. The others make the key without her",
		"Her two signatures convict her before anybody, so all leave her out. The indices stay as they are.")
	again, err := first.Without(cheaters...)
	if err != nil {
		return err
	}
	people := s.people[:4]
	if err := s.hold(again, people); err != nil {
		return err
	}
	key, err := s.collect(again, people)
	if err != nil {
		return err
	}
	s.note("key %x…, any %d of %v sign", key.Public()[:8], key.Threshold(), key.Terms().Holders)

	s.explain("3. The shares are refreshed",
		"New shares of the same key. Whoever stole two shares before has nothing that is worth anything now.")
	before := people[0].share
	refresh, err := ceremony.NewRefresh(nil, key, parties(people))
	if err != nil {
		return err
	}
	if err := s.hold(refresh, people); err != nil {
		return err
	}
	fresh, err := s.collect(refresh, people)
	if err != nil {
		return err
	}
	s.note("same public key: %v, same share of Ann: %v, generation %d", string(fresh.Public()) == string(key.Public()),
		people[0].share.Equal(before), fresh.Terms().Generation)

	s.explain("4. Dora loses her share",
		"Three others give it back. They learn nothing of it, and she learns nothing of theirs.")
	dora := people[3]
	lost := dora.share
	dora.share = threshold.Share{}
	repair, err := ceremony.NewRepair(nil, fresh, dora.party, parties(people[:3]))
	if err != nil {
		return err
	}
	if err := s.hold(repair, people); err != nil {
		return err
	}
	if _, err := s.collect(repair, people[3:]); err != nil {
		return err
	}
	s.note("Dora has the share that she lost: %v", dora.share.Equal(lost))

	s.explain("5. Three people sign", "Nobody ever holds the whole key. The signature is an ordinary Ed448 signature.")
	message := []byte("pay 100 to the gardener")
	sig, err := sign(fresh, message, people[0], people[2], people[3])
	if err != nil {
		return err
	}
	s.note("%q signed by Ann, Cem and Dora, valid under the key of step 2: %v", message, key.Verify(message, sig))
	return s.owners(people)
}

func parties(people []*person) (out []ceremony.Party) {
	for _, p := range people {
		out = append(out, p.party)
	}
	return out
}

// hold runs a ceremony until nobody has anything more to say.
func (s *story) hold(setup ceremony.Setup, people []*person) error {
	for _, p := range people {
		if err := p.begin(s.ctx, setup, p.share); err != nil {
			return err
		}
	}
	for said := true; said; {
		said = false
		for _, from := range people {
			messages, err := from.says(s.ctx, setup)
			if err != nil {
				return err
			}
			for _, message := range messages {
				said = true
				for _, to := range people {
					if to == from {
						continue
					}
					if err := to.receive(s.ctx, setup, from.shows(to, message)); err != nil {
						return err
					}
				}
			}
		}
	}
	return nil
}

// judge returns whom the honest people blame, after it has checked the evidence as somebody would who was not there.
func (s *story) judge(setup ceremony.Setup, honest []*person) ([]threshold.Index, error) {
	found := make(map[threshold.Index]bool)
	for _, p := range honest {
		r, err := p.load(s.ctx, setup)
		if err != nil {
			return nil, err
		}
		if _, err := r.Result(); !errors.Is(err, ceremony.ErrStopped) {
			return nil, fmt.Errorf("%s did not stop: %w", p.name, err)
		}
		for _, b := range r.Blamed() {
			if _, err := setup.CheckBlame(b.Evidence); err != nil {
				return nil, err
			}
			s.note("%-4s has proof: %v", p.name, b)
			found[b.Participant] = true
		}
	}
	var out []threshold.Index
	for i := range found {
		out = append(out, i)
	}
	return out, nil
}

// collect gives people the shares that a ceremony gave them, and returns the key, which must be the same for all.
func (s *story) collect(setup ceremony.Setup, people []*person) (key threshold.Key, err error) {
	for _, p := range people {
		r, err := p.load(s.ctx, setup)
		if err != nil {
			return key, err
		}
		result, err := r.Result()
		if err != nil {
			return key, fmt.Errorf("%s: %w", p.name, err)
		}
		if !key.IsZero() && !key.Equal(result.Key) {
			return key, fmt.Errorf("%s has another key", p.name)
		}
		key, p.share = result.Key, result.Share
	}
	return key, nil
}

// sign makes a signature of people's shares: two rounds.
func sign(key threshold.Key, message []byte, people ...*person) ([]byte, error) {
	var nonces []*frost.Nonce
	var commitments []frost.Commitment
	for _, p := range people {
		n, c := frost.Commit(p.share)
		nonces, commitments = append(nonces, n), append(commitments, c)
	}
	packet, err := frost.NewPackage(key, message, commitments)
	if err != nil {
		return nil, err
	}
	var shares []frost.SignatureShare
	for _, n := range nonces {
		z, err := n.Sign(packet)
		if err != nil {
			return nil, err
		}
		shares = append(shares, z)
	}
	return packet.Aggregate(shares)
}
