package relay_test

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/relay/api"
	"github.com/trefoil-im/trefoil/relay/store"
)

// A proposal that lacks anything is refused before it is looked at closer.
func TestProposalsAreComplete(t *testing.T) {
	w := inMemory(t)
	a, b, c := w.person(1), w.person(1), w.person(1)
	d := a.devices[0]
	for name, x := range map[string]struct {
		want  error
		spoil func(*api.Proposal)
	}{
		"no key":            {api.ErrMalformed, func(p *api.Proposal) { p.Key = api.RequestKey{} }},
		"no conversation":   {api.ErrMalformed, func(p *api.Proposal) { p.Conversation = api.ConversationID{} }},
		"no kind":           {api.ErrMalformed, func(p *api.Proposal) { p.Kind = 0 }},
		"no members":        {api.ErrMalformed, func(p *api.Proposal) { p.Members = nil }},
		"one twice":         {api.ErrMalformed, func(p *api.Proposal) { p.Members[1] = p.Members[0] }},
		"three in a pair":   {api.ErrMalformed, func(p *api.Proposal) { p.Members = addresses(a, b, c) }},
		"no ephemeral key":  {api.ErrMalformed, func(p *api.Proposal) { p.Envelopes[0].Ephemeral = nil }},
		"a bad key":         {api.ErrMalformed, func(p *api.Proposal) { p.Envelopes[0].Ephemeral = make([]byte, 57) }},
		"nothing sealed":    {api.ErrMalformed, func(p *api.Proposal) { p.Envelopes[0].Sealed = nil }},
		"too much sealed":   {api.ErrMalformed, func(p *api.Proposal) { p.Envelopes[0].Sealed = make([]byte, api.MaxSealed+1) }},
		"an envelope twice": {api.ErrMalformed, func(p *api.Proposal) { p.Envelopes = append(p.Envelopes, p.Envelopes[0]) }},
		"no envelopes":      {api.ErrDevices, func(p *api.Proposal) { p.Envelopes = nil }},
		"without oneself":   {api.ErrForbidden, func(p *api.Proposal) { p.Members = addresses(b, c) }},
		"somebody unknown":  {api.ErrMembers, func(p *api.Proposal) { p.Members[1] = [32]byte{7} }},
		"not the first":     {api.ErrForbidden, func(p *api.Proposal) { p.Base = 1 }},
		"an absurd base":    {api.ErrMalformed, func(p *api.Proposal) { p.Base = 1<<64 - 1 }},
	} {
		t.Run(name, func(t *testing.T) {
			p := d.junk(newConversation(), api.Direct, 0, a, b)
			x.spoil(&p)
			w.refused(x.want, func() error {
				_, err := w.r.Conversations.Begin(t.Context(), d.id, p)
				return err
			})
		})
	}
	_, err := w.r.Conversations.Begin(t.Context(), api.DeviceID{1}, d.junk(newConversation(), api.Direct, 0, a, b))
	require.ErrorIs(t, err, api.ErrForbidden)
}

// The answer names the devices that are missing and those that are too many.
func TestEnvelopesEqualTheDirectory(t *testing.T) {
	w := inMemory(t)
	a, b, c := w.person(2), w.person(2), w.person(1)
	d := a.devices[0]
	p := d.junk(newConversation(), api.Group, 0, a, b)
	p.Envelopes = append(p.Envelopes[1:], api.Envelope{Device: c.devices[0].id, Ephemeral: ephemeral(), Sealed: []byte("x")})
	var wrong *api.DevicesError
	w.refused(api.ErrDevices, func() error {
		_, err := w.r.Conversations.Begin(t.Context(), d.id, p)
		require.ErrorAs(t, err, &wrong)
		return err
	})
	require.Equal(t, []api.DeviceID{a.devices[1].id}, wrong.Missing)
	require.Equal(t, []api.DeviceID{c.devices[0].id}, wrong.Extra)

	// A device that comes between making the envelopes and proposing them is not left out.
	p = d.junk(newConversation(), api.Group, 0, a, b)
	b.publish(b.newDevice())
	_, err := w.r.Conversations.Begin(t.Context(), d.id, p)
	require.ErrorAs(t, err, &wrong)
	require.Equal(t, []api.DeviceID{b.devices[2].id}, wrong.Missing)
	d.begin(d.junk(p.Conversation, api.Group, 0, a, b))
}

// A member is removed by a session without it, for exactly those who stay, and by nothing else.
func TestRemovalNeedsASession(t *testing.T) {
	w := inMemory(t)
	a, b, c := w.person(1), w.person(1), w.person(1)
	d, id := a.devices[0], newConversation()
	d.begin(d.junk(id, api.Group, 0, a, b, c))
	p := d.junk(id, api.Group, 1, a, b, c)
	p.Members = addresses(a, b) // with an envelope for who is removed
	w.refused(api.ErrDevices, func() error {
		_, err := w.r.Conversations.Begin(t.Context(), d.id, p)
		return err
	})
	d.begin(d.junk(id, api.Group, 1, a, b))
	got, err := w.r.Conversations.Get(t.Context(), d.id, id)
	require.NoError(t, err)
	require.ElementsMatch(t, addresses(a, b), got.Members)
	require.Empty(t, got.Due.Missing)
	require.Empty(t, got.Due.Extra)
	_, err = w.r.Conversations.Get(t.Context(), c.devices[0].id, id)
	require.ErrorIs(t, err, api.ErrForbidden)
	last := c.devices[0].inbox()[1]
	require.Equal(t, api.MemberRemoved, last.Kind)
	n, err := api.ParseNotice(last.Data)
	require.NoError(t, err)
	require.Equal(t, api.Notice{Conversation: id, Number: 2}, n)
}

