package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/transporttest"
)

// person is an address, by which others know somebody, and the devices.
type person struct {
	name    string
	address key.Address
	devices []*device
}

// story is what the program tells.
type story struct {
	ctx    context.Context
	dir    string
	out    io.Writer
	server server
	people []*person
}

func tell(ctx context.Context, dir string, out io.Writer) (err error) {
	s := &story{ctx: ctx, dir: dir, out: out, server: server{transporttest.NewNetwork(), transporttest.NewDirectory()}}
	defer func() {
		for _, p := range s.people {
			for _, d := range p.devices {
				err = errors.Join(err, d.close())
			}
		}
	}()
	for _, chapter := range []func() error{s.firstMessages, s.bothAtOnce, s.restart, s.secondDevice} {
		if err := chapter(); err != nil {
			return err
		}
	}
	return nil
}

// play takes steps of a chapter, up to the first that fails.
func (s *story) play(steps ...func() error) error {
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (s *story) firstMessages() error {
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
	if err := s.play(s.says(ann.devices[0], bob, "hello Bob"), s.says(ann.devices[0], bob, "are you there?"),
		s.reads(bob.devices[0], "hello Bob", "are you there?")); err != nil {
		return err
	}
	s.explain("3. Replies",
		"Bob's first answer tells Ann's device where he reads from now on. With every change of direction both draw new keys,",
		"so that who steals a device's state can soon read nothing more.")
	for range 2 {
		if err := s.play(s.says(bob.devices[0], ann, "here I am"), s.reads(ann.devices[0], "here I am"),
			s.says(ann.devices[0], bob, "good"), s.reads(bob.devices[0], "good")); err != nil {
			return err
		}
	}
	return nil
}

func (s *story) bothAtOnce() error {
	s.explain("4. Both start at once",
		"Cleo and Dan write to each other before either has read a word. Both initiations are accepted, nothing is lost,",
		"and without asking each other both go on in the same session.")
	cleo, err := s.arrive("Cleo")
	if err != nil {
		return err
	}
	dan, err := s.arrive("Dan")
	if err != nil {
		return err
	}
	dan.devices[0].line.deaf = true
	if err := s.play(s.says(cleo.devices[0], dan, "Dan, it's Cleo"), s.says(dan.devices[0], cleo, "Cleo, it's Dan")); err != nil {
		return err
	}
	dan.devices[0].line.deaf = false
	if err := s.play(s.reads(cleo.devices[0], "Cleo, it's Dan"), s.reads(dan.devices[0], "Dan, it's Cleo"),
		s.says(cleo.devices[0], dan, "what a coincidence"), s.reads(dan.devices[0], "what a coincidence"),
		s.says(dan.devices[0], cleo, "indeed"), s.reads(cleo.devices[0], "indeed")); err != nil {
		return err
	}
	how, err := cleo.devices[0].describe(s.ctx)
	fmt.Fprintf(s.out, "   Cleo with Dan: %s\n", how)
	return err
}

func (s *story) restart() error {
	s.explain("5. Restart",
		"Bob's program ends and starts again with nothing but its file: keys, sessions, what was sent and what was read are",
		"there, since every step was one transaction. A frame that the server repeats is not read again.")
	ann, bob := s.people[0], s.people[1]
	return s.play(s.says(ann.devices[0], bob, "while you were away"),
		func() error { bob.devices[0].line.twice = true; return bob.devices[0].restart(s.ctx) },
		s.reads(bob.devices[0], "while you were away"), s.reads(bob.devices[0]),
		s.says(bob.devices[0], ann, "back again"), s.reads(ann.devices[0], "back again"))
}

func (s *story) secondDevice() error {
	s.explain("6. A second device",
		"Bob links a device: he carries a code from the first one to it, and compares six digits that both show. It draws its own",
		"keys, and the first one signs his registration anew, with both in it. Ann looks it up as always and begins a session with",
		"the new device beside the one she has. Bob's devices have a session with each other, too, and each shows what the other",
		"wrote.")
	ann, bob := s.people[0], s.people[1]
	if _, err := s.add(bob); err != nil {
		return err
	}
	return s.play(s.says(ann.devices[0], bob, "to all your devices"),
		s.reads(bob.devices[0], "to all your devices"), s.reads(bob.devices[1], "to all your devices"),
		s.says(bob.devices[1], ann, "from the new one"),
		s.reads(ann.devices[0], "from the new one"), s.reads(bob.devices[0], "own: from the new one"))
}

func (s *story) explain(title string, lines ...string) {
	fmt.Fprintf(s.out, "\n%s\n   %s\n\n", title, strings.Join(lines, "\n   "))
}

// arrive makes a person with a device.
func (s *story) arrive(name string) (*person, error) {
	p := &person{name: name}
	s.people = append(s.people, p)
	d, err := s.add(p)
	if err == nil {
		fmt.Fprintf(s.out, "   %-4s is %s, with %s\n", name, p.address, d.title)
	}
	return p, err
}

// add makes a device of a person: the first one, or one that the first one links.
func (s *story) add(p *person) (*device, error) {
	d, err := newDevice(s.ctx, s.server, s.dir, fmt.Sprintf("%s-%d", p.name, len(p.devices)+1))
	if err != nil {
		return nil, err
	}
	if p.devices = append(p.devices, d); len(p.devices) == 1 {
		p.address, err = d.client.NewPerson(s.ctx)
	} else if err = d.second(s.ctx, p.devices[0]); err == nil {
		fmt.Fprintf(s.out, "   %s and %s show %s: %s is linked\n", p.devices[0].title, d.title, d.digits, d.title)
	}
	if err != nil {
		return nil, err
	}
	return d, d.client.Sync(s.ctx)
}

// says has a text sent.
func (s *story) says(d *device, to *person, text string) func() error {
	return func() error {
		fmt.Fprintf(s.out, "   %-6s to %-4s: %q\n", d.title, to.name, text)
		return d.say(s.ctx, to.address, text)
	}
}

// reads lets a device fetch, and fails unless it has read just these texts since it was asked last.
func (s *story) reads(d *device, texts ...string) func() error {
	return func() error {
		if err := d.client.Sync(s.ctx); err != nil {
			return err
		}
		read := d.read
		if d.read = nil; !slices.Equal(read, texts) {
			return fmt.Errorf("%s reads %q instead of %q", d.title, read, texts)
		}
		if len(texts) == 0 {
			fmt.Fprintf(s.out, "   %-6s reads nothing\n", d.title)
		}
		for _, text := range texts {
			fmt.Fprintf(s.out, "   %-6s reads  : %q\n", d.title, text)
		}
		return nil
	}
}
