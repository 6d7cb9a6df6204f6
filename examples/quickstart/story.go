package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/trefoil-im/trefoil/invite"
)

// story is the built-in conversation, with explanations.
type story struct {
	*talk
	ctx    context.Context
	out    io.Writer
	number int
	shown  map[string]int // how many lines of each member were printed as read
}

// tellStory plays the cases for which the library was made.
func tellStory(ctx context.Context, dir string, out io.Writer) (err error) {
	s := &story{talk: newTalk(dir, 0), ctx: ctx, out: out, shown: make(map[string]int)}
	defer func() { err = errors.Join(err, s.close()) }()
	for _, chapter := range []func() error{s.theCase, s.atOnce, s.restarted, s.disorder, s.removed, s.theEnd} {
		if err := chapter(); err != nil {
			return err
		}
	}
	return nil
}

// theCase is the one that started the project: a link that is made after messages were sent.
func (s *story) theCase() error {
	s.explain("1. A link that is made late",
		"Ann makes a space and writes. Every message saves the whole encryption state in one commit: what her ratchet",
		"is at, the template and the evals, of which invites are made. None can be forgotten: the type has all three.")
	ann, err := s.enter(s.ctx, "Ann", 1)
	if err != nil {
		return err
	}
	for _, t := range []string{"first!", "nobody here yet?", "then I write to myself"} {
		if err := s.says("Ann", t); err != nil {
			return err
		}
	}
	s.explain("", "Only now she makes a private link for Bob. It is the seed of a place in the space, and it works.")
	url, err := ann.invite(s.ctx, invite.Private(0))
	if err != nil {
		return err
	}
	fmt.Fprintf(s.out, "   %s…  (%d characters)\n", url[:60], len(url))
	if err := s.comes("Bob", url); err != nil {
		return err
	}
	return s.says("Ann", "welcome, Bob")
}

// atOnce is two members who write before either has read the other.
func (s *story) atOnce() error {
	s.explain("2. Two at the same moment", "Ann and Bob write before either has read the other. Nobody has to win.")
	url, err := s.byName["Ann"].invite(s.ctx, invite.Private(0))
	if err != nil {
		return err
	}
	if err := s.comes("Cleo", url); err != nil {
		return err
	}
	if err := s.together("Ann", "I say tea", "Bob", "I say coffee"); err != nil {
		return err
	}
	invites, err := s.byName["Ann"].space.Invites(s.ctx)
	for _, in := range invites {
		fmt.Fprintf(s.out, "   Ann's ledger: place %d is %s, by member %d\n", in.First, in.Status, in.Members)
	}
	return err
}

// restarted is a program that ends in the middle and goes on from its file.
func (s *story) restarted() error {
	s.explain("3. A program that is restarted from disk",
		"Bob writes, and his program ends before anything was sent. The message waits in his file, sealed like everything",
		"there. When he is back it is encrypted and leaves, once, and what came meanwhile is read.")
	bob := s.byName["Bob"]
	if err := s.writes("Bob", "written by a program that had ended"); err != nil {
		return err
	}
	if err := bob.stop(); err != nil {
		return err
	}
	info, err := os.Stat(bob.file)
	if err != nil {
		return err
	}
	fmt.Fprintf(s.out, "   Bob is gone. All he has is %d KB in one file.\n", info.Size()/1000)
	if err := s.writes("Ann", "is Bob asleep?"); err != nil {
		return err
	}
	if err := s.byName["Ann"].work(s.ctx); err != nil {
		return err
	}
	if err := bob.start(s.ctx); err != nil {
		return err
	}
	return s.everybodyReads()
}

// disorder is a network that delivers late, twice and backwards.
func (s *story) disorder() error {
	s.explain("4. Late, twice and backwards",
		"Ann sends six messages. The relay delivers all of them twice, and the last one first.")
	for _, t := range []string{"one", "two", "three", "four", "five", "six"} {
		if err := s.writes("Ann", t); err != nil {
			return err
		}
	}
	if err := s.byName["Ann"].work(s.ctx); err != nil {
		return err
	}
	s.world.network.collect()
	for _, box := range s.world.network.boxes {
		slices.Reverse(box.coming)
		box.coming = append(box.coming, box.coming...)
	}
	return s.everybodyReads()
}

