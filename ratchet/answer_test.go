package ratchet_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/ratchet/internal/outcome"
	"github.com/trefoil-im/trefoil/ratchet/internal/prototest"
	"github.com/trefoil-im/trefoil/ratchet/ratchettest"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
)

// First bytes of frames (§7).
const (
	ticketFrame  = 0x22
	requestFrame = 0x23
)

// inVaults puts the members of a group into vaults.
func inVaults(t *testing.T, n int) (*relay, []*device) {
	t.Helper()
	r := newRelay(t)
	for _, p := range ratchettest.NewGroup(t, n, ratchettest.Small).Peers {
		r.add(p.Name, p.Space)
	}
	return r, r.devices
}

func (r *relay) options() ratchet.Options {
	return ratchet.Options{Topic: "space", Now: func() time.Time { return r.now }}
}

func (r *relay) space(d *device) ratchet.Space {
	r.t.Helper()
	s, err := d.vault.Load(r.ctx, r.id)
	require.NoError(r.t, err)
	return s
}

// asks adds a joiner with a grant of the first device, and returns its request.
func (r *relay) asks(name string) (*device, []byte) {
	r.t.Helper()
	var grant ratchet.Grant
	require.NoError(r.t, r.devices[0].vault.Update(r.ctx, r.id, func(tx *state.Tx[ratchet.Space]) error {
		next, g, err := ratchet.NewGrant(tx.Value(), r.now, dkg.Private)
		tx.Set(next)
		grant = g
		return err
	}))
	s, q, err := ratchet.Join(grant, r.now, []byte(name))
	require.NoError(r.t, err)
	return r.add(name, s), q
}

// hand gives a device a frame and returns what it has to send afterwards.
func (r *relay) hand(d *device, source string, frame []byte) (verdict state.Verdict, out [][]byte) {
	r.t.Helper()
	receipt, err := d.vault.Receive(r.ctx, r.id, state.Frame{Source: source, Data: frame}, ratchet.Opener(r.options()))
	require.NoError(r.t, err)
	return receipt.Verdict, r.flush(d)
}

// tend lets a device do its duties, and returns what it has to send afterwards.
func (r *relay) tend(d *device) [][]byte {
	r.t.Helper()
	require.NoError(r.t, d.vault.Update(r.ctx, r.id, ratchet.Maintain(r.options())))
	_, err := d.vault.Retry(r.ctx, r.id, ratchet.Opener(r.options()))
	require.NoError(r.t, err)
	return r.flush(d)
}

func (r *relay) flush(d *device) (out [][]byte) {
	r.t.Helper()
	_, err := d.vault.Flush(r.ctx, r.id, func(_ context.Context, o state.Outgoing) state.Delivery {
		out = append(out, slices.Clone(o.Data))
		return state.Delivered()
	})
	require.NoError(r.t, err)
	return out
}

// tickets returns those of some frames that are tickets.
func tickets(frames [][]byte) [][]byte {
	return slices.DeleteFunc(frames, func(f []byte) bool { return f[0] != ticketFrame })
}

// Two of many members answer a request at once; the others leave it to them, and settle it when they hear the joiner.
func TestTwoAnswerAtOnce(t *testing.T) {
	r, members := inVaults(t, 12)
	joiner, request := r.asks("joiner")
	var answers [][]byte
	retained := 0
	for _, d := range members {
		verdict, out := r.hand(d, "joiner", request)
		answers = append(answers, tickets(out)...)
		if verdict == state.Retain {
			retained++
			require.False(t, ratchet.Due(r.space(d), r.now).Answer)
		}
	}
	require.Len(t, answers, 2)
	require.Equal(t, 10, retained)
	_, first := r.hand(joiner, "m", answers[0])
	require.Len(t, first, 1)
	r.now = r.now.Add(time.Hour)
	for _, d := range members {
		verdict, out := r.hand(d, "joiner", first[0])
		require.Equal(t, state.Read, verdict)
		require.Empty(t, tickets(append(out, r.tend(d)...)), "the joiner was heard")
		require.False(t, ratchet.Due(r.space(d), r.now.Add(24*time.Hour)).Answer)
	}
}

// If those who are to answer do not, the others do, one after the other, each later than the one before and sooner than in
// ten minutes; and whoever saw tickets waits longer.
func TestOthersAnswerInTurn(t *testing.T) {
	r, members := inVaults(t, 12)
	_, request := r.asks("joiner")
	var waiting []*device
	for _, d := range members {
		if verdict, _ := r.hand(d, "joiner", request); verdict == state.Retain {
			waiting = append(waiting, d)
		}
	}
	waiting[0].vault = r.open(waiting[0].store) // it is stored who waits
	var turns []time.Duration
	start := r.now
	for len(waiting) > 0 {
		r.now = r.now.Add(5 * time.Second)
		require.Less(t, r.now.Sub(start), 10*time.Minute)
		waiting = slices.DeleteFunc(waiting, func(d *device) bool {
			due := ratchet.Due(r.space(d), r.now).Answer
			out := tickets(r.tend(d))
			require.Equal(t, due, len(out) == 1)
			if due {
				turns = append(turns, r.now.Sub(start))
			}
			require.False(t, ratchet.Due(r.space(d), r.now).Answer)
			return due
		})
	}
	require.Len(t, turns, 10)
	require.Equal(t, 10, len(slices.Compact(turns)), "one at a time")
}

