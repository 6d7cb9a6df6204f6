package relay

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/relay/api"
	"github.com/trefoil-im/trefoil/relay/store"
)

// Begin writes the next session of a conversation, with all that belongs to it, or nothing: the conversation and its members
// if Base is 0, the members who come and go, the session with its initiator, an envelope for each device, and a notice to
// each device.
//
// The same proposal again returns the same; another one with the same key is ErrReused. If two people have a conversation
// already, and another one of this pair is proposed, nothing is written, and the answer names the one that there is.
// Otherwise Begin returns a *StaleError with the current number if Base is not current; a *DevicesError if the envelopes are
// not for exactly the devices of the members; a *MembersError if members are not in the directory, or leave; ErrForbidden if
// the caller is not a member, or leaves; ErrExists if the ID is taken; ErrQuota after api.MaxSessions in a day, or
// api.MaxDirectSessions of a direct conversation; ErrMalformed for what no relay takes, and for other members of a Direct
// conversation.
//
// Which member may add or remove whom, the relay does not decide: the program that mounts it asks before it calls Begin, and
// the devices decide what they accept.
func (c *Conversations) Begin(ctx context.Context, device api.DeviceID, p api.Proposal) (out api.Begun, err error) {
	if err := p.Check(); err != nil {
		return api.Begun{}, err
	}
	digest := p.Digest()
	err = c.b.store.Update(ctx, func(tx store.Tx) error {
		out, err = c.b.begin(tx, device, proposal{p}, digest)
		return err
	})
	if err != nil {
		return api.Begun{}, err
	}
	return out, nil
}

// proposal is a proposal with what is done with it.
type proposal struct{ api.Proposal }

func (b base) begin(tx store.Tx, device api.DeviceID, p proposal, digest [32]byte) (api.Begun, error) {
	by, err := caller(tx, device)
	if err != nil {
		return api.Begun{}, err
	}
	if before, found, err := proposals.get(tx, device, p.Key); err != nil || found {
		if err == nil && before.Digest != digest {
			err = fmt.Errorf("%w: key of a request", api.ErrReused)
		}
		return api.Begun{Conversation: before.Conversation, Number: before.Number, Adopted: true}, err
	}
	if !slices.Contains(p.Members, by.Person) {
		return api.Begun{}, fmt.Errorf("%w: who proposes is a member", api.ErrForbidden)
	}
	if pair, found, err := pairOf(tx, p); err != nil || found && (p.Base == 0 || pair != p.Conversation) {
		if err != nil {
			return api.Begun{}, err
		}
		current, _, err := currents.get(tx, pair)
		return api.Begun{Conversation: pair, Number: current.Number, Adopted: false}, err
	}
	before, err := membersBefore(tx, p, by.Person)
	if err != nil {
		return api.Begun{}, err
	}
	targets, err := p.targets(tx, device)
	if err != nil {
		return api.Begun{}, err
	}
	number := p.Base + 1
	if err := p.pace(tx, b.now()); err != nil {
		return api.Begun{}, err
	}
	err = p.spend(tx, by.Person, b.now())
	if err == nil && p.Base == 0 {
		err = p.create(tx, b.now())
	}
	if err == nil {
		err = p.write(tx, by, number, digest, b.now())
	}
	if err == nil {
		err = b.changeMembers(tx, by, p, number, before)
	}
	if err == nil {
		err = b.notify(tx, by, api.SessionBegan, api.Notice{Conversation: p.Conversation, Number: number}, targets)
	}
	return api.Begun{Conversation: p.Conversation, Number: number, Adopted: true}, err
}

// pairOf returns the conversation of the two members of a direct one, if they have one.
func pairOf(tx store.Tx, p proposal) (api.ConversationID, bool, error) {
	if p.Kind != api.Direct {
		return api.ConversationID{}, false, nil
	}
	low, high := p.pair()
	row, found, err := pairs.get(tx, low, high)
	return row.Conversation, found, err
}

// pair returns the two members in ascending order.
func (p proposal) pair() (low, high key.Address) {
	s := slices.SortedFunc(slices.Values(p.Members), func(a, b key.Address) int { return bytes.Compare(a[:], b[:]) })
	return s[0], s[1]
}

// membersBefore returns who was a member before the proposal, and finds out whether the proposal fits the conversation.
func membersBefore(tx store.Tx, p proposal, person key.Address) ([]memberRow, error) {
	row, found, err := conversations.get(tx, p.Conversation)
	if err != nil {
		return nil, err
	}
	if p.Base == 0 {
		if found {
			return nil, fmt.Errorf("%w: a conversation of this ID", api.ErrExists)
		}
		return nil, nil
	}
	number, all, err := membership(tx, p.Conversation, person)
	if err != nil {
		return nil, err
	}
	leaving, err := leavers.scan(tx, api.MaxMembers, "", p.Conversation)
	if err != nil {
		return nil, err
	}
	wrong := &api.MembersError{}
	for _, l := range leaving {
		if l.Person == person {
			return nil, fmt.Errorf("%w: who leaves begins no session", api.ErrForbidden)
		}
		if slices.Contains(p.Members, l.Person) {
			wrong.Leaving = append(wrong.Leaving, l.Person)
		}
	}
	switch {
	case number != p.Base:
		return nil, &api.StaleError{Current: number}
	case len(wrong.Leaving) > 0:
		return nil, wrong
	case row.Kind != p.Kind:
		return nil, fmt.Errorf("%w: kind of the conversation", api.ErrMalformed)
	case p.Kind == api.Direct && slices.ContainsFunc(all, func(m memberRow) bool { return !slices.Contains(p.Members, m.Person) }):
		return nil, fmt.Errorf("%w: members of a direct conversation stay", api.ErrMalformed)
	}
	return all, nil
}

