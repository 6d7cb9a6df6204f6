package ratchet

import (
	"time"

	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
)

// UnsignedControl returns a statement in a message of the preferred epoch that nobody signed.
func UnsignedControl(s Space, now time.Time) ([]byte, error) {
	d, err := newEdit(s, now)
	if err != nil {
		return nil, err
	}
	e, _, _, _ := d.preferred()
	me := d.st.identity()
	c, _, err := e.chain(me.index)
	if err != nil {
		return nil, err
	}
	h := proto.Header{Index: me.index, Number: c.next}
	env := proto.NewEnvelope(h.Seal(e.header, d.st.space, e.id), nil)
	_, key, err := c.take(h.Number, tagOf(env.Header[:]))
	if err != nil {
		return nil, err
	}
	env, err = env.Seal(d.st.space, e.id, key, proto.Content{Plaintext: []byte("statement"), Statement: true})
	return env.Bytes(), err
}

// Impostor returns a message of a member in which it introduces another key under the index of somebody else, with a
// signature that is none.
func Impostor(s Space, now time.Time, victim Space) ([]byte, error) {
	d, err := newEdit(s, now)
	if err != nil {
		return nil, err
	}
	v := victim.State().self.Value()
	in, err := proto.ParseIntroduction(v.introduction)
	if err != nil {
		return nil, err
	}
	in.Key = d.st.identity().signing.Public
	e, _, _, _ := d.preferred()
	c, _, err := e.chain(v.index)
	if err != nil {
		return nil, err
	}
	h := proto.Header{Index: v.index, Number: c.next}
	env := proto.NewEnvelope(h.Seal(e.header, d.st.space, e.id), nil)
	_, key, err := c.take(h.Number, tagOf(env.Header[:]))
	if err != nil {
		return nil, err
	}
	body := proto.Content{Plaintext: []byte("I am you"), Introduction: in.Encode()}
	env, err = env.Seal(d.st.space, e.id, key, body.Sign(d.st.identity().signing, d.st.space, e.id, h, env.Bound))
	return env.Bytes(), err
}