// removed is somebody who can read no more.
func (s *story) removed() error {
	s.explain("5. Somebody is removed",
		"Ann removes Cleo. The keys of the space are made anew for those who stay, and Cleo gets none of them. Her program",
		"goes on and receives every envelope; it reads nothing.")
	s.number++
	if err := s.remove(s.ctx, kick{"Cleo", s.number}); err != nil {
		return err
	}
	s.number--
	if err := s.says("Ann", "between us"); err != nil {
		return err
	}
	status, err := s.byName["Cleo"].space.Status(s.ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(s.out, "   Cleo  is told that she is %s\n", status.Phase)
	return nil
}

// theEnd compares what the members hold, and shows what the relay saw.
func (s *story) theEnd() error {
	s.explain("6. In the end", "Members of one epoch share a fingerprint that nobody else knows. They may compare it:")
	for _, name := range []string{"Ann", "Bob"} {
		space := s.byName[name].space
		at, err := space.Status(s.ctx)
		if err != nil {
			return err
		}
		members, err := space.Members(s.ctx)
		if err != nil {
			return err
		}
		fmt.Fprintf(s.out, "   %-5s %s in epoch %d of the new keys, with %d members\n", name, at.Fingerprint, at.Generation, len(members))
	}
	fmt.Fprintf(s.out, "The relay saw %d envelopes of %d KB in all, and not a word.\n", s.world.network.frames, s.world.network.bytes/1000)
	return nil
}

func (s *story) explain(title string, paragraph ...string) {
	if title != "" {
		fmt.Fprintf(s.out, "\n%s\n", title)
	}
	for _, l := range paragraph {
		fmt.Fprintln(s.out, l)
	}
}

// says sends one line and shows who reads it.
func (s *story) says(name, text string) error {
	fmt.Fprintf(s.out, "   %-5s writes %q\n", name, text)
	if err := s.writes(name, text); err != nil {
		return err
	}
	return s.everybodyReads()
}

// writes has a line written, and sends nothing.
func (s *story) writes(name, text string) error {
	s.number++
	return s.write(s.ctx, line{s.number, name, text})
}

// together sends two lines that are both written before either is delivered.
func (s *story) together(a, first, b, second string) error {
	if err := errors.Join(s.writes(a, first), s.writes(b, second)); err != nil {
		return err
	}
	return s.everybodyReads()
}

// comes lets somebody in by a link.
func (s *story) comes(name, url string) error {
	m, err := newMember(s.ctx, s.world, name)
	if err != nil {
		return err
	}
	s.members = append(s.members, m)
	s.byName[name], s.since[name] = m, s.number+1
	if err := m.join(s.ctx, url); err != nil {
		return err
	}
	if err := s.settle(s.ctx); err != nil {
		return err
	}
	fmt.Fprintf(s.out, "   %s asked with the link, was answered with a ticket by whoever was there, and is in.\n", name)
	return nil
}

// everybodyReads delivers everything and prints what was read.
func (s *story) everybodyReads() error {
	if err := s.settle(s.ctx); err != nil {
		return err
	}
	for _, m := range s.members {
		read, err := m.read(s.ctx)
		if err != nil {
			return err
		}
		for fresh := read[s.shown[m.name]:]; len(fresh) > 0; {
			from, texts := fresh[0].name, []string(nil)
			for len(fresh) > 0 && fresh[0].name == from {
				texts, fresh = append(texts, fmt.Sprintf("%q", fresh[0].text)), fresh[1:]
			}
			fmt.Fprintf(s.out, "   %-5s reads %s by %s\n", m.name, strings.Join(texts, ", "), from)
		}
		s.shown[m.name] = len(read)
	}
	return nil
}
