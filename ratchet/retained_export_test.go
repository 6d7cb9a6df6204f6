package ratchet

import (
	"crypto/rand"
	"slices"
	"time"
)

// Garbage is a message that nobody made, with n sealed commits.
func Garbage(n int) Envelope {
	commits := make([]sealedCommit, n)
	for i := range commits {
		rand.Read(commits[i][:])
	}
	var h sealedHeader
	rand.Read(h[:])
	e := newEnvelope(h, commits)
	e.body = make([]byte, 40)
	return e
}

// Flood is a message with n true commits of a member, in a chain or side by side, and a header that nothing opens.
func Flood(s Space, n int, chain bool) Envelope {
	w, _ := begin(s, time.Time{})
	at, r, t, _ := w.preferred()
	other := r.share
	var sealed []sealedCommit
	for range n {
		c, ss, err := makeCommit(w.st.space, at.id, t.template.public, other)
		if err != nil {
			panic(err)
		}
		sealed = append(sealed, c.seal(at.sealing, w.st.space, at.id))
		if chain {
			id := at.child(w.st.space, c)
			seed, _, err := at.commits.eval(c.index(), id)
			if err != nil {
				panic(err)
			}
			at = newEpoch(birth{id: id, parent: at.id, root: at.root, generation: at.generation + 1, commit: c, depth: at.depth}, expandEpoch(extract(seed, ss), id))
		}
	}
	slices.Reverse(sealed)
	e := Garbage(0)
	e = newEnvelope(e.header, sealed)
	e.body = make([]byte, 40)
	return e
}

// Follows returns how many commits are followed to try a message, and to hold it.
func Follows(s Space, e Envelope) (try, hold int) {
	w, _ := begin(s, time.Time{})
	w.read(e)
	try = w.follows
	w, _ = begin(s, time.Time{})
	w.hold("mailbox", e)
	return try, w.follows
}

// WithBody returns the envelope with another body.
func WithBody(e Envelope) Envelope {
	e.body = slices.Clone(e.body)
	e.body[len(e.body)-1] ^= 1
	return e
}

// WithHeaders returns the space as if so many messages had been held of a mailbox, one a millisecond.
func WithHeaders(s Space, source string, n int, from time.Time) Space {
	w, _ := begin(s, from)
	for range n {
		w.now++
		w.makeRoom(source)
		h := heldHeader{source: source, arrived: w.now}
		rand.Read(h.id[:])
		w.st.headers = w.st.headers.put(h)
	}
	return w.space()
}

// HoldsHeader reports whether a space knows of a message that is retained.
func HoldsHeader(s Space, e Envelope) bool { return s.State().headers.has(byID(e.name())) }

// OwnEvery returns how long after its last commit a member of a space of so many commits again.
func OwnEvery(members int) time.Duration { return commitOwnEvery(members) }

// UnsignedControl returns a statement in a message of the preferred epoch that nobody signed.
func UnsignedControl(s Space, now time.Time) (Envelope, error) {
	w, err := begin(s, now)
	if err != nil {
		return Envelope{}, err
	}
	e, _, _, _ := w.preferred()
	d := w.self()
	c, _, err := e.chain(d.index)
	if err != nil {
		return Envelope{}, err
	}
	h := header{d.index, c.next}
	env := newEnvelope(h.seal(e.header, w.st.space, e.id), nil)
	_, key, err := c.take(h.number, markOf(env.header[:]))
	if err != nil {
		return Envelope{}, err
	}
	return env.seal(w.st.space, e.id, key, content{plaintext: []byte("statement"), control: true})
}

// Impostor returns a message of a member in which it introduces another key under the index of somebody else, with a
// signature that is none.
func Impostor(s Space, now time.Time, victim Space) (Envelope, error) {
	w, err := begin(s, now)
	if err != nil {
		return Envelope{}, err
	}
	v := victim.State().self.Value()
	in, err := parseIntroduction(v.introduction)
	if err != nil {
		return Envelope{}, err
	}
	in.key = w.self().signing.public
	e, _, _, _ := w.preferred()
	c, _, err := e.chain(v.index)
	if err != nil {
		return Envelope{}, err
	}
	h := header{v.index, c.next}
	env := newEnvelope(h.seal(e.header, w.st.space, e.id), nil)
	_, key, err := c.take(h.number, markOf(env.header[:]))
	if err != nil {
		return Envelope{}, err
	}
	body := content{plaintext: []byte("I am you"), introduction: in.encode()}
	return env.seal(w.st.space, e.id, key, body.sign(w.self().signing, w.st.space, e.id, h, env.bound))
}
