package trefoil_test

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil"
	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/event"
	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
)

// restart opens a device again on its store and runs it.
func (d *device) restart() *device {
	d.Helper()
	d.stop()
	return d.open(d.name, d.store, d.net.Device(d.name)).run()
}

// status returns where a device stands in a space.
func (d *device) status(space state.ID) trefoil.Status {
	d.Helper()
	s, err := d.client.Space(space).Status(d.Context())
	require.NoError(d, err)
	return s
}

// A private link lets one in, once: the second device is told that it is taken. Who is in cannot join again, and what is no link is
// refused at once.
func TestPrivateLink(t *testing.T) {
	inWorld(t, func(t *testing.T, w world) {
		alice, bob, mallory := w.device("alice").run(), w.device("bob").run(), w.device("mallory").run()
		space := w.newSpace(alice)
		link := alice.link(space, invite.Private(0))
		for _, d := range []*device{bob, mallory} {
			_, err := d.client.Join(t.Context(), "Come in: "+strings.ToLower(link)+" (till Friday)")
			require.NoError(t, err)
			w.pass(time.Minute)
		}
		w.pass(time.Hour)
		require.Len(t, told[event.Joined](bob), 1)
		require.Empty(t, told[event.Joined](mallory))
		refused := told[event.Refused](mallory)
		require.Len(t, refused, 1)
		require.ErrorIs(t, refused[0].Reason, ratchet.ErrInviteTaken)
		require.Equal(t, ratchet.Joining, mallory.status(space).Phase)

		_, err := bob.client.Join(t.Context(), link)
		require.ErrorIs(t, err, state.ErrExists)
		_, err = bob.client.Join(t.Context(), link[:len(link)-2])
		require.ErrorIs(t, err, invite.ErrCut)
		_, err = bob.client.Join(t.Context(), "https://chat.example/")
		require.ErrorIs(t, err, invite.ErrNotLink)
	})
}

// refusing is a line that refuses the first subscriptions, as a relay does that does not know the device yet.
type refusing struct {
	trefoil.Transport
	left atomic.Int32
}

func (r *refusing) Subscribe(ctx context.Context, topic string) error {
	if r.left.Add(-1) >= 0 {
		return errUnplugged
	}
	return r.Transport.Subscribe(ctx, topic)
}

// A space is made while the relay is out of reach, or refuses to be subscribed to: it can be invited to at once, and who asks is let in
// when the relay can be asked.
func TestSpaceMadeWithoutTheRelay(t *testing.T) {
	t.Run("out of reach", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w world) {
			alice, line := w.tapped("alice")
			line.plug(false)
			alice.run()
			bob := w.device("bob").run()
			space := w.newSpace(alice)
			_, err := bob.client.Join(t.Context(), alice.link(space, invite.Private(0)))
			require.NoError(t, err)
			w.pass(time.Minute)
			line.plug(true)
			w.pass(time.Hour)
			require.Len(t, told[event.Joined](bob), 1)
		})
	})
	t.Run("refused", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w world) {
			line := &refusing{Transport: w.net.Device("alice")}
			alice := w.open("alice", store.NewMemory(), line).run()
			bob := w.device("bob").run()
			w.pass(time.Second) // the line is up
			line.left.Store(3)
			space := w.newSpace(alice)
			w.pass(time.Minute) // nobody writes, and nothing is to be posted
			require.Negative(t, line.left.Load())
			_, err := bob.client.Join(t.Context(), alice.link(space, invite.Private(0)))
			require.NoError(t, err)
			w.pass(time.Minute)
			require.Len(t, told[event.Joined](bob), 1)
		})
	})
	t.Run("before a Sync", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w world) {
			alice, line := w.tapped("alice")
			line.plug(false)
			bob := w.device("bob").run()
			space := w.newSpace(alice)
			line.plug(true)
			require.NoError(t, alice.client.Sync(t.Context()))
			_, err := bob.client.Join(t.Context(), alice.link(space, invite.Private(0)))
			require.NoError(t, err)
			w.pass(time.Second)
			require.NoError(t, alice.client.Sync(t.Context()))
			w.pass(time.Minute)
			require.Len(t, told[event.Joined](bob), 1)
		})
	})
}

