package session

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet/session/internal/double"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/quorumtest"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/ratchet/session/keypair"
)

// A peer that has signed for the post-quantum form is never agreed with in a weaker one, from either side.
func TestNoFallback(t *testing.T) {
	a, b := newHuman(t, 1), newHuman(t, 1)
	weak, strong := b.peer(t, 0, classic), b.peer(t, 0, hybrid)

	alice := &party{t: t, d: a.devices[0], other: strong}
	var err error
	alice.s, err = New(alice.d, strong)
	require.NoError(t, err)
	same, err := Initiate(alice.s, alice.d, weak)
	require.ErrorIs(t, err, ErrUnverified)
	require.True(t, same.Equal(alice.s))

	// Bob knows that alice runs trefoil: an initiation of hers in the classic suite is not hers, or stripped.
	stripped := &party{t: t, d: a.devices[0], other: weak}
	stripped.s, err = New(stripped.d, weak)
	require.NoError(t, err)
	stripped.initiate()
	bob := &party{t: t, d: b.devices[0], other: a.peer(t, 0, hybrid)}
	bob.s, err = New(bob.d, bob.other)
	require.NoError(t, err)
	bob.refuses(stripped.send("weak"), ErrUnverified)

	// Even if he did not know, he knows after her first one.
	bob.s, err = New(bob.d, a.peer(t, 0, classic))
	require.NoError(t, err)
	alice.initiate()
	bob.reads(alice.send("strong"), "strong")
	bob.refuses(stripped.send("weak"), ErrUnverified)
	_, err = Initiate(bob.s, bob.d, a.peer(t, 0, classic))
	require.ErrorIs(t, err, ErrUnverified)
}

// The version, the generation, both identities and every key are bound into the key of the hybrid suite.
func TestEverythingIsBoundIntoTheKey(t *testing.T) {
	a, b := newHuman(t, 1), newHuman(t, 1)
	d, e := a.devices[0], keypair.GenerateKey[key.Ephemeral]()
	rotated, _ := b.devices[0].Rotate(day0.Add(rotateAfter))
	device, keys, err := rotated.Issue(2)
	require.NoError(t, err)
	b.devices[0] = device
	peer, err := b.peer(t, 0, hybrid).WithOneTime(keys[0])
	require.NoError(t, err)
	f, o, agreed, err := agreeInitiate(d, e, peer, 7, 5)
	require.NoError(t, err)
	require.Equal(t, hybrid, f)
	same, _, err := agreeAccept(device, a.address(), d.Identity(), e.Public(), &o)
	require.NoError(t, err)
	require.True(t, agreed.Equal(same))

	other := newHuman(t, 1)
	type side struct {
		d         Device
		person    key.Address
		identity  key.PublicKey[key.Identity]
		ephemeral key.PublicKey[key.Ephemeral]
		offer     *offer
	}
	for name, change := range map[string]func(*side){
		"form":       func(s *side) { s.offer = nil },
		"person":     func(s *side) { s.person = other.address() },
		"identity":   func(s *side) { s.identity = other.devices[0].Identity() },
		"ephemeral":  func(s *side) { s.ephemeral = keypair.GenerateKey[key.Ephemeral]().Public() },
		"generation": func(s *side) { s.offer.generation++ },
		"heard":      func(s *side) { s.offer.heard++ },
		"one-time":   func(s *side) { s.offer.oneTime = 2 },
		"bundle":     func(s *side) { s.offer.bundle = 1 },
		"none":       func(s *side) { s.offer.oneTime = 0 },
		"ciphertext": func(s *side) { s.offer.ciphertext[99] ^= 1 },
		"responder":  func(s *side) { s.d.person = other.address() },
		"inbox":      func(s *side) { s.d.inbox = keypair.GenerateKey[key.Inbox]() },
		"mailbox":    func(s *side) { s.d.mailbox = keypair.GenerateSigningKey() },
	} {
		copied := o
		s := side{device, a.address(), d.Identity(), e.Public(), &copied}
		change(&s)
		another, _, err := agreeAccept(s.d, s.person, s.identity, s.ephemeral, s.offer)
		if name == "form" {
			require.NoError(t, err)
			require.False(t, agreed.Equal(another))
			continue
		}
		require.ErrorIs(t, err, ErrForged, name)
	}
	// The proof shows who began also to a responder that has erased the one-time pre-key.
	_, _, err = agreeAccept(device.EraseOneTime(1), a.address(), d.Identity(), e.Public(), &o)
	require.ErrorIs(t, err, ErrOneTimeUsed)
	o.proof[5] ^= 1
	for _, d := range []Device{device, device.EraseOneTime(1)} {
		_, _, err = agreeAccept(d, a.address(), a.devices[0].Identity(), e.Public(), &o)
		require.ErrorIs(t, err, ErrForged)
	}
}

