package ratchet_test

import (
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
)

// First bytes of frames (§7).
const (
	ticketFrame  = 0x22
	requestFrame = 0x23
)

// inVaults puts the members of a group into vaults.
func inVaults(t *testing.T, n int) (*ratchettest.Devices, []*ratchettest.Device) {
	t.Helper()
	r := ratchettest.NewDevices(t)
	for _, p := range ratchettest.NewGroup(t, n, ratchettest.Small).Peers {
		r.Add(p.Name, p.Space)
	}
	return r, r.All
}

// asks adds a joiner with a grant of the first device, and returns its request.
func asks(r *ratchettest.Devices, name string) (*ratchettest.Device, []byte) {
	r.T.Helper()
	var grant ratchet.Grant
	r.All[0].Update(func(tx *state.Tx[ratchet.Space]) error {
		next, g, err := ratchet.NewGrant(tx.Value(), r.Now, dkg.Private)
		tx.Set(next)
		grant = g
		return err
	})
	s, q, err := ratchet.Join(grant, r.Now, []byte(name))
	require.NoError(r.T, err)
	return r.Add(name, s), q
}

// hand gives a device a frame, and returns what it has to send afterwards.
func hand(d *ratchettest.Device, source string, frame []byte) (state.Verdict, [][]byte) {
	receipt := d.Receive(source, frame)
	return receipt.Verdict, d.Flush()
}

// maintain has a device do what is due, and returns what it has to send afterwards.
func maintain(d *ratchettest.Device) [][]byte {
	d.Maintain()
	return d.Flush()
}

// tickets returns those of some frames that are tickets.
func tickets(frames [][]byte) [][]byte {
	return slices.DeleteFunc(frames, func(f []byte) bool { return f[0] != ticketFrame })
}

// Two of many members answer a request at once; the others leave it to them, and settle it when they hear the joiner.
func TestTwoAnswerAtOnce(t *testing.T) {
	r, members := inVaults(t, 12)
	joiner, request := asks(r, "joiner")
	var answers [][]byte
	retained := 0
	for _, d := range members {
		verdict, out := hand(d, "joiner", request)
		answers = append(answers, tickets(out)...)
		if verdict == state.Retain {
			retained++
			require.False(t, ratchet.Due(d.Space(), r.Now).Answer)
		}
	}
	require.Len(t, answers, 2)
	require.Equal(t, 10, retained)
	_, first := hand(joiner, "m", answers[0])
	require.Len(t, first, 1)
	r.Now = r.Now.Add(time.Hour)
	for _, d := range members {
		verdict, out := hand(d, "joiner", first[0])
		require.Equal(t, state.Read, verdict)
		require.Empty(t, tickets(append(out, maintain(d)...)), "the joiner was heard")
		require.False(t, ratchet.Due(d.Space(), r.Now.Add(24*time.Hour)).Answer)
	}
}