// Who opens a link that was taken back is told that it is dead, also if the owner is away then; who opens one that is too old is
// given a hint.
func TestDeadLinks(t *testing.T) {
	inWorld(t, func(t *testing.T, w world) {
		alice, bob := w.device("alice").run(), w.device("bob").run()
		space := w.newSpace(alice, bob)
		private, run, old := alice.link(space, invite.Private(0)), alice.link(space, invite.Public(16, 0)), alice.link(space, invite.Private(time.Hour))
		all, err := alice.client.Space(space).Invites(t.Context())
		require.NoError(t, err)
		require.Len(t, all, 4)
		for _, in := range all[1:3] {
			require.Equal(t, invite.Open, in.Status)
			require.NoError(t, alice.client.Space(space).EndInvite(t.Context(), in.Name))
		}
		require.ErrorIs(t, alice.client.Space(space).EndInvite(t.Context(), all[0].Name), ratchet.ErrPolicy, "bob came by it")
		require.ErrorIs(t, bob.client.Space(space).EndInvite(t.Context(), all[1].Name), ratchet.ErrPhase)
		w.pass(3 * time.Hour)
		alice.stop()
		for name, link := range map[string]string{"carol": private, "dave": run, "erin": old} {
			d := w.device(name).run()
			_, err := d.client.Join(t.Context(), link)
			require.NoError(t, err)
			w.pass(time.Hour)
			require.Empty(t, told[event.Joined](d), name)
			if name == "erin" {
				require.ErrorIs(t, told[event.Hint](d)[0].Reason, ratchet.ErrHintExpired)
				require.Empty(t, told[event.Refused](d))
				continue
			}
			require.ErrorIs(t, told[event.Refused](d)[0].Reason, ratchet.ErrInviteDead, name)
		}
		all, err = alice.client.Space(space).Invites(t.Context())
		require.NoError(t, err)
		require.Equal(t, []invite.Status{invite.Used, invite.Ended, invite.Ended, invite.Expired}, statuses(all))
	})
}

func statuses(all []invite.Invite) (out []invite.Status) {
	for _, in := range all {
		out = append(out, in.Status)
	}
	return out
}

// Many come by one public link, one after the other and all at once, also while who made it is away; each has a place of its own. There are so
// many places that hardly ever two draw the same: what follows from that is a matter of internal/simnet.
func TestPublicLink(t *testing.T) {
	inWorld(t, func(t *testing.T, w world) {
		alice, bob := w.device("alice").run(), w.device("bob").run()
		space := w.newSpace(alice)
		link := alice.link(space, invite.Public(8192, 24*time.Hour))
		_, err := bob.client.Join(t.Context(), link)
		require.NoError(t, err)
		w.pass(time.Minute)
		require.Len(t, told[event.Joined](bob), 1)
		alice.stop()
		devices := []*device{bob}
		for _, name := range []string{"carol", "dave", "erin"} {
			d := w.device(name).run()
			_, err := d.client.Join(t.Context(), link)
			require.NoError(t, err)
			devices = append(devices, d)
		}
		w.pass(10 * time.Minute)
		for _, d := range devices {
			require.Equal(t, ratchet.Member, d.status(space).Phase, d.name)
			d.send(space, "from "+d.name)
		}
		w.pass(time.Minute)
		alice = alice.restart()
		w.pass(10 * time.Minute)
		want := []string{"from bob", "from carol", "from dave", "from erin"}
		for _, d := range append(devices, alice) {
			require.ElementsMatch(t, want, d.read(), d.name)
			require.Equal(t, alice.status(space).Fingerprint, d.status(space).Fingerprint, d.name)
			require.Equal(t, alice.status(space).Authenticator, d.status(space).Authenticator, d.name)
		}
		require.Len(t, told[event.Arrived](alice), 3, "bob had arrived before")
		all, err := alice.client.Space(space).Invites(t.Context())
		require.NoError(t, err)
		require.Len(t, all[0].Members, 4)
		require.Equal(t, invite.Open, all[0].Status)
	})
}

