package ratchet

import (
	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// WithStrangers returns a space with so many more members, each with an introduction of so many bytes.
func WithStrangers(s Space, n, size int) Space {
	d := &edit{base: s, st: s.State(), tp: s.Template(), ev: s.Evals()}
	_, r, _, _ := d.preferred()
	for i := range n {
		m := strange(proto.RosterEntry{Index: dkg.Index(1000 + i), Signing: d.st.identity().signing.Public}, false)
		m.introduction = append(suite.U32(uint32(m.Index)), make([]byte, size-4)...)
		r.members = r.members.Put(m)
	}
	d.setRoot(r)
	return d.space()
}

// Handed returns whose introductions a ticket for a request holds, made by WithStrangers or not.
func Handed(s Space, request []byte) (out []dkg.Index) {
	q := parsed(proto.ParseRequest(request))
	d := &edit{base: s, st: s.State(), tp: s.Template(), ev: s.Evals()}
	p, r, t, _ := d.preferred()
	b, err := d.st.ticketBody(q.Hash(), p, r.id, t)
	if err != nil {
		panic(err)
	}
	for _, raw := range b.Introductions {
		if in, err := proto.ParseIntroduction(raw); err == nil {
			out = append(out, in.Index)
		} else {
			out = append(out, dkg.Index(uint32(raw[2])<<8|uint32(raw[3])))
		}
	}
	return out
}

// Swollen returns a space with more to say in a ticket than fits into one.
func Swollen(s Space) Space {
	d := &edit{base: s, st: s.State(), tp: s.Template(), ev: s.Evals()}
	_, r, _, _ := d.preferred()
	for i := range 40_000 {
		m := strange(proto.RosterEntry{Index: dkg.Index(8000 + i), Signing: d.st.identity().signing.Public}, false)
		m.app, m.answered = make([]byte, 1), 1
		r.members = r.members.Put(m)
	}
	r.revokes = nil
	for range proto.MaxRevokes {
		r.revokes = append(r.revokes, make([]byte, proto.MaxStatement))
	}
	r.signed = make([]byte, proto.MaxStatement)
	d.setRoot(r)
	return WithStrangers(d.space(), 600, 1_700)
}
