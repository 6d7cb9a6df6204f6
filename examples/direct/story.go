package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/trefoil-im/trefoil/ratchet/session"
	"github.com/trefoil-im/trefoil/ratchet/session/directory"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/ratchet/session/keypair"
	"github.com/trefoil-im/trefoil/state"
)

// person is a signing key, by whose address others know the person, and the devices it has registered.
type person struct {
	session.Person
	name    string
	devices []*device
	entries []directory.Entry
}

// story is what the program tells.
type story struct {
	ctx    context.Context
	dir    string
	out    io.Writer
	server *server
	people []*person
}

func tell(ctx context.Context, dir string, out io.Writer) (err error) {
	s := &story{ctx: ctx, dir: dir, out: out, server: newServer()}
	defer func() {
		for _, p := range s.people {
			for _, d := range p.devices {
				err = errors.Join(err, d.close())
			}
		}
	}()
	return s.tell()
}

func (s *story) tell() error {
	s.explain("1. Registration",
		"A person is a signing key. Its registration lists its devices with their keys; whoever looks it up checks the",
		"signature before using any of them. The server can withhold a registration, but not change one.")
	ann, err := s.arrive("Ann")
	if err != nil {
		return err
	}
	bob, err := s.arrive("Bob")
	if err != nil {
		return err
	}

	s.explain("2. A first message to somebody offline",
		"Bob's program is not running. Ann takes his pre-keys from the server, one of them a one-time key that nobody gets",
		"twice, and agrees with them: X3DH over Ed448 together with ML-KEM-768. Each message she sends carries all that Bob",
		"needs to begin, until she has read an answer.")
	for _, text := range []string{"hello Bob", "are you there?"} {
		if err := s.says(ann.devices[0], bob, text); err != nil {
			return err
		}
	}
	if err := s.reads(bob.devices[0], "hello Bob", "are you there?"); err != nil {
		return err
	}

	s.explain("3. Replies",
		"Bob's first answer tells Ann's device where he reads from now on. With every change of direction both draw new keys,",
		"so that who steals a device's state can soon read nothing more.")
	for range 2 {
		if err := s.says(bob.devices[0], ann, "here I am"); err != nil {
			return err
		}
		if err := s.reads(ann.devices[0], "here I am"); err != nil {
			return err
		}
		if err := s.says(ann.devices[0], bob, "good"); err != nil {
			return err
		}
		if err := s.reads(bob.devices[0], "good"); err != nil {
			return err
		}
	}

	s.explain("4. Both start at once",
		"Cleo and Dan write to each other before either has read a word. Both initializations are accepted, nothing is lost,",
		"and without asking each other both go on in the same session.")
	cleo, err := s.arrive("Cleo")
	if err != nil {
		return err
	}
	dan, err := s.arrive("Dan")
	if err != nil {
		return err
	}
	if err := s.says(cleo.devices[0], dan, "Dan, it's Cleo"); err != nil {
		return err
	}
	if err := s.says(dan.devices[0], cleo, "Cleo, it's Dan"); err != nil {
		return err
	}
	if err := s.reads(cleo.devices[0], "Cleo, it's Dan"); err != nil {
		return err
	}
	if err := s.reads(dan.devices[0], "Dan, it's Cleo"); err != nil {
		return err
	}
	if err := s.says(cleo.devices[0], dan, "what a coincidence"); err != nil {
		return err
	}
	if err := s.reads(dan.devices[0], "what a coincidence"); err != nil {
		return err
	}
	if err := s.says(dan.devices[0], cleo, "indeed"); err != nil {
		return err
	}
	if err := s.reads(cleo.devices[0], "indeed"); err != nil {
		return err
	}
	how, err := cleo.devices[0].describe(s.ctx, dan.Address())
	if err != nil {
		return err
	}
	fmt.Fprintf(s.out, "   Cleo with Dan: %s\n", how)

	s.explain("5. Restart",
		"Bob's program ends and starts again with nothing but its file: keys, sessions, what was sent and what was read are",
		"there, since every step was one transaction. A frame that the server repeats is not read again.")
	if err := s.says(ann.devices[0], bob, "while you were away"); err != nil {
		return err
	}
	if err := bob.devices[0].restart(s.ctx); err != nil {
		return err
	}
	again := s.everythingFor(bob.devices[0])
	if err := s.reads(bob.devices[0], "while you were away"); err != nil {
		return err
	}
	again()
	if err := s.reads(bob.devices[0]); err != nil {
		return err
	}
	if err := s.says(bob.devices[0], ann, "back again"); err != nil {
		return err
	}
	if err := s.reads(ann.devices[0], "back again"); err != nil {
		return err
	}

	s.explain("6. A second device",
		"Bob adds a device: his registration is signed anew, with the first one in it. Ann looks it up as always and begins a",
		"session with the new device beside the one she has. Bob's devices have a session with each other, too.")
	if _, err := s.add(bob); err != nil {
		return err
	}
	if err := s.says(ann.devices[0], bob, "to all your devices"); err != nil {
		return err
	}
	for _, d := range bob.devices {
		if err := s.reads(d, "to all your devices"); err != nil {
			return err
		}
	}
	if err := s.says(bob.devices[1], ann, "from the new one"); err != nil {
		return err
	}
	if err := s.says(bob.devices[1], bob, "copy: from the new one"); err != nil {
		return err
	}
	if err := s.reads(ann.devices[0], "from the new one"); err != nil {
		return err
	}
	return s.reads(bob.devices[0], "copy: from the new one")
}