// Title and profiles are told to all, themselves included, and to who joins later; what was told and what is stored survives a restart.
func TestTitleAndProfile(t *testing.T) {
	inWorld(t, func(t *testing.T, w world) {
		alice, bob := w.device("alice").run(), w.device("bob").run()
		space := w.newSpace(alice, bob)
		require.NoError(t, alice.client.Space(space).SetTitle(t.Context(), "Gardening"))
		require.NoError(t, bob.client.Space(space).SetProfile(t.Context(), []byte("bob the builder")))
		require.ErrorIs(t, bob.client.Space(space).SetTitle(t.Context(), "Building"), ratchet.ErrPhase)
		require.ErrorIs(t, alice.client.Space(space).SetTitle(t.Context(), strings.Repeat("x", 1025)), ratchet.ErrTooLong)
		require.ErrorIs(t, alice.client.Space(space).SetProfile(t.Context(), make([]byte, ratchet.MaxApplicationData+1)), ratchet.ErrTooLong)
		w.pass(time.Minute)
		carol := w.device("carol").run()
		alice.letIn(space, carol)
		index := bob.status(space).Index
		for _, d := range []*device{alice, bob} {
			require.Len(t, told[event.TitleChanged](d), 1, d.name)
			profiles := told[event.ProfileChanged](d)
			require.Equal(t, []event.ProfileChanged{{Stamp: profiles[0].Stamp, Index: index}}, profiles, d.name)
		}
		require.Empty(t, told[event.ProfileChanged](carol))
		for _, d := range []*device{alice, bob, carol} {
			d = d.restart()
			w.pass(time.Minute)
			require.Empty(t, told[event.TitleChanged](d), "it was taken")
			require.Equal(t, "Gardening", string(d.status(space).Title), d.name)
			members, err := d.client.Space(space).Members(t.Context())
			require.NoError(t, err)
			at := slices.IndexFunc(members, func(m ratchet.MemberInfo) bool { return m.Index == index })
			require.Equal(t, "bob the builder", string(members[at].Profile), d.name)
		}
	})
}

// Where members may invite, a member asks for a link, hands it on, and whoever opens it is let in. Elsewhere it may not.
func TestWantInvite(t *testing.T) {
	inWorld(t, func(t *testing.T, w world) {
		alice := w.device("alice", func(o *trefoil.Options) { o.Policy.MembersMayInvite = true }).run()
		bob, carol := w.device("bob").run(), w.device("carol").run()
		space := w.newSpace(alice, bob)
		require.NoError(t, bob.client.Space(space).WantInvite(t.Context()))
		w.pass(5 * time.Minute)
		given := told[event.LinkGiven](bob)
		require.Len(t, given, 1)
		require.NotContains(t, given[0].String(), given[0].Link.Fragment())
		url, err := given[0].Link.URL("https://chat.example/")
		require.NoError(t, err)
		_, err = carol.client.Join(t.Context(), url)
		require.NoError(t, err)
		w.pass(time.Minute)
		require.Len(t, told[event.Joined](carol), 1)

		strict := w.newSpace(bob, carol)
		require.ErrorIs(t, carol.client.Space(strict).WantInvite(t.Context()), ratchet.ErrPolicy)
	})
}

// A joiner is told that nobody answers, and goes on asking; a member that comes a day later lets it in, from a store that was opened
// again.
func TestStillWaiting(t *testing.T) {
	inWorld(t, func(t *testing.T, w world) {
		alice, bob := w.device("alice").run(), w.device("bob").run()
		space := w.newSpace(alice)
		link := alice.link(space, invite.Private(0))
		alice.stop()
		_, err := bob.client.Join(t.Context(), link)
		require.NoError(t, err)
		w.pass(90 * time.Minute)
		require.Len(t, told[event.StillWaiting](bob), 1)
		bob = bob.restart()
		w.pass(26 * time.Hour)
		require.NotEmpty(t, told[event.StillWaiting](bob))
		require.Equal(t, ratchet.Joining, bob.status(space).Phase)
		alice.restart()
		w.pass(time.Minute)
		require.Equal(t, ratchet.Member, bob.status(space).Phase)
		require.Equal(t, dkg.Index(2), bob.status(space).Index)
	})
}