// Who leaves is a member until somebody else begins a session without it, and no session can be begun with it.
func TestLeaving(t *testing.T) {
	w := inMemory(t)
	a, b, c := w.person(1), w.person(1), w.person(1)
	d, id := a.devices[0], newConversation()
	d.begin(d.junk(id, api.Group, 0, a, b, c))
	require.NoError(t, w.r.Conversations.Leave(t.Context(), c.devices[0].id, id))
	require.NoError(t, w.r.Conversations.Leave(t.Context(), c.devices[0].id, id))
	got, err := w.r.Conversations.Get(t.Context(), d.id, id)
	require.NoError(t, err)
	require.Equal(t, addresses(c), got.Leaving)
	require.Equal(t, []api.DeviceID{c.devices[0].id}, got.Due.Extra)
	w.refused(api.ErrMembers, func() error {
		_, err := w.r.Conversations.Begin(t.Context(), d.id, d.junk(id, api.Group, 1, a, b, c))
		var wrong *api.MembersError
		require.ErrorAs(t, err, &wrong)
		require.Equal(t, addresses(c), wrong.Leaving)
		return err
	})
	w.refused(api.ErrForbidden, func() error {
		_, err := w.r.Conversations.Begin(t.Context(), c.devices[0].id, c.devices[0].junk(id, api.Group, 1, a, b, c))
		return err
	})
	d.begin(d.junk(id, api.Group, 1, a, b))
	d.begin(d.junk(id, api.Group, 2, a, b, c)) // and may come back
	pair := newConversation()
	d.begin(d.junk(pair, api.Direct, 0, a, b))
	w.refused(api.ErrMalformed, func() error { return w.r.Conversations.Leave(t.Context(), d.id, pair) })
}

// A proposal that is repeated is answered again; another one under its key is refused.
func TestProposalsRepeat(t *testing.T) {
	w := inMemory(t)
	a, b := w.person(1), w.person(2)
	d := a.devices[0]
	p := d.junk(newConversation(), api.Direct, 0, a, b)
	d.begin(p)
	before := w.dump()
	slices.Reverse(p.Envelopes)
	slices.Reverse(p.Members)
	d.begin(p)
	require.Equal(t, before, w.dump())
	p.Envelopes[0].Sealed = []byte("another")
	w.refused(api.ErrReused, func() error {
		_, err := w.r.Conversations.Begin(t.Context(), d.id, p)
		return err
	})
}

