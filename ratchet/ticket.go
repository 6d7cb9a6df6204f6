package ratchet

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/ratchet/internal/epochs"
	"github.com/trefoil-im/trefoil/ratchet/internal/members"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// newTicket returns the frames of a ticket for a request (§9, Tickets).
func (d *edit) newTicket(a proto.Asked, tag proto.Tag, r members.Root, out members.Decision) ([][]byte, error) {
	ctx := proto.TicketContext{Space: d.st.space, Request: a.ID(), Index: a.Index}
	b, err := d.ticketBody(r, a.Index, ctx.Request)
	if err != nil {
		return nil, err
	}
	since, asker := uint64(0), proto.Maker{Index: a.Index, Key: a.Binding.Signing}
	if a.Kind == proto.Join {
		x, serial, _ := r.Record(tag)
		since, b.Certificate, b.Masked = serial, x.Certificate, x.Masked
	} else {
		if key, listed := r.Listed(a.Index); listed {
			asker.Key = key
		} else {
			c := a.Credential // right under the root, unless its binding is held: then nobody looked at the certificate beside it
			if !out.Binding.Credential.IsZero() {
				c = out.Binding.Credential
			}
			asker.Key, b.Certificate, since = c.Key(), c.Certificate, d.sinceOf(r, c.Certificate)
		}
		b.HoldsPreferred = d.st.forest.Has(a.Preferred)
		b.Returned = d.st.forest.Returned(asker, a.Preferred, out.Entered, d.share)
	}
	if k, ok := r.Binding(asker); ok {
		b.Update = k.Update
	}
	if out.Box {
		inbox := a.Inbox
		if a.Kind == proto.Resync {
			inbox = a.Update.Inbox
		}
		if b.ShareBox, err = d.boxShare(a.Index, inbox); err != nil {
			return nil, err
		}
		b.ShareForm = proto.BoxedShare
	} else if a.Kind == proto.Resync && a.Root != r.ID() {
		d.giveShare(&b, a, r, out.Binding)
	}
	return d.sealTicket(r, ctx, a.Ticket, b, epochs.TicketQuery{Joiner: a.Kind == proto.Join, Since: since})
}

// sealTicket adds the epochs that there is room for, and returns the frames.
func (d *edit) sealTicket(r members.Root, ctx proto.TicketContext, key suite.KEMKey, b proto.TicketBody, q epochs.TicketQuery) ([][]byte, error) {
	q.LastRead = d.lastRead(r)
	q.Room = max(1, proto.MaxTicketBody-len(b.Encode().Expose())-proto.MaxTicketEpochs*maxEpochHead)
	told, cut := d.st.forest.ForTicket(q)
	if cut > 0 {
		d.emit(Event{Kind: TicketCut, Count: cut})
	}
	for _, e := range told {
		b.Epochs = append(b.Epochs, e.TicketEpoch)
		b.Members = d.withMaker(b, e)
	}
	whole, err := proto.SealTicket(ctx, key, b, d.st.me().signing)
	if err != nil {
		return nil, err
	}
	split, err := proto.Split(proto.TypeTicket, ctx.Request.Name(), whole, d.max)
	if err != nil {
		return nil, err
	}
	frames := make([][]byte, len(split))
	for k, p := range split {
		frames[k] = p.Frame()
	}
	return frames, nil
}

// maxEpochHead is what an epoch takes in a ticket besides its trees and chains: a commit of at most 372 bytes, three keys, lengths,
// and certificate and binding of its maker.
const maxEpochHead = 1 << 10

// withMaker returns the members of a ticket with the maker of an epoch, outside of every bound: its commit cannot be verified without.
func (d *edit) withMaker(b proto.TicketBody, e epochs.TicketEpoch) []proto.TicketMember {
	if e.Credential.IsZero() || slices.ContainsFunc(b.Members, func(m proto.TicketMember) bool {
		return m.Index == e.Credential.Index() && m.Credential.Key() == e.Credential.Key()
	}) {
		return b.Members
	}
	return append(b.Members, proto.TicketMember{Index: e.Credential.Index(), Credential: e.Credential})
}

