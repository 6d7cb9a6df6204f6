package simnet_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/simnet"
	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet"
)

// §9, G39: many devices redeem one public link at once; -joiners 1000 asks for a thousand, which takes hours and 10 GB. Each draws its
// place, asks and is let in before it reads anything of the others, so all commit from one epoch, and of some two draw one place. In the
// rush frames come late, twice and out of order. Whoever lost its place is told, and comes in at another one, or at last is refused and opens the
// link again. In the end every device is a member at a place of its own in the sight of all who read.
//
// Some of the devices, drawn by chance, and the three members before them read everything that all others say, and then hear one
// another. Of the rest each reads tickets, its own and those of others, until its own came, and says that it is there. Then it waits
// until the founder shows it at its place; if the founder shows somebody else there, or nobody for long, it reads everything. Once all who
// read show it at its place it goes offline, and the relay keeps nothing for it. That all read all is what TestOneLinkForMany and
// TestPublicLinkRush test, with fewer devices.
func TestOneLinkForACrowd(t *testing.T) {
	const reading = 4
	count := rush(24, 200)
	perDevice := size(2, 8) // places of the link, of which many devices draw few twice
	n := simnet.New(t, simnet.Options{
		Seed: 31, NoMailboxes: true, Faults: simnet.Faults{Late: 0.3, Repeat: 0.02, LateBy: 20, Window: 64},
	})
	n.Grow(3)
	hosts := slices.Clone(n.Members)
	l := n.InviteBy(n.Founder(), invite.Public(uint32(invite.Unit*((perDevice*count+invite.Unit-1)/invite.Unit)), 0))
	n.Settle()
	c := crowd{
		Net: n, link: l, hosts: hosts, first: map[*simnet.Member]dkg.Index{}, info: map[*simnet.Member]ratchet.Summary{},
		waited: map[*simnet.Member]int{}, read: (*simnet.Member).Some,
	}
	for range count {
		n.Join(l)
	}
	c.joiners = n.Others(hosts...)
	c.readers = n.Draw(c.joiners, reading)
	for _, m := range c.joiners {
		m.TicketsOnly = !slices.Contains(c.readers, m)
	}
	n.Flush()                                   // all have asked, and nobody has read anything
	for _, act := range []func(*simnet.Member){ // all are let in, and of none anything was read
		func(m *simnet.Member) { m.Fetch(-1) }, func(m *simnet.Member) { m.Attend() },
	} {
		n.Step(time.Minute, func(m *simnet.Member) {
			if slices.Contains(hosts, m) {
				act(m)
			}
		})
	}
	for step := 0; ; step++ {
		out := c.outside()
		if len(out) == 0 {
			break
		}
		require.Less(t, step, 200, "%d of %d are not in", len(out), count)
		if step%20 == 0 {
			t.Logf("after %d steps %d of %d are not in", step, len(out), count)
		}
		if step == rushed {
			n.SetFaults(simnet.Faults{})
			c.read = func(m *simnet.Member) { m.Fetch(-1); m.Attend() }
		}
		c.Step(lengths[min(step/20, len(lengths)-1)], c.act)
	}

	moved := 0
	for _, m := range c.joiners {
		i := c.info[m]
		require.Equal(t, ratchet.Member, i.Phase, m.Name)
		require.Equal(t, i.Key, c.place[i.Index], "%s is at a place of its own", m.Name)
		if i.Index != c.first[m] {
			moved++
		}
	}
	// A device that went on to another place, and was let in at the one before all the same, may be shown at both: there nobody read it.
	require.GreaterOrEqual(t, len(c.place), count+len(hosts))
	require.NotZero(t, moved)
	t.Logf("%d of %d devices lost the place that they drew first, %d were refused and opened the link again", moved, count, c.refused)

	c.Wait(25, 20*time.Second)
	c.Rest()
	online := append(c.readers, hosts...)
	for _, m := range c.readers {
		require.NoError(t, m.Send(fmt.Sprint("hello from ", m.Name)))
	}
	require.NoError(t, c.Founder().Send("welcome all"))
	c.Rest()
	want := c.Founder()
	for _, m := range online {
		require.Equal(t, shown(want), shown(m), m.Name)
		require.Equal(t, want.Info().Fingerprint, m.Info().Fingerprint, m.Name)
		require.Equal(t, want.Info().Epoch, m.Info().Epoch, m.Name)
		require.Equal(t, want.Info().Authenticator, m.Info().Authenticator, m.Name)
		for _, o := range c.readers {
			require.True(t, o == m || slices.Contains(m.Texts(), "hello from "+o.Name), "%s reads %s", m.Name, o.Name)
		}
		require.True(t, m == want || slices.Contains(m.Texts(), "welcome all"), m.Name)
	}
	t.Logf("%+v", n.Stats())
}

