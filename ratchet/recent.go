package ratchet

import (
	"slices"

	"github.com/trefoil-im/trefoil/ratchet/internal/members"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/state"
)

// recent is a statement of this member that a joiner may lack: whoever let it in had not read it, and the joiner cannot read what was
// sent before (§7, Saying again). The statement itself is kept among the members, as long as it counts.
type recent struct {
	hash proto.Digest
	said millis // pruning clock: when it was said first
	last millis // wall clock: when it was said again last
	n    uint8  // how often that was
	owed bool   // somebody arrived since then
}

const (
	// recentFor is for how long somebody may be let in by a member that has not read a statement. An end of the mailbox that was
	// reached later shows that the arrivals of that time were read.
	recentFor = hour
	// againAfter is the wait between two repetitions. It doubles each time, up to a day, so that any number of joiners causes at most
	// 6 of them in an hour.
	againAfter = minute
	// maxRecent is how many roles a root has, which an owner may give in one step; nobody says as much of anything else in an hour.
	maxRecent = proto.MaxRoles
)

func (x recent) encode(e *state.Encoder) {
	e.Fixed(x.hash[:])
	e.Int64(x.said)
	e.Int64(x.last)
	e.Uint8(x.n)
	e.Bool(x.owed)
}

func decodeRecent(d *state.Decoder) (x recent) {
	d.Into(x.hash[:])
	x.said, x.last, x.n, x.owed = d.Int64(), d.Int64(), d.Uint8(), d.Bool()
	return x
}

// due reports whether the statement is to be said again now.
func (x recent) due(now millis) bool {
	return x.owed && (x.n == 0 || passed(now, x.last, min(againAfter<<min(x.n-1, 11), day)))
}

// fresh reports whether a joiner of whom nothing was read yet may lack the statement.
func (x recent) fresh(c clock) bool { return c.end-x.said < recentFor }

// noteSaid notes a statement of this member that tickets carry: a joiner may be let in by somebody that has not read it.
func (d *edit) noteSaid(s proto.Statement) {
	switch s.(type) {
	case proto.Bind:
		d.noteBind(s, false)
	case proto.Title, proto.Profile, proto.Role, proto.Revoke, proto.Close:
		all := append(d.keptRecent(), recent{hash: proto.StatementHash(s), said: d.age()})
		d.setRecent(all[max(0, len(all)-maxRecent):])
	}
}

// noteBind notes a bind of this owner, and reports whether there was room. It stands first in the list and takes no place of anything
// else: whoever comes to many places that others have could else have an owner forget what joiners lack. A joiner that lacks a bind gets
// it with a ticket, or when the binding that lost is read.
func (d *edit) noteBind(s proto.Statement, owed bool) bool {
	hash := proto.StatementHash(s)
	all := slices.DeleteFunc(d.keptRecent(), func(x recent) bool { return x.hash == hash })
	if len(all) >= maxRecent {
		return false
	}
	d.setRecent(slices.Insert(all, 0, recent{hash: hash, said: d.age(), owed: owed}))
	return true
}

// oweBind takes in a message of a binding that lost by a bind of this owner: its member may not have read that, so it is owed again. Where
// there is no room for it, it waits for the next message. In an older root nobody says anything any more: who asks from there is refused.
func (d *edit) oweBind(l *reading) {
	_, r, ok := d.preferred()
	if !ok || l.epoch.Root() != r.ID() {
		return
	}
	place, owner := d.place(r)
	r, s, owed := r.Unheeded(l.maker, place, d.now)
	if owner && owed && d.noteBind(s, true) {
		d.setRoot(r)
	}
}

// oweRecent takes in that somebody arrived, who may lack what was said recently.
func (d *edit) oweRecent() {
	all := d.keptRecent()
	for i := range all {
		all[i].owed = true
	}
	d.setRecent(all)
}

// sayRecent says again what somebody who arrived may lack, with the same bytes. What counts no more is not said.
func (d *edit) sayRecent(r members.Root) {
	all := slices.Clone(d.st.news.Value().recent)
	if !slices.ContainsFunc(all, func(x recent) bool { return x.due(d.now) }) {
		return
	}
	counts := map[proto.Digest]proto.Statement{}
	for _, s := range r.Statements() {
		counts[proto.StatementHash(s)] = s
	}
	for i, x := range all {
		try, s := *d, counts[x.hash]
		switch {
		case !x.due(d.now):
		case s == nil:
			all[i].owed = false
		case try.say(statement(s)) == nil:
			*d = try
			all[i].last, all[i].n, all[i].owed = d.now, min(x.n, 254)+1, false
		}
	}
	d.setRecent(all)
}

// keptRecent returns a copy of the list without what nobody can lack any more.
func (d *edit) keptRecent() []recent {
	return slices.DeleteFunc(slices.Clone(d.st.news.Value().recent), func(x recent) bool { return !x.owed && !x.fresh(d.st.clock) })
}

// setRecent replaces the list. It writes nothing if there was none and is none: most members say nothing for months.
func (d *edit) setRecent(all []recent) {
	a := d.st.news.Value()
	if len(a.recent) == 0 && len(all) == 0 {
		return
	}
	a.recent = all
	d.setNews(a)
}
