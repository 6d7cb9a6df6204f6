package storetest

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/trefoil-im/trefoil/state/store"
)

// kinds are those that the checks use: one with several parts, one with one.
var kinds = []store.Kind{store.Spaces, store.Sessions}

// must ends the test if err is one.
func (p *probe) must(err error) {
	p.Helper()
	if err != nil {
		p.Fatalf("unexpected error: %v", err)
	}
}

// refused ends the test if err is not the wanted error.
func (p *probe) refused(err, want error) {
	p.Helper()
	if !errors.Is(err, want) {
		p.Fatalf("got error %v, want %v", err, want)
	}
}

// fresh is at every which call of holds a handle is opened: for a server that is a few processes.
const fresh = 16

// holds ends the test if the store does not hold what m says: through the handle in use, through another one that was
// open all the time, which must not answer from memory of its own, and at the first call and every sixteenth through one that
// is opened now.
func (p *probe) holds(k store.Kind, id store.ID, m model, hashes ...[32]byte) {
	p.Helper()
	handles := map[string]store.Store{"the same handle": p.s, "another handle": p.other}
	if p.looks++; p.looks%fresh == 1 {
		s := p.open(p)
		defer p.done(s)
		handles["a new handle"] = s
	}
	for name, s := range handles {
		if err := m.differs(p.Context(), s, k, id, hashes...); err != nil {
			p.Fatalf("%v %v, through %s: %v", k, id, name, err)
		}
	}
}

// reopen closes the handle in use and opens another.
func (p *probe) reopen() {
	p.Helper()
	p.done(p.s)
	p.s = p.open(p)
}

// swap goes on with the handle that was open all the time. To open one takes a server a process for each connection.
func (p *probe) swap() { p.s, p.other = p.other, p.s }

// commit carries out a change, which must succeed, makes sure of what the row is then and returns it.
func (p *probe) commit(k store.Kind, id store.ID, m model, c store.Change) model {
	p.Helper()
	p.must(p.apply(k, id, c))
	m = m.next(c)
	p.holds(k, id, m)
	return m
}

// apply carries out one change of a row.
func (p *probe) apply(k store.Kind, id store.ID, c store.Change) error {
	return apply(p.Context(), p.s, k, id, c)
}

func apply(ctx context.Context, s store.Store, k store.Kind, id store.ID, c store.Change) error {
	c.Kind, c.ID = k, id
	return s.Commit(ctx, c)
}

// remove deletes a row.
func (p *probe) remove(k store.Kind, id store.ID, head store.Head) error {
	return p.apply(k, id, store.Change{Base: head, Delete: true})
}

// create makes a row with something of everything.
func (p *probe) create(k store.Kind, id store.ID) model {
	p.Helper()
	return p.commit(k, id, model{}, full(k, model{}))
}

var sealings atomic.Uint64

// sealed returns bytes that were never returned before, as sealing does.
func sealed(what string) []byte {
	return fmt.Appendf(nil, "%s, sealed %d", what, sealings.Add(1))
}

// change returns one that changes the head only, and every part if it creates the row. It creates one that was deleted, too.
func change(k store.Kind, m model) store.Change {
	c := store.Change{Base: m.head, Parts: make([][]byte, len(k.Parts()))}
	c.Next = store.Head{Version: c.Base.Version + 1, Sealed: sealed("head")}
	if !m.exists() {
		c.Revive = true
		for i, name := range k.Parts() {
			c.Parts[i] = sealed(name)
		}
	}
	return c
}

// full returns a change of everything that a row has: parts, segments, both queues, frames retained and settled. What it
// adds is numbered behind what is there.
func full(k store.Kind, m model) store.Change {
	c := change(k, m)
	for i, name := range k.Parts() {
		c.Parts[i] = sealed(name)
	}
	n := c.Next.Version
	c.Put = map[string][]byte{"state/all": sealed("segment"), fmt.Sprintf("state/%d", n): sealed("segment")}
	if n > 1 {
		c.Drop = []string{fmt.Sprintf("state/%d", n-1)}
	}
	c.Outbox = []store.Item{{Seq: 2*n - 1, Lane: 7, Data: sealed("envelope")}, {Seq: 2 * n, Lane: 1<<63 - n, Data: sealed("envelope")}}
	c.Inbox = []store.Item{{Seq: 3 * n, Data: sealed("text")}}
	c.Frames = []store.FrameRecord{
		{Hash: hash(3 * n), Seq: 3*n - 2},
		{Hash: hash(3*n + 1), Seq: 3*n - 1, Data: sealed("frame")},
	}
	return c
}

func hash(n uint64) [32]byte { return sha256.Sum256(fmt.Append(nil, "frame ", n)) }

// text returns n random bytes.
func text(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

// scribble overwrites b, as its owner may once a call has returned, or its receiver.
func scribble(b []byte) { copy(b, bytes.Repeat([]byte{'#'}, len(b))) }

// ended returns a context that has ended.
func (p *probe) ended() context.Context {
	ctx, cancel := context.WithCancel(p.Context())
	cancel()
	return ctx
}