// lengths are how long a step is, for 20 steps each: who was let in while a rekey was on its way asks an hour later.
var lengths = []time.Duration{20 * time.Second, time.Minute, 10 * time.Minute, time.Hour}

// rushed is the step from which no frame is late and everybody reads all there is: a step is ten minutes then, and later an hour.
const rushed = 40

// patience is for how many steps a device that is in waits until it is shown.
const patience = 30

// crowd is many devices that redeem one link.
type crowd struct {
	*simnet.Net
	link                    invite.Link
	hosts, readers, joiners []*simnet.Member
	first                   map[*simnet.Member]dkg.Index       // the place at which a device was let in first
	info                    map[*simnet.Member]ratchet.Summary // at the last look; of a device that is offline it stays as it is
	waited                  map[*simnet.Member]int             // for how many steps a device that is in was shown nowhere
	place                   map[dkg.Index]ratchet.PublicKey    // whom the founder shows there
	others                  []map[dkg.Index]ratchet.PublicKey
	read                    func(*simnet.Member) // how a device that is online reads and answers in a step
	refused                 int
}

// outside returns the devices that somebody who reads does not show as members, after a look at what they show.
func (c *crowd) outside() (out []*simnet.Member) {
	c.others = nil
	for _, m := range slices.Concat(c.hosts, c.readers) {
		c.others = append(c.others, shown(m))
	}
	c.place = c.others[0]
	for _, m := range c.joiners {
		if _, known := c.info[m]; !known || !m.Offline {
			c.info[m] = m.Info()
		}
		if _, was := c.first[m]; !was && c.info[m].Phase == ratchet.Member {
			c.first[m] = c.info[m].Index
		}
		if !c.in(m) {
			out = append(out, m)
		}
	}
	return out
}

func shown(by *simnet.Member) map[dkg.Index]ratchet.PublicKey {
	out := map[dkg.Index]ratchet.PublicKey{}
	for _, i := range ratchet.Members(by.Space()) {
		out[i.Index] = i.Key
	}
	return out
}

// in reports whether all who read show a device as a member.
func (c *crowd) in(m *simnet.Member) bool {
	i := c.info[m]
	return i.Phase == ratchet.Member && !slices.ContainsFunc(c.others, func(at map[dkg.Index]ratchet.PublicKey) bool { return at[i.Index] != i.Key })
}

// act lets a device do what it does in a step.
func (c *crowd) act(m *simnet.Member) {
	_, joined := c.first[m]
	by, taken := c.place[c.info[m].Index]
	switch {
	case m.Saw(ratchet.Refused) > 0:
		c.again(m)
	case slices.Contains(c.hosts, m), slices.Contains(c.readers, m):
		m.TicketsFirst()
		c.read(m)
	case joined && taken && by == c.info[m].Key: // it has said so, and others hear of it sooner or later
		c.rest(m, c.in(m))
	case joined && !taken && c.waited[m] < patience:
		c.waited[m]++
		c.rest(m, m.Offline || !m.Attend())
	case joined:
		m.Offline, m.TicketsOnly = false, false
		c.read(m)
	default:
		m.TicketsFirst()
		for range 8 {
			if m.Joined() || m.Fetch(32) == 0 {
				break
			}
		}
		m.Attend()
	}
}

// rest lets a device go offline, or come back. Who goes offline ends its program: a thousand spaces of a thousand members fill the memory.
func (c *crowd) rest(m *simnet.Member, offline bool) {
	if offline && !m.Offline {
		m.Reopen()
	}
	m.Offline = offline
}

// again lets the person of a device that was refused open the link once more. It counts as the same one.
func (c *crowd) again(m *simnet.Member) {
	at := slices.Index(c.joiners, m)
	if at < 0 {
		return
	}
	c.refused++
	m.Offline = true
	next := c.Join(c.link)
	c.joiners[at] = next
	if at = slices.Index(c.readers, m); at >= 0 {
		c.readers[at] = next
	}
	next.TicketsOnly = at < 0
}