// ticketBody returns what every ticket for an index tells of a root, without its epochs.
func (d *edit) ticketBody(r members.Root, asker dkg.Index, id proto.RequestID) (proto.TicketBody, error) {
	me := d.st.me()
	t, ok := d.tp.terms(r.ID())
	if !ok {
		return proto.TicketBody{}, ErrPhase
	}
	b := proto.TicketBody{
		Issuer: me.index, Origin: t.origin, Template: t.template, Root: proto.TicketRoot{Notice: t.notice, Roster: t.roster},
		Statements: ticketStatements(r), Records: r.Open(),
	}
	used := 0
	for _, x := range r.Used() {
		if used += len(x.Encode().Expose()); used > proto.MaxUsedRecords {
			break
		}
		b.Records = append(b.Records, x)
	}
	for i := range r.All() {
		if k, ok := r.ListedBinding(i); ok && k.Answered > 0 {
			b.Answered = append(b.Answered, proto.Answered{Index: i, Counter: k.Answered})
		}
	}
	room := ticketRoom{proto.MaxTicketBindings, proto.MaxTicketRests, proto.MaxTicketInboxes}
	rest := proto.MaxTicketBody - len(b.Encode().Expose()) - room.bindings - room.rests - roomForEpochs
	room.inboxes = max(0, min(room.inboxes, rest)) // in a space of thousands
	b.Members = d.ticketMembers(r, asker, id, room)
	return b, nil
}

// roomForEpochs is what a ticket has left for epochs at least, in bytes: the keys of the newest for 16,000 members.
const roomForEpochs = 640 << 10

// ticketStatements returns the statements of a ticket, within their bounds: those that decide who is a member are left out last.
func ticketStatements(r members.Root) (out [][]byte) {
	var deciding, titles, profiles int
	for _, s := range r.Statements() {
		raw, used, limit := proto.EncodeStatement(s), &deciding, proto.MaxTicketStatements
		switch s.(type) {
		case proto.Title:
			used, limit = &titles, proto.MaxTicketTitles
		case proto.Profile:
			used, limit = &profiles, proto.MaxTicketRests
		}
		if *used += len(raw); *used <= limit {
			out = append(out, raw)
		}
	}
	return out
}

// ticketMembers returns what a ticket tells of members (§9, What goes in, 3): this member, then those that left, then the others as far
// as there is room: most of it for those last heard, the rest for all by turns.
func (d *edit) ticketMembers(r members.Root, asker dkg.Index, id proto.RequestID, room ticketRoom) []proto.TicketMember {
	all := d.byHearing(r, id)
	seats := map[dkg.Index]bool{}
	for _, i := range r.Seats() {
		seats[i] = true
	}
	var out []proto.TicketMember
	for _, b := range all {
		m := proto.TicketMember{Index: b.Index, Credential: b.Credential}
		own := b.Maker == d.st.me().maker()
		if own || seats[b.Index] || seats[asker] {
			m.Inbox, m.Update = b.Inbox, b.Update
		}
		m.HasRest, m.Rest, m.Admission = b.Profiled, b.Rest, b.Admission
		if own {
			m.HasRest, m.Rest, m.Inbox = true, d.st.me().rest, d.st.me().inboxes[0].secret.Public
			m.Admission = d.st.me().binding.Admission
		}
		if m, ok := room.fit(m, own || b.Left()); ok {
			out = append(out, m)
		}
	}
	return out
}

// ticketRoom is what is left for what a ticket tells of members, in bytes.
type ticketRoom struct{ bindings, rests, inboxes int }

