package relay

import (
	"context"
	"fmt"
	"slices"

	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/relay/api"
	"github.com/trefoil-im/trefoil/relay/store"
)

// Conversations stores who talks with whom, and the sessions in which they do. A session here is an envelope for each device, which the
// relay cannot open. A direct conversation of a trefoil.Client begins one when its keys begin; spaces have topics and no conversation.
type Conversations struct{ b base }

type conversationRow struct {
	ID   api.ConversationID
	Kind api.Kind
	At   int64
}

type pairRow struct {
	Low, High    key.Address
	Conversation api.ConversationID
}

type sessionRow struct {
	Conversation api.ConversationID
	Number       uint64
	Initiator    api.DeviceID
	Identity     [key.PublicKeySize]byte
	At           int64
}

type currentRow struct {
	Conversation api.ConversationID
	Number       uint64
}

type memberRow struct {
	Conversation api.ConversationID
	Person       key.Address
	Since        uint64
}

type leaverRow struct {
	Conversation api.ConversationID
	Person       key.Address
}

type envelopeRow struct {
	Conversation api.ConversationID
	Number       uint64
	Device       api.DeviceID
	Ephemeral    [key.PublicKeySize]byte
	Sealed       []byte
}

type proposalRow struct {
	Device       api.DeviceID
	Key          api.RequestKey
	Digest       [32]byte
	Conversation api.ConversationID
	Number       uint64
}

type budgetRow struct {
	Person   key.Address
	Day      int64 // since 1970
	Sessions int64
	Size     int64
}

func (r *budgetRow) fields() []any       { return []any{&r.Person, &r.Day, &r.Sessions, &r.Size} }
func (r *conversationRow) fields() []any { return []any{&r.ID, &r.Kind, &r.At} }
func (r *pairRow) fields() []any         { return []any{&r.Low, &r.High, &r.Conversation} }
func (r *currentRow) fields() []any      { return []any{&r.Conversation, &r.Number} }
func (r *memberRow) fields() []any       { return []any{&r.Conversation, &r.Person, &r.Since} }
func (r *leaverRow) fields() []any       { return []any{&r.Conversation, &r.Person} }
func (r *sessionRow) fields() []any {
	return []any{&r.Conversation, &r.Number, &r.Initiator, &r.Identity, &r.At}
}
func (r *envelopeRow) fields() []any {
	return []any{&r.Conversation, &r.Number, &r.Device, &r.Ephemeral, &r.Sealed}
}
func (r *proposalRow) fields() []any {
	return []any{&r.Device, &r.Key, &r.Digest, &r.Conversation, &r.Number}
}

var (
	conversations = table[conversationRow, *conversationRow]{store.Conversations}
	pairs         = table[pairRow, *pairRow]{store.Pairs}
	sessions      = table[sessionRow, *sessionRow]{store.Sessions}
	currents      = table[currentRow, *currentRow]{store.Currents}
	members       = table[memberRow, *memberRow]{store.Members}
	leavers       = table[leaverRow, *leaverRow]{store.Leavers}
	envelopes     = table[envelopeRow, *envelopeRow]{store.Envelopes}
	budgets       = table[budgetRow, *budgetRow]{store.Budgets}
	proposals     = table[proposalRow, *proposalRow]{store.Proposals}
)

// membership returns the current session of a conversation and its members, or ErrForbidden if the person is none of them,
// whether there is such a conversation or not.
func membership(r store.Reader, id api.ConversationID, person key.Address) (number uint64, all []memberRow, err error) {
	if _, found, err := members.get(r, id, person); err != nil || !found {
		return 0, nil, or(err, api.ErrForbidden, "not a member")
	}
	current, _, err := currents.get(r, id)
	if err != nil {
		return 0, nil, err
	}
	all, err = members.scan(r, api.MaxMembers, "", id)
	return current.Number, all, err
}

// Get returns a conversation of which the device's person is a member, or ErrForbidden.
func (c *Conversations) Get(ctx context.Context, device api.DeviceID, id api.ConversationID) (out api.Conversation, err error) {
	err = c.b.store.View(ctx, func(r store.Reader) error {
		by, err := caller(r, device)
		if err != nil {
			return err
		}
		number, all, err := membership(r, id, by.Person)
		if err != nil {
			return err
		}
		row, _, err := conversations.get(r, id)
		if err != nil {
			return err
		}
		leaving, err := leavers.scan(r, api.MaxMembers, "", id)
		if err != nil {
			return err
		}
		out = api.Conversation{ID: id, Kind: row.Kind, Number: number}
		for _, l := range leaving {
			out.Leaving = append(out.Leaving, l.Person)
		}
		var staying []key.Address
		for _, m := range all {
			out.Members = append(out.Members, m.Person)
			if !slices.Contains(out.Leaving, m.Person) {
				staying = append(staying, m.Person)
			}
		}
		out.Due, err = due(r, id, number, staying)
		return err
	})
	return out, err
}