// Tickets that are seen put off the turns of the others, and never end them: nobody can verify a ticket for somebody else.
// One mailbox does so once, and one that is no member's not at all.
func TestSeenTicketsDelay(t *testing.T) {
	forged := func(request []byte, salt byte) []byte {
		return prototest.FakeTicket(request, salt)
	}
	// turn returns how long a member waits that has seen tickets from some mailboxes.
	turn := func(sources ...string) (wait time.Duration) {
		r, members := inVaults(t, 5)
		_, request := r.asks("joiner")
		for _, d := range members {
			for i, source := range sources {
				verdict, _ := r.hand(d, source, forged(request, byte(i)))
				require.Equal(t, state.Discard, verdict)
			}
			if verdict, _ := r.hand(d, "joiner", request); verdict == state.Retain {
				at := r.now
				for len(tickets(r.tend(d))) == 0 {
					r.now = r.now.Add(time.Second)
					require.Less(t, r.now.Sub(at), 24*time.Hour)
				}
				wait += r.now.Sub(at)
			}
		}
		return wait
	}
	require.Equal(t, 30*time.Second, turn())
	require.Equal(t, 30*time.Second, turn("", "", ""))
	require.Equal(t, time.Minute, turn("x", "x", "x"))
	require.Equal(t, 2*time.Minute, turn("x", "y"))
}

// A joiner that nobody answered asks again, later each time. Any of its requests may be answered in the end, once an hour
// by one member.
func TestJoinerAsksAgain(t *testing.T) {
	r, members := inVaults(t, 2)
	joiner, request := r.asks("joiner")
	require.False(t, ratchet.Due(r.space(joiner), r.now).Ask)
	var requests [][]byte
	var gaps []time.Duration
	for last := r.now; len(requests) < 6; r.now = r.now.Add(time.Hour) {
		due := ratchet.Due(r.space(joiner), r.now).Ask
		out := r.tend(joiner)
		require.Equal(t, due, len(out) == 1)
		if due {
			require.EqualValues(t, requestFrame, out[0][0])
			requests, gaps, last = append(requests, out[0]), append(gaps, r.now.Sub(last)), r.now
		}
		joiner.vault = r.open(joiner.store)
	}
	h := time.Hour
	require.Equal(t, []time.Duration{h, 2 * h, 4 * h, 8 * h, 16 * h, 24 * h}, gaps)

	// The lost first one arrives after all, and then another: a member answers one of them now, and the other in an hour.
	_, out := r.hand(members[1], "joiner", request)
	require.Len(t, tickets(out), 1)
	verdict, none := r.hand(members[1], "joiner", requests[3])
	require.Equal(t, state.Retain, verdict)
	require.Empty(t, none)
	require.Empty(t, r.tend(members[1]))
	r.now = r.now.Add(time.Hour)
	again := tickets(r.tend(members[1]))
	require.Len(t, again, 1)

	// The joiner takes either.
	for _, ticket := range [][]byte{out[0], again[0]} {
		d := &device{name: "copy", store: store.NewMemory()}
		d.vault = r.open(d.store)
		require.NoError(t, d.vault.Create(r.ctx, r.space(joiner), nil))
		verdict, first := r.hand(d, "m", ticket)
		require.Equal(t, state.Read, verdict)
		require.Len(t, first, 1)
		require.Equal(t, ratchet.Member, ratchet.Info(r.space(d)).Phase)
		require.False(t, ratchet.Due(r.space(d), r.now.Add(10*time.Hour)).Ask)
	}
}

// A member that needs a ticket asks every hour until it has one.
func TestMemberAsksUntilAnswered(t *testing.T) {
	g := ratchettest.NewGroup(t, 3, ratchettest.Small)
	p := g.Peers[1]
	g.Now = g.Now.Add(2 * time.Hour)
	var q []byte
	for range 3 {
		g.Now = g.Now.Add(time.Hour)
		next, asked, err := ratchet.AskResync(p.Space, g.Now)
		require.NoError(t, err)
		p.Space, q = next, asked
		require.False(t, ratchet.Due(p.Space, g.Now).Ask)
		require.True(t, ratchet.Due(p.Space, g.Now.Add(time.Hour)).Ask)
	}
	// The ticket tells nothing: it was in step.
	var err error
	p.Space, err = ratchet.Enter(p.Space, g.Now, g.Admit(g.Peers[2], q))
	require.NoError(t, err)
	require.False(t, ratchet.Due(p.Space, g.Now.Add(time.Hour)).Ask)
}