func (s *story) explain(title string, lines ...string) {
	fmt.Fprintf(s.out, "\n%s\n   %s\n\n", title, strings.Join(lines, "\n   "))
}

// arrive makes a person with a device.
func (s *story) arrive(name string) (*person, error) {
	p := &person{name: name, Person: session.Person{User: keypair.GenerateSigningKey(), Account: keypair.GenerateKey[key.Account]()}}
	s.people = append(s.people, p)
	d, err := s.add(p)
	if err == nil {
		fmt.Fprintf(s.out, "   %-4s is %s, with %s\n", name, p.Address(), d.title)
	}
	return p, err
}

// add makes a device of a person and registers it beside the ones there are.
func (s *story) add(p *person) (*device, error) {
	var raw [state.KeySize]byte
	rand.Read(raw[:])
	vaultKey, err := state.NewKey(raw[:])
	if err != nil {
		return nil, err
	}
	d, entry, err := newDevice(s.ctx, s.server, s.dir, fmt.Sprintf("%s-%d", p.name, len(p.devices)+1), p.Address(), vaultKey)
	if err != nil {
		return nil, err
	}
	p.devices, p.entries = append(p.devices, d), append(p.entries, entry)
	r, err := p.Register(p.entries...)
	if err != nil {
		return nil, err
	}
	return d, s.server.publish(p.Address(), r.JSON())
}

func (s *story) says(d *device, to *person, text string) error {
	fmt.Fprintf(s.out, "   %-6s to %-4s: %q\n", d.title, to.name, text)
	return d.say(s.ctx, to.Address(), text)
}

// reads lets a device fetch, and fails unless it reads just these texts.
func (s *story) reads(d *device, texts ...string) error {
	d.read = nil
	if err := d.fetch(s.ctx); err != nil {
		return err
	}
	if strings.Join(d.read, "\n") != strings.Join(texts, "\n") {
		return fmt.Errorf("%s reads %q instead of %q", d.title, d.read, texts)
	}
	if len(texts) == 0 {
		fmt.Fprintf(s.out, "   %-6s reads nothing\n", d.title)
	}
	for _, text := range texts {
		fmt.Fprintf(s.out, "   %-6s reads  : %q\n", d.title, text)
	}
	return nil
}

// everythingFor returns a function that delivers all frames again that wait now.
func (s *story) everythingFor(d *device) func() {
	waiting := make(map[key.Address][][]byte)
	for to, frames := range s.server.mailboxes {
		waiting[to] = append([][]byte(nil), frames...)
	}
	return func() {
		for to, frames := range waiting {
			for _, frame := range frames {
				s.server.post(to, frame)
			}
		}
	}
}