// due compares who has part in a session with the devices of some people.
func due(r store.Reader, id api.ConversationID, number uint64, people []key.Address) (api.DevicesError, error) {
	has, err := participants(r, id, number)
	if err != nil {
		return api.DevicesError{}, err
	}
	var should []api.DeviceID
	for _, p := range people {
		live, _, err := devicesOf(r, p)
		if err != nil {
			return api.DevicesError{}, err
		}
		should = append(should, ids(live)...)
	}
	return difference(should, has), nil
}

// participants returns the devices that have part in a session: those with an envelope, and the initiator.
func participants(r store.Reader, id api.ConversationID, number uint64) ([]api.DeviceID, error) {
	s, _, err := sessions.get(r, id, number)
	if err != nil {
		return nil, err
	}
	all := []api.DeviceID{s.Initiator}
	rows, err := envelopes.scan(r, api.MaxEnvelopes, "", id, number)
	for _, e := range rows {
		all = append(all, e.Device)
	}
	return all, err
}

// difference returns what is missing in has, and what is too much, in ascending order.
func difference(should, has []api.DeviceID) (out api.DevicesError) {
	in := make(map[api.DeviceID]int8)
	for _, d := range should {
		in[d] |= 1
	}
	for _, d := range has {
		in[d] |= 2
	}
	for d, where := range in {
		switch where {
		case 1:
			out.Missing = append(out.Missing, d)
		case 2:
			out.Extra = append(out.Extra, d)
		}
	}
	slices.SortFunc(out.Missing, api.DeviceID.Compare)
	slices.SortFunc(out.Extra, api.DeviceID.Compare)
	return out
}

// List returns at most limit conversations of the device's person, 1,000 at most, in ascending order above after; the zero ID
// is below all.
func (c *Conversations) List(ctx context.Context, device api.DeviceID, after api.ConversationID, limit int) (out []api.ConversationID, err error) {
	err = c.b.store.View(ctx, func(r store.Reader) error {
		by, err := caller(r, device)
		if err != nil {
			return err
		}
		out = nil
		rows, err := members.after(r, min(limit, 1000), "person", store.Key{by.Person}, store.Key{after})
		for _, m := range rows {
			out = append(out, m.Conversation)
		}
		return err
	})
	return out, err
}

// Leave says that the device's person wants to be left out. The next session of the conversation must be without it; until then
// it is a member that leaves. It begins no session any longer: the new one must not be known to it. Leaving again is no
// error. A Direct conversation is not left, ErrMalformed.
func (c *Conversations) Leave(ctx context.Context, device api.DeviceID, id api.ConversationID) error {
	return c.b.store.Update(ctx, func(tx store.Tx) error {
		by, err := caller(tx, device)
		if err != nil {
			return err
		}
		number, all, err := membership(tx, id, by.Person)
		if err != nil {
			return err
		}
		row, _, err := conversations.get(tx, id)
		if err != nil {
			return err
		}
		if row.Kind == api.Direct {
			return fmt.Errorf("%w: a direct conversation is not left", api.ErrMalformed)
		}
		if _, found, err := leavers.get(tx, id, by.Person); err != nil || found {
			return err
		}
		if err := leavers.insert(tx, leaverRow{id, by.Person}); err != nil {
			return err
		}
		targets, err := devicesOfMembers(tx, all, device)
		if err != nil {
			return err
		}
		return c.b.notify(tx, by, api.MemberLeaves, api.Notice{Conversation: id, Number: number}, targets)
	})
}

// devicesOfMembers returns the devices of all members but one, in ascending order.
func devicesOfMembers(r store.Reader, all []memberRow, without api.DeviceID) ([]api.DeviceID, error) {
	var out []api.DeviceID
	for _, m := range all {
		live, _, err := devicesOf(r, m.Person)
		if err != nil {
			return nil, err
		}
		for _, d := range live {
			if d.ID != without {
				out = append(out, d.ID)
			}
		}
	}
	slices.SortFunc(out, api.DeviceID.Compare)
	return out, nil
}