// An introduction lets nobody in who was heard since, nor who left: it has no counter, and any member can box it anew.
func TestIntroductionCountsOnce(t *testing.T) {
	g := ratchettest.NewGroup(t, 2, ratchettest.Small)
	grant := g.Grant()
	s, q, err := ratchet.Join(grant, g.Now, nil)
	require.NoError(t, err)
	again := ratchet.Rebox(s, g.Peers[1].Space)
	_, _, err = ratchet.Admit(g.Peers[1].Space, g.Now, again)
	require.NoError(t, err)
	joiner := &ratchettest.Peer{Name: "joiner"}
	joiner.Space, err = ratchet.Enter(s, g.Now, g.Admit(g.Peers[0], q))
	require.NoError(t, err)
	g.Deliver(g.Send(joiner, ""))
	for _, p := range g.Peers {
		_, _, err = ratchet.Admit(p.Space, g.Now, again)
		require.ErrorIs(t, err, ratchet.ErrStale, p.Name)
	}
	// A member that leaves before it was heard to have its ticket.
	two, q2, err := ratchet.Join(g.Grant(), g.Now, nil)
	require.NoError(t, err)
	leaver := ratchet.Leaving(g.Peers[1].Space, two)
	_, _, err = ratchet.Admit(leaver, g.Now, q2)
	require.ErrorIs(t, err, ratchet.ErrStale)
}

// Hundreds of introductions that no dealer has signed keep nobody from being let in: tickets hold a part of them, and
// different tickets different ones (G8).
func TestTicketsStayBounded(t *testing.T) {
	r, members := inVaults(t, 2)
	const many = 700
	require.NoError(t, members[1].vault.Update(r.ctx, r.id, func(tx *state.Tx[ratchet.Space]) error {
		tx.Set(ratchet.WithStrangers(tx.Value(), many, 1_700))
		return nil
	}))
	_, request := r.asks("joiner")
	_, out := r.hand(members[1], "joiner", request) // its turn may come at once
	r.now = r.now.Add(10 * time.Minute)
	out = tickets(append(out, r.tend(members[1])...))
	require.Len(t, out, 1)
	require.Less(t, len(out[0]), 400<<10)
	chosen := make(map[dkg.Index]bool)
	for range 300 {
		for _, i := range ratchet.Handed(r.space(members[1]), request) {
			chosen[i] = true
		}
		request = ratchet.Rebox(r.space(r.devices[2]), r.space(members[1]))
	}
	require.Equal(t, many+2, len(chosen), "with the issuer's and the joiner's own")
}

// A ticket for which there is too much to say is no reason to stop receiving (G8).
func TestTicketTooLong(t *testing.T) {
	t.Parallel()
	g := ratchettest.NewGroup(t, 2, ratchettest.Small)
	_, q, err := ratchet.Join(g.Grant(), g.Now, nil)
	require.NoError(t, err)
	swollen := ratchet.Swollen(g.Peers[1].Space)
	_, _, err = ratchet.Admit(swollen, g.Now, q)
	require.ErrorIs(t, err, ratchet.ErrTooLong)
	tx := new(state.Tx[ratchet.Space])
	tx.Set(swollen)
	open := ratchet.Opener(ratchet.Options{Now: func() time.Time { return g.Now }})
	require.ErrorIs(t, open(tx, state.Frame{Data: q}), outcome.ErrDeferred)
	g.Now = g.Now.Add(10 * time.Minute)
	require.ErrorIs(t, open(tx, state.Frame{Data: q}), ratchet.ErrStale)
}

// Tend does all that is due in one transaction, and nothing where nothing is.
func TestTend(t *testing.T) {
	r, members := inVaults(t, 3)
	dealer := members[0]
	require.Empty(t, r.tend(dealer))
	require.NoError(t, dealer.vault.Update(r.ctx, r.id, func(tx *state.Tx[ratchet.Space]) error {
		tx.Set(ratchet.WithStrangers(tx.Value(), 70, 100))
		return nil
	}))
	require.True(t, ratchet.Due(r.space(dealer), r.now).Roster)
	r.now = r.now.Add(30 * time.Hour)
	due := ratchet.Due(r.space(dealer), r.now)
	require.True(t, due.Prune)
	require.Len(t, r.tend(dealer), 1)
	require.Zero(t, ratchet.Since(r.space(dealer)))
	due = ratchet.Due(r.space(dealer), r.now)
	due.Fetch = false
	require.Zero(t, due)

	// A state that was restored sends.
	require.NoError(t, dealer.vault.Update(r.ctx, r.id, func(tx *state.Tx[ratchet.Space]) error {
		next, err := ratchet.Restore(tx.Value(), r.now)
		tx.Set(next)
		return err
	}))
	require.Len(t, r.tend(dealer), 1)
	require.Empty(t, r.tend(dealer))
}