// A one-time pre-key serves one session.
func TestOneTimePreKeyIsSpent(t *testing.T) {
	a, b := newHuman(t, 1), newHuman(t, 1)
	device, keys, err := b.devices[0].Issue(1)
	require.NoError(t, err)
	b.devices[0] = device
	start := func() *party {
		p := &party{t: t, d: a.devices[0]}
		p.other, err = b.peer(t, 0, hybrid).WithOneTime(keys[0])
		require.NoError(t, err)
		p.s, err = New(p.d, p.other)
		require.NoError(t, err)
		p.initiate()
		return p
	}
	alice := start()
	bob := &party{t: t, d: device}
	bob.s, err = New(device, a.peer(t, 0, hybrid))
	require.NoError(t, err)
	first, second := alice.send("first"), alice.send("second")
	require.Equal(t, uint32(1), bob.reads(first, "first").UsedOneTime)
	bob.d = bob.d.EraseOneTime(1)
	// What repeats the same initiation is read by the session that it began.
	require.Zero(t, bob.reads(second, "second").UsedOneTime)
	again := start()
	again.initiate() // of generation 2, but with the key that was used up
	bob.refuses(again.send("again"), ErrOneTimeUsed)
}

// A copy of the device that is older than a one-time pre-key keeps the frame for one that is not.
func TestOneTimePreKeyOfANewerCopy(t *testing.T) {
	a, b := newHuman(t, 1), newHuman(t, 1)
	older := b.devices[0]
	newer, keys, err := older.Issue(1)
	require.NoError(t, err)
	b.devices[0] = newer
	alice, bob := &party{t: t, d: a.devices[0]}, &party{t: t, d: older}
	alice.other, err = b.peer(t, 0, hybrid).WithOneTime(keys[0])
	require.NoError(t, err)
	alice.s, err = New(alice.d, alice.other)
	require.NoError(t, err)
	bob.s, err = New(older, a.peer(t, 0, hybrid))
	require.NoError(t, err)
	alice.initiate()
	frame := alice.send("text")
	bob.refuses(frame, ErrNotYet)
	bob.d = newer
	bob.reads(frame, "text")

	// G16: whoever was interrupted before the key was erased learns from the session that it was used up.
	back, err := parsePair(bob.s.Part().marshal())
	require.NoError(t, err)
	require.Equal(t, []uint32{1}, back.UsedOneTime())
	require.Empty(t, alice.s.Part().UsedOneTime())
	require.NotContains(t, string(newer.EraseOneTime(back.UsedOneTime()...).marshal()), string(newer.oneTime[0].key.Bytes()))
}

// G15: an initiation by anybody but the device of this slot is refused, whatever it says of itself.
func TestG15SlotOfOneDevice(t *testing.T) {
	suites(t, func(t *testing.T, f suite) {
		a, b, m := newHuman(t, 2), newHuman(t, 1), newHuman(t, 1)
		bob := &party{t: t, d: b.devices[0]}
		var err error
		bob.s, err = New(bob.d, a.peer(t, 0, f))
		require.NoError(t, err)
		for name, d := range map[string]Device{"another person": m.devices[0], "another device": a.devices[1]} {
			p := &party{t: t, d: d, other: b.peer(t, 0, f)}
			p.s, err = New(p.d, p.other)
			require.NoError(t, err)
			p.initiate()
			frame := p.send("text")
			claim, err := claimIn(frame, bob.d)
			require.NoError(t, err)
			require.Equal(t, d.Person(), claim.person)
			require.True(t, claim.identity.Equal(d.Identity()), name)
			bob.refuses(frame, ErrUnverified)
			// One that lies about who it is does not agree on the key.
			liar := p.s.Part()
			liar.person, liar.identity = a.address(), a.devices[0].Identity()
			_, out, err := Encrypt(p.s.With(liar), day0, []byte("text"))
			require.NoError(t, err)
			bob.refuses(out.Frame, ErrForged)
		}
	})
}