// If those who are to answer do not, the others do, one after the other, each later than the one before and sooner than in
// ten minutes; and whoever saw tickets waits longer.
func TestOthersAnswerInTurn(t *testing.T) {
	r, members := inVaults(t, 12)
	_, request := asks(r, "joiner")
	var waiting []*ratchettest.Device
	for _, d := range members {
		if verdict, _ := hand(d, "joiner", request); verdict == state.Retain {
			waiting = append(waiting, d)
		}
	}
	waiting[0].Reopen() // it is stored who waits
	var turns []time.Duration
	start := r.Now
	for len(waiting) > 0 {
		r.Now = r.Now.Add(5 * time.Second)
		require.Less(t, r.Now.Sub(start), 10*time.Minute)
		waiting = slices.DeleteFunc(waiting, func(d *ratchettest.Device) bool {
			due := ratchet.Due(d.Space(), r.Now).Answer
			out := tickets(maintain(d))
			require.Equal(t, due, len(out) == 1)
			if due {
				turns = append(turns, r.Now.Sub(start))
			}
			require.False(t, ratchet.Due(d.Space(), r.Now).Answer)
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
		_, request := asks(r, "joiner")
		for _, d := range members {
			for i, source := range sources {
				verdict, _ := hand(d, source, forged(request, byte(i)))
				require.Equal(t, state.Discard, verdict)
			}
			if verdict, _ := hand(d, "joiner", request); verdict == state.Retain {
				at := r.Now
				for len(tickets(maintain(d))) == 0 {
					r.Now = r.Now.Add(time.Second)
					require.Less(t, r.Now.Sub(at), 24*time.Hour)
				}
				wait += r.Now.Sub(at)
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
	joiner, request := asks(r, "joiner")
	require.False(t, ratchet.Due(joiner.Space(), r.Now).Ask)
	var requests [][]byte
	var gaps []time.Duration
	for last := r.Now; len(requests) < 6; r.Now = r.Now.Add(time.Hour) {
		due := ratchet.Due(joiner.Space(), r.Now).Ask
		out := maintain(joiner)
		require.Equal(t, due, len(out) == 1)
		if due {
			require.EqualValues(t, requestFrame, out[0][0])
			requests, gaps, last = append(requests, out[0]), append(gaps, r.Now.Sub(last)), r.Now
		}
		joiner.Reopen()
	}
	h := time.Hour
	require.Equal(t, []time.Duration{h, 2 * h, 4 * h, 8 * h, 16 * h, 24 * h}, gaps)

	// The lost first one arrives after all, and then another: a member answers one of them now, and the other in an hour.
	_, out := hand(members[1], "joiner", request)
	require.Len(t, tickets(out), 1)
	verdict, none := hand(members[1], "joiner", requests[3])
	require.Equal(t, state.Retain, verdict)
	require.Empty(t, none)
	require.Empty(t, maintain(members[1]))
	r.Now = r.Now.Add(time.Hour)
	again := tickets(maintain(members[1]))
	require.Len(t, again, 1)

	// The joiner takes either.
	for _, ticket := range [][]byte{out[0], again[0]} {
		d := r.Add("copy", joiner.Space())
		verdict, first := hand(d, "m", ticket)
		require.Equal(t, state.Read, verdict)
		require.Len(t, first, 1)
		require.Equal(t, ratchet.Member, ratchet.Info(d.Space()).Phase)
		require.False(t, ratchet.Due(d.Space(), r.Now.Add(10*time.Hour)).Ask)
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
	members[1].Update(func(tx *state.Tx[ratchet.Space]) error {
		tx.Set(ratchet.WithStrangers(tx.Value(), many, 1_700))
		return nil
	})
	_, request := asks(r, "joiner")
	_, out := hand(members[1], "joiner", request) // its turn may come at once
	r.Now = r.Now.Add(10 * time.Minute)
	out = tickets(append(out, maintain(members[1])...))
	require.Len(t, out, 1)
	require.Less(t, len(out[0]), 400<<10)
	chosen := make(map[dkg.Index]bool)
	for range 300 {
		for _, i := range ratchet.Handed(members[1].Space(), request) {
			chosen[i] = true
		}
		request = ratchet.Rebox(r.All[2].Space(), members[1].Space())
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

// Maintain does all tasks in one transaction, and nothing if there are none.
func TestMaintain(t *testing.T) {
	r, members := inVaults(t, 3)
	dealer := members[0]
	require.Empty(t, maintain(dealer))
	dealer.Update(func(tx *state.Tx[ratchet.Space]) error {
		tx.Set(ratchet.WithStrangers(tx.Value(), 70, 100))
		return nil
	})
	require.True(t, ratchet.Due(dealer.Space(), r.Now).Roster)
	r.Now = r.Now.Add(30 * time.Hour)
	due := ratchet.Due(dealer.Space(), r.Now)
	require.True(t, due.Prune)
	require.Len(t, maintain(dealer), 1)
	require.Zero(t, ratchet.Since(dealer.Space()))
	due = ratchet.Due(dealer.Space(), r.Now)
	due.Fetch = false
	require.Zero(t, due)

	// A state that was restored sends.
	dealer.Update(func(tx *state.Tx[ratchet.Space]) error {
		next, err := ratchet.Restore(tx.Value(), r.Now)
		tx.Set(next)
		return err
	})
	require.Len(t, maintain(dealer), 1)
	require.Empty(t, maintain(dealer))
}