// targets returns the devices that the envelopes are for: exactly those of all members but the one that proposes.
func (p proposal) targets(tx store.Tx, device api.DeviceID) ([]api.DeviceID, error) {
	var should, has []api.DeviceID
	wrong := &api.MembersError{}
	for _, m := range p.Members {
		live, _, err := devicesOf(tx, m)
		if err != nil {
			return nil, err
		}
		if len(live) == 0 { // a registration names a device at least
			wrong.Unknown = append(wrong.Unknown, m)
		}
		for _, d := range live {
			if d.ID != device {
				should = append(should, d.ID)
			}
		}
	}
	if len(wrong.Unknown) > 0 {
		return nil, wrong
	}
	for _, e := range p.Envelopes {
		has = append(has, e.Device)
	}
	if d := difference(should, has); len(d.Missing)+len(d.Extra) > 0 {
		return nil, &d
	}
	slices.SortFunc(should, api.DeviceID.Compare)
	return should, nil
}

// day is a day in milliseconds.
const day = 24 * 60 * 60 * 1000

// pace refuses a session of a direct conversation that would be one of too many in a day.
func (p proposal) pace(tx store.Tx, now int64) error {
	if p.Kind != api.Direct || p.Base < api.MaxDirectSessions {
		return nil
	}
	s, _, err := sessions.get(tx, p.Conversation, p.Base+1-api.MaxDirectSessions)
	if err == nil && s.At > now-day {
		err = fmt.Errorf("%w: sessions of a direct conversation in a day", api.ErrQuota)
	}
	return err
}

// spend counts the session and its envelopes against what a person may write in a day.
func (p proposal) spend(tx store.Tx, person key.Address, now int64) error {
	today := now / day
	spent, found, err := budgets.get(tx, person, today)
	if err != nil {
		return err
	}
	if !found {
		spent = budgetRow{Person: person, Day: today}
	}
	spent.Sessions++
	for _, e := range p.Envelopes {
		spent.Size += int64(len(e.Sealed))
	}
	if spent.Sessions > api.MaxSessions || spent.Size > api.MaxSealedADay {
		return fmt.Errorf("%w: sessions of a day", api.ErrQuota)
	}
	return budgets.put(tx, spent)
}

// create writes the conversation itself.
func (p proposal) create(tx store.Tx, now int64) error {
	if err := conversations.insert(tx, conversationRow{p.Conversation, p.Kind, now}); err != nil || p.Kind != api.Direct {
		return err
	}
	low, high := p.pair()
	return pairs.insert(tx, pairRow{low, high, p.Conversation})
}

// write writes the session.
func (p proposal) write(tx store.Tx, by deviceRow, number uint64, digest [32]byte, now int64) error {
	if err := sessions.insert(tx, sessionRow{p.Conversation, number, by.ID, by.Identity, now}); err != nil {
		return err
	}
	if err := currents.put(tx, currentRow{p.Conversation, number}); err != nil {
		return err
	}
	rows := make([]envelopeRow, len(p.Envelopes))
	for i, e := range p.Envelopes {
		rows[i] = envelopeRow{p.Conversation, number, e.Device, [key.PublicKeySize]byte(e.Ephemeral), e.Sealed}
	}
	if err := envelopes.insert(tx, rows...); err != nil {
		return err
	}
	return proposals.insert(tx, proposalRow{by.ID, p.Key, digest, p.Conversation, number})
}

// changeMembers adds who is new and removes who is not named any longer, and tells those.
func (b base) changeMembers(tx store.Tx, by deviceRow, p proposal, number uint64, before []memberRow) error {
	staying := make(map[key.Address]bool)
	var removed []memberRow
	for _, m := range before {
		if slices.Contains(p.Members, m.Person) {
			staying[m.Person] = true
		} else {
			removed = append(removed, m)
		}
	}
	var added []memberRow
	for _, m := range p.Members {
		if !staying[m] {
			added = append(added, memberRow{p.Conversation, m, number})
		}
	}
	if err := members.insert(tx, added...); err != nil {
		return err
	}
	for _, m := range removed {
		if err := leavers.remove(tx, leaverRow{m.Conversation, m.Person}); err != nil {
			return err
		}
	}
	if err := members.remove(tx, removed...); err != nil {
		return err
	}
	targets, err := devicesOfMembers(tx, removed, by.ID)
	if err != nil {
		return err
	}
	return b.notify(tx, by, api.MemberRemoved, api.Notice{Conversation: p.Conversation, Number: number}, targets)
}