// However many create the conversation of a pair at once, from either side, there is one, and all learn which.
func fiftyCreations(t *testing.T, w *world) {
	a, b := w.person(2), w.person(2)
	var all sync.WaitGroup
	begun := make([]api.Begun, 50)
	for i := range begun {
		by := append(a.devices[:2:2], b.devices...)[i%4]
		p := by.junk(newConversation(), api.Direct, 0, a, b)
		all.Go(func() {
			var err error
			if begun[i], err = w.r.Conversations.Begin(t.Context(), by.id, p); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	adopted := 0
	for _, g := range begun {
		require.Equal(t, begun[0].Conversation, g.Conversation)
		require.Equal(t, uint64(1), g.Number)
		if g.Adopted {
			adopted++
		}
	}
	require.Equal(t, 1, adopted)
	mine, err := w.r.Conversations.List(t.Context(), b.devices[0].id, api.ConversationID{}, 100)
	require.NoError(t, err)
	require.Equal(t, []api.ConversationID{begun[0].Conversation}, mine)
}

// Of many rotations with one key there is one session; with keys of their own the sessions have no gaps, and each has one winner. There
// are a hundred in memory, and in a database with TREFOIL_LONG in the environment.
func manyRotations(t *testing.T, w *world) {
	each := 25 // of four devices
	if _, quick := w.store.(*store.Memory); !quick && os.Getenv("TREFOIL_LONG") == "" {
		each = 5
	}
	a, b := w.person(2), w.person(2)
	id := newConversation()
	a.devices[0].begin(a.devices[0].junk(id, api.Direct, 0, a, b))
	p := a.devices[0].junk(id, api.Direct, 1, a, b)
	var all sync.WaitGroup
	for range 4 * each {
		all.Go(func() {
			got, err := w.r.Conversations.Begin(t.Context(), a.devices[0].id, p)
			if err != nil || got.Number != 2 {
				t.Error(got, err)
			}
		})
	}
	all.Wait()
	won := make([][]uint64, 4)
	for i, d := range append(a.devices[:2:2], b.devices...) {
		all.Go(func() {
			base := uint64(2)
			for len(won[i]) < each {
				got, err := w.r.Conversations.Begin(t.Context(), d.id, d.junk(id, api.Direct, base, a, b))
				var stale *api.StaleError
				switch {
				case err == nil:
					won[i] = append(won[i], got.Number)
					base = got.Number
				case errors.As(err, &stale):
					base = stale.Current
				default:
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	numbers := slices.Sorted(slices.Values(slices.Concat(won...)))
	for i, n := range numbers {
		require.Equal(t, uint64(i+3), n)
	}
	require.Len(t, numbers, 4*each)
}

// A pair has so many sessions in a day, whoever of them begins them, and no other pair is hindered.
func TestSessionsOfAPairInADay(t *testing.T) {
	w := newWorld(t, store.NewMemory())
	a, b, c := w.person(1), w.person(1), w.person(1)
	id, by := newConversation(), []*device{a.devices[0], b.devices[0]}
	for n := range uint64(api.MaxDirectSessions) {
		by[n%2].begin(by[n%2].junk(id, api.Direct, n, a, b))
	}
	for _, d := range by {
		w.refused(api.ErrQuota, func() error {
			_, err := w.r.Conversations.Begin(t.Context(), d.id, d.junk(id, api.Direct, api.MaxDirectSessions, a, b))
			return err
		})
	}
	c.devices[0].begin(c.devices[0].junk(newConversation(), api.Direct, 0, c, a))
	w.now = w.now.Add(24 * time.Hour)
	a.devices[0].begin(a.devices[0].junk(id, api.Direct, api.MaxDirectSessions, a, b))
}

// Reading writes nothing: the dump after each read is the one before, and a View has no method that writes.
func TestReadingNeverWrites(t *testing.T) {
	w := inMemory(t)
	a, b := w.person(1), w.person(2)
	d, id := a.devices[0], newConversation()
	d.begin(d.junk(id, api.Direct, 0, a, b))
	before := w.dump()
	for name, read := range map[string]func() error{
		"Get":     func() error { _, err := w.r.Conversations.Get(t.Context(), d.id, id); return err },
		"Initial": func() error { _, err := w.r.Conversations.Initial(t.Context(), b.devices[1].id, id, 1); return err },
		"List": func() error {
			_, err := w.r.Conversations.List(t.Context(), d.id, api.ConversationID{}, 9)
			return err
		},
		"Page":   func() error { _, err := w.r.Mailboxes.Page(t.Context(), b.devices[0].id, 0, 999); return err },
		"Lookup": func() error { _, err := w.r.Directory.Lookup(t.Context(), b.address(), 0); return err },
		"Log":    func() error { _, err := w.r.Directory.Log(t.Context()); return err },
	} {
		require.NoError(t, read(), name)
		require.Equal(t, before, w.dump(), name)
	}
}

// Who asks for a session is answered by its part in it.
func TestInitialIsTyped(t *testing.T) {
	w := inMemory(t)
	a, b, c := w.person(1), w.person(1), w.person(1)
	d, id := a.devices[0], newConversation()
	d.begin(d.junk(id, api.Group, 0, a, b))
	initial := func(d *device, c api.ConversationID, n uint64) error {
		_, err := w.r.Conversations.Initial(t.Context(), d.id, c, n)
		return err
	}
	own, err := w.r.Conversations.Initial(t.Context(), d.id, id, 1)
	require.NoError(t, err)
	require.Equal(t, d.id, own.Initiator)
	require.Equal(t, d.d.Identity().Bytes(), own.Identity)
	require.Empty(t, own.Envelopes)
	require.ErrorIs(t, initial(c.devices[0], id, 1), api.ErrForbidden)
	require.ErrorIs(t, initial(c.devices[0], id, 2), api.ErrForbidden)
	require.ErrorIs(t, initial(c.devices[0], newConversation(), 1), api.ErrForbidden, "no oracle for what there is")
	require.ErrorIs(t, initial(b.devices[0], id, 2), api.ErrNotFound)
	require.ErrorIs(t, initial(b.devices[0], id, 1<<63), api.ErrMalformed)

	b.publish(b.newDevice())
	var before *api.BeforeJoinedError
	require.ErrorAs(t, initial(b.devices[1], id, 1), &before)
	require.Zero(t, before.First)
	d.begin(d.junk(id, api.Group, 1, a, b, c))
	require.ErrorAs(t, initial(b.devices[1], id, 1), &before)
	require.Equal(t, uint64(2), before.First)
	require.ErrorAs(t, initial(c.devices[0], id, 1), &before)
	require.Equal(t, uint64(2), before.First)
	require.NoError(t, initial(c.devices[0], id, 2))

	d.begin(d.junk(id, api.Group, 2, a, b))
	require.NoError(t, initial(c.devices[0], id, 2), "it had this session")
	require.ErrorIs(t, initial(c.devices[0], id, 3), api.ErrForbidden)
	require.ErrorIs(t, initial(c.devices[0], id, 1), api.ErrForbidden)
	require.Contains(t, fmt.Sprint(before), "session 2")
}
