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
	"github.com/trefoil-im/trefoil/ratchet"
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
	for _, chapter := range []func() error{s.theCase, s.atOnce, s.restarted, s.disorder, s.theEnd} {
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
	return s.together("Ann", "I say tea", "Bob", "I say coffee")
}

// restarted is a program that ends in the middle and goes on from its file.
func (s *story) restarted() error {
	s.explain("3. A program that is restarted from disk",
		"Bob encrypts, and his program ends before anything was sent. The envelope is in his outbox, saved together with",
		"the state that made it. When he is back, the very same bytes go out, and what came meanwhile is read.")
	bob := s.byName["Bob"]
	s.number++
	if err := bob.say(s.ctx, line{s.number, "Bob", "sent by a program that had ended"}); err != nil {
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
	s.number++
	if err := s.byName["Ann"].say(s.ctx, line{s.number, "Ann", "is Bob asleep?"}); err != nil {
		return err
	}
	if err := s.byName["Ann"].flush(s.ctx); err != nil {
		return err
	}
	s.world.relay.reconnect("Bob")
	if err := bob.start(s.ctx); err != nil {
		return err
	}
	if err := bob.flush(s.ctx); err != nil {
		return err
	}
	return s.everybodyReads()
}

// disorder is a network that delivers late, twice and backwards.
func (s *story) disorder() error {
	s.explain("4. Late, twice and backwards",
		"Ann sends six messages. The relay delivers all of them twice, and the last one first.")
	ann := s.byName["Ann"]
	for _, t := range []string{"one", "two", "three", "four", "five", "six"} {
		s.number++
		if err := ann.say(s.ctx, line{s.number, "Ann", t}); err != nil {
			return err
		}
	}
	if err := ann.flush(s.ctx); err != nil {
		return err
	}
	for _, name := range []string{"Bob", "Cleo"} {
		box := s.world.relay.boxes[name]
		slices.Reverse(box.waiting)
		box.waiting = append(box.waiting, box.waiting...)
	}
	return s.everybodyReads()
}

// theEnd compares what the members hold, and shows what the relay saw.
func (s *story) theEnd() error {
	s.explain("5. In the end", "Members of one epoch share an authenticator that nobody else knows:")
	for _, m := range s.members {
		space, err := m.load(s.ctx)
		if err != nil {
			return err
		}
		at := ratchet.Info(space)
		fmt.Fprintf(s.out, "   %-5s %x… in epoch %d of the space, with %d members\n", m.name, at.Authenticator[:8], at.Generation, len(ratchet.Members(space)))
	}
	for _, in := range ratchet.Invites(must(s.members[0].load(s.ctx)), s.clock) {
		fmt.Fprintf(s.out, "   Ann's ledger: place %d is %s, by member %d\n", in.First, in.Status, in.Members)
	}
	fmt.Fprintf(s.out, "The relay saw %d envelopes of %d KB in all, and not a word.\n", s.world.relay.frames, s.world.relay.bytes/1000)
	return nil
}

// must is for what was loaded a moment ago.
func must(space ratchet.Space, err error) ratchet.Space {
	if err != nil {
		panic(err)
	}
	return space
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
	s.number++
	fmt.Fprintf(s.out, "   %-5s writes %q\n", name, text)
	if err := s.speak(s.ctx, line{s.number, name, text}); err != nil {
		return err
	}
	return s.everybodyReads()
}

// together sends two lines that are both encrypted before either is delivered.
func (s *story) together(a, first, b, second string) error {
	s.number += 2
	if err := s.speak(s.ctx, line{s.number - 1, a, first}, line{s.number, b, second}); err != nil {
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
		for fresh := m.read[s.shown[m.name]:]; len(fresh) > 0; {
			from, texts := fresh[0].name, []string(nil)
			for len(fresh) > 0 && fresh[0].name == from {
				texts, fresh = append(texts, fmt.Sprintf("%q", fresh[0].text)), fresh[1:]
			}
			fmt.Fprintf(s.out, "   %-5s reads %s by %s\n", m.name, strings.Join(texts, ", "), from)
		}
		s.shown[m.name] = len(m.read)
	}
	return nil
}
