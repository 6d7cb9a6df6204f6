package ratchet

import (
	"crypto/rand"
	"slices"
	"time"

	"github.com/trefoil-im/trefoil/internal/segmap"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// Garbage is a message that nobody made, with n sealed commits.
func Garbage(n int) []byte {
	commits := make([]proto.SealedCommit, n)
	for i := range commits {
		rand.Read(commits[i][:])
	}
	var h proto.SealedHeader
	rand.Read(h[:])
	e := proto.NewEnvelope(h, commits)
	e.Body = make([]byte, 40)
	return e.Bytes()
}

// Flood is a message with n true commits of a member, in a chain or side by side, and a header that nothing opens.
func Flood(s Space, n int, chain bool) []byte {
	w, _ := begin(s, time.Time{})
	at, r, t, _ := w.preferred()
	other := r.share
	var sealed []proto.SealedCommit
	for range n {
		c, ss, err := proto.NewCommit(w.st.space, at.id, t.template.Public, other)
		if err != nil {
			panic(err)
		}
		sealed = append(sealed, c.Seal(at.sealing, w.st.space, at.id))
		if chain {
			id := at.child(w.st.space, c)
			seed, _, err := at.commits.Eval(c.Index(), id)
			if err != nil {
				panic(err)
			}
			at = newEpoch(birth{id: id, parent: at.id, root: at.root, generation: at.generation + 1, commit: c, depth: at.depth}, expandEpoch(suite.Extract(seed, ss), id))
		}
	}
	slices.Reverse(sealed)
	e := parsed(proto.ParseEnvelope(Garbage(0)))
	e = proto.NewEnvelope(e.Header, sealed)
	e.Body = make([]byte, 40)
	return e.Bytes()
}

// Follows returns how many commits are followed to try a message, and to hold it.
func Follows(s Space, frame []byte) (try, hold int) {
	e := parsed(proto.ParseEnvelope(frame))
	w, _ := begin(s, time.Time{})
	w.read(e)
	try = w.follows
	w, _ = begin(s, time.Time{})
	w.hold("mailbox", e)
	return try, w.follows
}

// WithBody returns the envelope with another body.
func WithBody(frame []byte) []byte {
	e := parsed(proto.ParseEnvelope(frame))
	e.Body = slices.Clone(e.Body)
	e.Body[len(e.Body)-1] ^= 1
	return e.Bytes()
}

// WithHeaders returns the space as if so many messages had been held of a mailbox, one a millisecond.
func WithHeaders(s Space, source string, n int, from time.Time) Space {
	w, _ := begin(s, from)
	for range n {
		w.now++
		w.makeRoom(source)
		h := heldHeader{source: source, arrived: w.now}
		rand.Read(h.id[:])
		w.st.headers = w.st.headers.Put(h)
	}
	return w.space()
}

// HoldsHeader reports whether a space knows of a message that is retained.
func HoldsHeader(s Space, frame []byte) bool {
	e := parsed(proto.ParseEnvelope(frame))
	return s.State().headers.Has(segmap.ByID(e.Name()))
}

// OwnEvery returns how long after its last commit a member of a space of so many commits again.
func OwnEvery(members int) time.Duration { return commitOwnEvery(members) }

// UnsignedControl returns a statement in a message of the preferred epoch that nobody signed.
func UnsignedControl(s Space, now time.Time) ([]byte, error) {
	w, err := begin(s, now)
	if err != nil {
		return nil, err
	}
	e, _, _, _ := w.preferred()
	d := w.self()
	c, _, err := e.chain(d.index)
	if err != nil {
		return nil, err
	}
	h := proto.Header{Index: d.index, Number: c.next}
	env := proto.NewEnvelope(h.Seal(e.header, w.st.space, e.id), nil)
	_, key, err := c.take(h.Number, markOf(env.Header[:]))
	if err != nil {
		return nil, err
	}
	env, err = env.Seal(w.st.space, e.id, key, proto.Content{Plaintext: []byte("statement"), Statement: true})
	return env.Bytes(), err
}

// Impostor returns a message of a member in which it introduces another key under the index of somebody else, with a
// signature that is none.
func Impostor(s Space, now time.Time, victim Space) ([]byte, error) {
	w, err := begin(s, now)
	if err != nil {
		return nil, err
	}
	v := victim.State().self.Value()
	in, err := proto.ParseIntroduction(v.introduction)
	if err != nil {
		return nil, err
	}
	in.Key = w.self().signing.Public
	e, _, _, _ := w.preferred()
	c, _, err := e.chain(v.index)
	if err != nil {
		return nil, err
	}
	h := proto.Header{Index: v.index, Number: c.next}
	env := proto.NewEnvelope(h.Seal(e.header, w.st.space, e.id), nil)
	_, key, err := c.take(h.Number, markOf(env.Header[:]))
	if err != nil {
		return nil, err
	}
	body := proto.Content{Plaintext: []byte("I am you"), Introduction: in.Encode()}
	env, err = env.Seal(w.st.space, e.id, key, body.Sign(w.self().signing, w.st.space, e.id, h, env.Bound))
	return env.Bytes(), err
}
