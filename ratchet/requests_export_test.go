package ratchet

import (
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
)

// Rebox returns the request of a joiner as any member can box it anew.
func Rebox(joiner, member Space) []byte {
	me := joiner.State().self.Value()
	d := &edit{st: member.State(), tp: member.Template()}
	_, _, t, _ := d.preferred()
	in, err := proto.ParseIntroduction(me.introduction)
	if err != nil {
		panic(err)
	}
	q, err := proto.NewIntroductionRequest(d.st.space, t.template.Config.Public, me.request.key.Public, in)
	if err != nil {
		panic(err)
	}
	return q.Bytes()
}

// Leaving returns a member's space in which a joiner was let in, and left.
func Leaving(member, joiner Space) Space {
	d := &edit{base: member, st: member.State(), tp: member.Template(), ev: member.Evals()}
	_, r, _, _ := d.preferred()
	in, err := proto.ParseIntroduction(joiner.State().self.Value().introduction)
	if err != nil {
		panic(err)
	}
	r.members = r.members.Put(strange(in.Entry(), true))
	d.setRoot(r)
	return d.space()
}

func strange(e proto.RosterEntry, left bool) member { return member{RosterEntry: e, left: left} }
