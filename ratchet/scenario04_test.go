package ratchet_test

import (
	"bytes"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/simnet"
	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/ratchet/internal/seizetest"
)

// target finds what was said on the wire, and where a reader saw it stand.
func target(t *testing.T, n *simnet.Net, reader *simnet.Member, words string) seizetest.Target {
	t.Helper()
	for _, p := range n.Posts() {
		if p.Words != words {
			continue
		}
		for _, m := range reader.Read {
			if string(m.Plaintext) == words {
				return seizetest.NewTarget(p.Data, m.Epoch, m.Sender, m.Number)
			}
		}
	}
	require.Fail(t, "nobody said or read it", words)
	return seizetest.Target{}
}

// wire is everything that was ever posted.
func wire(n *simnet.Net) (frames [][]byte) {
	for _, p := range n.Posts() {
		frames = append(frames, p.Data)
	}
	return frames
}

// thief returns an attacker with all that a device stores, byte for byte and each thing in its place, and all that is on
// the wire by now.
func thief(n *simnet.Net, m *simnet.Member) *seizetest.Attacker {
	a := ratchet.NewAttacker(m.Space())
	a.Seize(ratchet.Seized(m.Space()))
	a.Bytes(m.Seize()...)
	a.Hear(wire(n)...)
	return a
}

// Scenario 4, G16: a device is seized after it has read m1 to m5, with the whole stored state and every private key in it,
// and everything ever on the wire, in the past and in the future. The five stay closed. What §12 says is open does open:
// what is sent next, what was not read yet, what is said after another's commit. So the attacker is not blind.
func TestScenario04Seizure(t *testing.T) {
	n := simnet.New(t, simnet.Options{Seed: 4})
	n.Grow(3)
	alice, victim, carol := n.Members[0], n.Members[1], n.Members[2]
	say := func(m *simnet.Member, words string) {
		t.Helper()
		require.NoError(t, m.Send(words))
	}
	var early *seizetest.Attacker
	var before []ratchet.Space
	for i := 1; i <= 5; i++ {
		switch i {
		case 2:
			early = thief(n, victim)
		case 3:
			n.Advance(60 * time.Hour) // m3 brings a new epoch
		case 4:
			n.Join(n.Invite()) // and a ticket is on the wire
			n.Settle()
		}
		before = append(before, victim.Space())
		say(alice, fmt.Sprint("m", i))
		if i < 4 {
			n.Settle()
		}
	}
	victim.Reverse() // m5 is read before m4, whose key is kept for a moment
	n.Settle()

	// One message overtakes another, whose key is in the state from then on.
	say(alice, "overtaken")
	say(alice, "overtaking")
	victim.Reverse()
	victim.Fetch(1)
	require.NotContains(t, victim.Texts(), "overtaken")
	seized := thief(n, victim)
	seized.Deep = os.Getenv("TREFOIL_LONG") != ""
	stored := victim.Seize()

	n.Settle()
	say(alice, "next")
	n.Settle()
	n.Advance(60 * time.Hour)
	say(carol, "after a commit of carol")
	n.Settle()
	seized.Hear(wire(n)...)
	early.Hear(wire(n)...)
	boxes, epochs := seized.Think()
	require.NotZero(t, boxes, "the config key opens requests")
	require.NotZero(t, epochs, "carol's commit is followed")
	early.Think()

	var closed []seizetest.Target
	for i := 1; i <= 5; i++ {
		m := target(t, n, victim, fmt.Sprint("m", i))
		closed = append(closed, m)
		require.False(t, seized.OpensAsMeant(m), "m%d (G16)", i)
		if i > 1 {
			require.True(t, early.OpensAsMeant(m), "m%d with the state from before", i)
		}
	}
	require.False(t, seized.OpensByForce(closed...), "one of m1 to m5 (G16)")
	m2 := target(t, n, victim, "m2")
	require.True(t, early.OpensByForce(m2), "keys are found wherever they lie")
	for _, open := range []string{"overtaken", "next", "after a commit of carol"} {
		require.True(t, seized.OpensAsMeant(target(t, n, victim, open)), open)
	}
	overtaken := target(t, n, victim, "overtaken")
	require.True(t, seized.OpensByForce(overtaken), "a skipped key lies in the stored bytes")

	// The keys themselves are nowhere in the stored bytes.
	var keys [][]byte
	for _, s := range before {
		keys = append(keys, ratchet.Erased(s, closed...)...)
	}
	require.GreaterOrEqual(t, len(keys), 3*2)
	for _, key := range keys {
		for _, b := range stored {
			require.False(t, bytes.Contains(b, key), "a used key is stored (G16)")
		}
	}
}

// Scenario 5, §12: of a seizure of everything, an own commit of the victim heals; another's does not, which is the
// documented limit.
func TestScenario05Recovery(t *testing.T) {
	for _, own := range []bool{true, false} {
		t.Run(fmt.Sprintf("own=%v", own), func(t *testing.T) {
			n := simnet.New(t, simnet.Options{Seed: 5})
			n.Grow(3)
			victim, other := n.Members[1], n.Members[2]
			seized := thief(n, victim)
			n.Advance(60 * time.Hour)
			if !own {
				victim, other = other, victim
			}
			require.NoError(t, victim.Send("a commit"))
			n.Settle()
			require.NoError(t, other.Send("after it"))
			n.Settle()
			seized.Hear(wire(n)...)
			seized.Think()
			after := target(t, n, n.Founder(), "after it")
			require.Equal(t, !own, seized.OpensAsMeant(after))
			if own {
				require.False(t, seized.OpensByForce(after))
			}
		})
	}
}

// Scenario 14: an attacker that knows the whole polynomial, and everything on the wire, but no state and no key of a KEM,
// opens nothing. With what commits of one epoch are followed with it opens what comes after them.
func TestScenario14PolynomialAlone(t *testing.T) {
	n := simnet.New(t, simnet.Options{Seed: 14})
	n.Grow(4)
	know := func() *seizetest.Attacker {
		a := ratchet.NewAttacker(n.Founder().Space())
		for _, m := range n.Members {
			a.Seize(seizetest.Seizure{Shares: ratchet.Seized(m.Space()).Shares})
		}
		return a
	}
	alone, helped := know(), know()
	for _, e := range ratchet.Seized(n.Founder().Space()).Epochs {
		if e.ID == ratchet.Info(n.Founder().Space()).Epoch {
			helped.Seize(seizetest.Seizure{Epochs: []seizetest.Epoch{{ID: e.ID, Generation: e.Generation, CommitKey: e.CommitKey, Commits: e.Commits}}})
		}
	}
	for i := range 8 {
		if i%3 == 2 {
			n.Advance(60 * time.Hour)
		}
		require.NoError(t, n.Members[i%4].Send(fmt.Sprint("text ", i)))
		n.Settle()
	}
	for _, a := range []*seizetest.Attacker{alone, helped} {
		a.Hear(wire(n)...)
	}
	boxes, epochs := alone.Think()
	require.Zero(t, boxes)
	require.Zero(t, epochs)
	_, epochs = helped.Think()
	require.NotZero(t, epochs)
	for i := range 8 {
		m := target(t, n, n.Members[(i+1)%4], fmt.Sprint("text ", i))
		require.False(t, alone.OpensAsMeant(m) || alone.OpensByForce(m))
		require.Equal(t, i >= 2, helped.OpensAsMeant(m), "text %d", i)
	}
}