// fit returns what there is room for of a member. It is not ok if that is nothing. One that must be told has its credential outside of
// the bound.
func (x *ticketRoom) fit(m proto.TicketMember, must bool) (proto.TicketMember, bool) {
	const head = 8
	if !m.Credential.IsZero() && !must {
		n := head + len(m.Credential.Certificate.Encode()) + len(m.Credential.Binding.Encode())
		if x.bindings -= n; x.bindings < 0 {
			x.bindings = 0
			return m, false
		}
	}
	if n := head + len(m.Rest.Encode()); m.HasRest && n > x.rests {
		m.HasRest, m.Rest, m.Inbox = false, proto.Rest{}, suite.KEMKey{}
	} else if m.HasRest {
		x.rests -= n
	}
	if !m.HasRest {
		m.Inbox = suite.KEMKey{}
	}
	if n := len(m.Inbox.Bytes()) + len(m.Update.Encode()); n > x.inboxes {
		m.Inbox, m.Update = suite.KEMKey{}, proto.Update{}
	} else {
		x.inboxes -= n
	}
	return m, !m.Credential.IsZero() || m.HasRest || !m.Update.IsZero()
}

// byHearing returns the bindings of a root in the order in which a ticket has room for them: this member, those that left, then of the
// others three of four from those heard last, one from all by turns, which begin where the request says.
func (d *edit) byHearing(r members.Root, id proto.RequestID) []*members.Binding {
	me, last := d.st.me(), d.lastRead(r)
	var first, others []*members.Binding
	heardIn := map[dkg.Index]uint64{} // generations
	for i := range r.All() {
		heardIn[i] = d.generationOf(last[i].ID)
		of := r.Bindings(i)
		for k := range of {
			if b := &of[k]; b.Maker == me.maker() || b.Left() {
				first = append(first, b)
			} else {
				others = append(others, b)
			}
		}
	}
	if _, listed := r.Listed(me.index); listed && !slices.ContainsFunc(first, func(b *members.Binding) bool { return b.Maker == me.maker() }) {
		first = append(first, &members.Binding{Identity: members.Identity{Maker: me.maker()}})
	}
	heard, turn := slices.Clone(others), others
	slices.SortStableFunc(heard, func(a, b *members.Binding) int { return cmp.Compare(heardIn[b.Index], heardIn[a.Index]) })
	if n := len(turn); n > 0 {
		h := suite.Hash(id[:])
		at := int(binary.BigEndian.Uint32(h[:]) % uint32(n))
		turn = slices.Concat(turn[at:], turn[:at])
	}
	taken := map[proto.Maker]bool{}
	for k := 0; len(taken) < len(others); k++ {
		from := &heard
		if k%4 == 3 {
			from = &turn
		}
		for len(*from) > 0 {
			b := (*from)[0]
			*from = (*from)[1:]
			if !taken[b.Maker] {
				taken[b.Maker] = true
				first = append(first, b)
				break
			}
		}
	}
	return first
}

// generationOf returns the generation of an epoch held, behind that of its root's; 0 for one that is not.
func (d *edit) generationOf(id proto.EpochID) uint64 {
	e, ok := d.st.forest.Epoch(id)
	if !ok {
		return 0
	}
	return e.Generation() + 1
}

// sinceOf returns the number of the epoch that was entered last when the record of an invite came. One that did not come yet counts as
// if it came now: who came by it may be shown nothing of what was before.
func (d *edit) sinceOf(r members.Root, c proto.Certificate) uint64 {
	if x, ok := r.Invite(c.Name()); ok {
		_, serial, _ := r.Record(x.Tag(r.Space()))
		return serial
	}
	return d.st.forest.Entered()
}

// boxShare boxes the share of an index, which an owner's evals give, to an inbox key.
func (d *edit) boxShare(i dkg.Index, inbox suite.KEMKey) ([]byte, error) {
	s, err := d.ev.Share(i)
	if err != nil {
		return nil, err
	}
	return proto.SealShare(d.st.space, inbox, s)
}
