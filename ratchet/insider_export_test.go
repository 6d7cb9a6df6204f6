package ratchet

import (
	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
)

// ForgeAs returns what an insider can make: a message in its preferred epoch under another member's index, with all keys
// right but the signature; ok is false if it has the key of that number no more.
func ForgeAs(s Space, victim dkg.Index, number uint32, words string) ([]byte, bool) {
	d := &edit{st: s.State(), tp: s.Template()}
	e, _, _, _ := d.preferred()
	c, _, err := e.chain(victim)
	if err != nil {
		panic(err)
	}
	_, key, err := c.take(number, tag{})
	if err != nil {
		return nil, false
	}
	h := proto.Header{Index: victim, Number: number}
	out := proto.NewEnvelope(h.Seal(e.header, d.st.space, e.id), nil)
	body := proto.Content{Plaintext: []byte(words)}.Sign(d.st.identity().signing, d.st.space, e.id, h, out.Bound)
	out, err = out.Seal(d.st.space, e.id, key, body)
	if err != nil {
		panic(err)
	}
	return out.Bytes(), true
}

// Recommit returns what an insider who has not read a message yet can make of it: the same content and signature under the
// same keys, with other commits.
func Recommit(s Space, frame []byte, carrier []byte) []byte {
	e := parsed(proto.ParseEnvelope(frame))
	commits := parsed(proto.ParseEnvelope(carrier))
	d := &edit{st: s.State(), tp: s.Template()}
	x, h, err := d.st.locate(e)
	if err != nil || x.epochMeta == nil {
		panic("not of an epoch held")
	}
	c, _, err := x.chain(h.Index)
	if err != nil {
		panic(err)
	}
	_, key, err := c.take(h.Number, tag{})
	if err != nil {
		panic(err)
	}
	body, err := e.Open(d.st.space, x.id, key)
	if err != nil {
		panic(err)
	}
	out, err := proto.NewEnvelope(e.Header, commits.Commits).Seal(d.st.space, x.id, key, body)
	if err != nil {
		panic(err)
	}
	return out.Bytes()
}
