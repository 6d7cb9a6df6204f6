package ratchet_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha512"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/simnet"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/ratchettest"
)

// thief has everything that a device stored at one moment, and hears everything that is ever posted. It looks for texts in two
// ways: as the protocol means it, and by taking any 32 bytes in a row for a key.
type thief struct {
	net    *simnet.Net
	device *ratchettest.Device
	stored [][]byte
}

func seize(t *testing.T, n *simnet.Net, m *simnet.Member) thief {
	return thief{n, ratchettest.NewDevice(t, "thief", n.Now, ratchettest.Stored(t, m.Space())), m.Seize()}
}

// texts returns what the thief reads with the state, which learns from each frame that it reads. It begins anew until
// nothing comes of that any more.
func (a thief) texts() []string {
	for before := -1; before < len(a.device.Texts()); {
		before = len(a.device.Texts())
		for _, p := range a.net.Posts() {
			a.device.Receive("wire", p.Data)
		}
		a.device.Retry()
	}
	return a.device.Texts()
}

// sealed is a message as it was posted, with all that is bound to it in the clear.
type sealed struct {
	envelope proto.Envelope
	context  proto.MessageContext
}

// sealedText finds on the wire what was said, and where a reader saw it stand.
func sealedText(t *testing.T, n *simnet.Net, reader *simnet.Member, words string) sealed {
	t.Helper()
	for _, p := range n.Posts() {
		if p.Words != words {
			continue
		}
		e, err := proto.ParseEnvelope(p.Data)
		require.NoError(t, err)
		for _, m := range reader.Read {
			if string(m.Plaintext) == words {
				h := proto.Header{Index: m.Sender, Number: m.Number}
				return sealed{e, proto.MessageContext{Space: reader.Space().ID(), Epoch: m.Epoch, Header: h, Bound: e.Bound()}}
			}
		}
	}
	require.Fail(t, "nobody said or read it", words)
	return sealed{}
}

func (s sealed) opens(messageKey []byte) bool {
	_, err := s.envelope.Open(s.context, secret.Own(bytes.Clone(messageKey)))
	return err == nil
}

// messageKey returns the message key that a chain key gives (SPEC §7).
func messageKey(chainKey []byte) []byte {
	h := hmac.New(sha512.New, chainKey)
	h.Write([]byte{1})
	return h.Sum(nil)[32:]
}

// byForce returns the first of some messages that any 32 bytes of what is stored open, as its message key or as the chain key
// that gives it.
func (a thief) byForce(messages ...sealed) (found int, ok bool) {
	tried := make(map[[32]byte]bool)
	for _, b := range a.stored {
		for i := range len(b) - 31 {
			if key := [32]byte(b[i:]); tried[key] {
				continue
			} else {
				tried[key] = true
			}
			next := messageKey(b[i : i+32])
			for k, m := range messages {
				if m.opens(b[i:i+32]) || m.opens(next) {
					return k, true
				}
			}
		}
	}
	return 0, false
}

// A device is seized after it has read m1 to m5, with all that it stores and every private key in it, and everything that was
// and will be on the wire. The five stay closed. What the security model calls open does open, so the thief is not blind: what was
// overtaken, what is sent next, what is said after a commit of another member.
func TestSeizedAfterReading(t *testing.T) {
	n := simnet.New(t, simnet.Options{Seed: 4})
	n.Grow(3)
	alice, victim, carol := n.Members[0], n.Members[1], n.Members[2]
	say := func(m *simnet.Member, words string) {
		t.Helper()
		require.NoError(t, m.Send(words))
	}
	var early thief
	for i := 1; i <= 5; i++ {
		switch i {
		case 2:
			early = seize(t, n, victim)
		case 3:
			n.Advance(60 * time.Hour) // m3 brings a new epoch
		case 4:
			n.Join(n.Invite()) // and a ticket is on the wire
			n.Settle()
		}
		say(alice, fmt.Sprint("m", i))
		if i < 4 {
			n.Settle()
		}
	}
	victim.Reverse() // m5 is read before m4, whose key is kept for a moment
	n.Settle()
	say(alice, "overtaken")
	say(alice, "overtaking")
	victim.Reverse()
	victim.Fetch(1)
	require.NotContains(t, victim.Texts(), "overtaken")
	late := seize(t, n, victim)

	n.Settle()
	say(alice, "next")
	n.Settle()
	n.Advance(60 * time.Hour)
	say(carol, "after a commit of carol's")
	n.Settle()

	five := []string{"m1", "m2", "m3", "m4", "m5"}
	read := late.texts()
	require.Subset(t, read, []string{"overtaken", "next", "after a commit of carol's"})
	require.Subset(t, early.texts(), five[1:], "a state from before opens them")
	var closed []sealed
	for _, words := range five {
		require.NotContains(t, read, words)
		closed = append(closed, sealedText(t, n, victim, words))
	}
	if k, ok := late.byForce(closed...); ok {
		require.Fail(t, "a key of what was read is stored", five[k])
	}
	_, ok := late.byForce(sealedText(t, n, victim, "overtaken"))
	require.True(t, ok, "a key that is kept lies in the stored bytes, and is found there")
}

// Of a seizure of everything the victim's own commit heals. Another's does not, which is the limit that the security model names.
func TestSeizedStateHeals(t *testing.T) {
	for _, own := range []bool{true, false} {
		t.Run(fmt.Sprintf("own=%v", own), func(t *testing.T) {
			n := simnet.New(t, simnet.Options{Seed: 5})
			n.Grow(3)
			victim, commits := n.Members[1], n.Members[1]
			seized := seize(t, n, victim)
			n.Advance(60 * time.Hour)
			if !own {
				commits = n.Members[2]
			}
			epoch := commits.Info().Epoch
			require.NoError(t, commits.Send("with a commit"))
			require.NotEqual(t, epoch, commits.Info().Epoch)
			n.Settle()
			require.NoError(t, n.Founder().Send("after it"))
			n.Settle()
			require.Contains(t, victim.Texts(), "after it")
			if own {
				require.NotContains(t, seized.texts(), "after it")
				_, ok := seized.byForce(sealedText(t, n, victim, "after it"))
				require.False(t, ok)
			} else {
				require.Contains(t, seized.texts(), "after it")
			}
		})
	}
}