// G15: an initiation in another person's name is not read, even if that person has registered the very device that made it.
func TestG15InitiationInAnotherName(t *testing.T) {
	suites(t, func(t *testing.T, f suite) {
		a, b, m := newHuman(t, 1), newHuman(t, 1), newHuman(t, 0)
		m.devices = a.devices
		alice := &party{t: t, d: a.devices[0], other: b.peer(t, 0, f)}
		bob := &party{t: t, d: b.devices[0]}
		var err error
		alice.s, err = New(alice.d, alice.other)
		require.NoError(t, err)
		bob.s, err = New(bob.d, m.peer(t, 0, f))
		require.NoError(t, err)
		alice.initiate()
		bob.refuses(alice.send("from Alice"), ErrUnverified)
	})
}

// Two devices of which one learns late that the other runs trefoil go on in the stronger form, however many sessions they
// had before.
func TestUpgrade(t *testing.T) {
	a, b := newHuman(t, 1), newHuman(t, 1)
	alice := &party{t: t, d: a.devices[0], other: b.peer(t, 0, classic)}
	bob := &party{t: t, d: b.devices[0], other: a.peer(t, 0, classic)}
	var err error
	for _, p := range []*party{alice, bob} {
		p.s, err = New(p.d, p.other)
		require.NoError(t, err)
	}
	alice.initiate()
	bob.reads(alice.send("classic"), "classic")
	for range 3 {
		bob.initiate() // counted here, and never heard of there
	}
	alice.other = b.peer(t, 0, hybrid)
	alice.initiate()
	require.True(t, bob.reads(alice.send("hybrid"), "hybrid").Began)
	require.True(t, bob.s.Part().IsPostQuantum())
	alice.reads(bob.send("answer"), "answer")
	require.True(t, alice.s.Part().IsPostQuantum())
	require.ErrorIs(t, func() error { _, err := Initiate(bob.s, bob.d, bob.other); return err }(), ErrUnverified)
}

func TestQuorumX3DH(t *testing.T) {
	file := quorumtest.Load[struct {
		Cases []struct {
			SenderIdentity   quorumtest.Pair `json:"sender_identity"`
			SenderEphemeral  quorumtest.Pair `json:"sender_ephemeral"`
			ReceiverIdentity quorumtest.Pair `json:"receiver_identity"`
			ReceiverPreKey   quorumtest.Pair `json:"receiver_prekey"`
			Length           int
			SessionKey       []byte `json:"session_key"`
		}
	}](t, "x3dh.json")
	for _, v := range quorumtest.All(t, file.Cases) {
		a, e := quorumtest.Private[key.Identity](t, v.SenderIdentity), quorumtest.Private[key.Ephemeral](t, v.SenderEphemeral)
		b, s := quorumtest.Private[key.Identity](t, v.ReceiverIdentity), quorumtest.Private[key.PreKey](t, v.ReceiverPreKey)
		sender, err := x3dhInitiate(a, e, b.Public(), s.Public()).key(labelX3DH, v.Length)
		require.NoError(t, err)
		receiver, err := x3dhAccept(b, s, a.Public(), e.Public()).key(labelX3DH, v.Length)
		require.NoError(t, err)
		require.Equal(t, v.SessionKey, sender.Expose())
		require.Equal(t, v.SessionKey, receiver.Expose())
	}
}

// An agreement of which a part is the identity is refused.
func TestIdentityResultRefused(t *testing.T) {
	k, identity := keypair.GenerateKey[key.Identity](), append([]byte{1}, make([]byte, key.PublicKeySize-1)...)
	_, err := x3dhInitiate(k, keypair.GenerateKey[key.Ephemeral](), key.Stored[key.Identity](identity),
		keypair.GenerateKey[key.PreKey]().Public()).key(labelX3DH, double.AgreedSize)
	require.ErrorIs(t, err, key.ErrMalformed)
	_, err = x3dhAccept(k, keypair.GenerateKey[key.PreKey](), k.Public(), key.Stored[key.Ephemeral](identity)).
		key(labelX3DH, double.AgreedSize)
	require.ErrorIs(t, err, key.ErrMalformed)
}
