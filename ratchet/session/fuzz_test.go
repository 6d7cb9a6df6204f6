package session

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/wire/wiretest"
	"github.com/trefoil-im/trefoil/state"
)

// must drops the error of a writer whose input was read before.
func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

func FuzzFrame(f *testing.F) {
	alice, bob := started(f, hybrid)
	begin := alice.send("begin")
	bob.reads(begin, "begin")
	alice.reads(bob.send("answer"), "answer")
	other, _ := started(f, deployed)
	wiretest.Fuzz(f, parseFrame, frame.marshal, begin, alice.send("text"), other.send("deployed"))
}

func FuzzMessage(f *testing.F) {
	alice, _ := settledRatchets(f)
	_, m := encrypt(f, alice, "text")
	wiretest.Fuzz(f, ParseMessage, func(m Message) []byte { return must(m.MarshalBinary()) }, must(m.MarshalBinary()))
}

func FuzzBox(f *testing.F) {
	b, err := Seal(GenerateKey[Inbox]().Public(), []byte("text"))
	require.NoError(f, err)
	wiretest.Fuzz(f, ParseBox, func(b Box) []byte { return must(b.MarshalBinary()) }, must(b.MarshalBinary()))
}

func FuzzBundle(f *testing.F) {
	d := newHuman(f, 1).devices[0]
	wiretest.Fuzz(f, ParseBundle, func(b Bundle) []byte { return must(b.MarshalBinary()) }, must(d.Bundle().MarshalBinary()))
}

func FuzzOneTimePreKey(f *testing.F) {
	_, keys, err := newHuman(f, 1).devices[0].Issue(1)
	require.NoError(f, err)
	wiretest.Fuzz(f, ParseOneTimePreKey, func(o OneTimePreKey) []byte { return must(o.MarshalBinary()) }, must(keys[0].MarshalBinary()))
}

func FuzzShelf(f *testing.F) {
	d, keys, err := newHuman(f, 1).devices[0].Issue(2)
	require.NoError(f, err)
	s, err := NewShelf(d.Bundle()).Stock(keys...)
	require.NoError(f, err)
	wiretest.Fuzz(f, ParseShelf, func(s Shelf) []byte { return must(s.MarshalBinary()) }, must(s.MarshalBinary()))
}

func FuzzKEMPublicKey(f *testing.F) {
	wiretest.Fuzz(f, ParseKEMPublicKey, KEMPublicKey.Bytes, GenerateKEMKey().Public().Bytes())
}

func FuzzPublicKey(f *testing.F) {
	wiretest.Fuzz(f, ParsePublicKey[Identity], PublicKey[Identity].Bytes, GenerateKey[Identity]().Public().Bytes())
}

func FuzzPrivateKey(f *testing.F) {
	wiretest.Fuzz(f, ParsePrivateKey[Identity], func(k PrivateKey[Identity]) []byte { return k.scalar.Bytes() },
		GenerateKey[Identity]().scalar.Bytes())
}

func FuzzVerifyKey(f *testing.F) {
	wiretest.Fuzz(f, ParseVerifyKey, VerifyKey.Bytes, GenerateSigningKey().Public().Bytes())
}

func FuzzSigningKey(f *testing.F) {
	wiretest.Fuzz(f, ParseSigningKey, SigningKey.Seed, GenerateSigningKey().Seed())
}

func FuzzAddress(f *testing.F) {
	wiretest.Fuzz(f, func(b []byte) (Address, error) { return ParseAddress(string(b)) },
		func(a Address) []byte { return []byte(a.String()) }, []byte(Address{1, 2, 3}.String()))
}

func FuzzContent(f *testing.F) {
	alice, _ := newPair(f, hybrid)
	p := alice.s.Part()
	type content struct {
		route route
		text  []byte
	}
	wiretest.Fuzz(f, func(b []byte) (c content, err error) {
		c.route, c.text, err = parseContent(b)
		return c, err
	}, func(c content) []byte {
		p := p
		if c.route.isZero() {
			return p.content(false, c.text)
		}
		out := append([]byte{contentRoute}, c.route.mailbox[:]...)
		return append(append(out, c.route.inbox.encoding[:]...), c.text...)
	}, p.content(true, []byte("text")), p.content(false, []byte("text")))
}

func FuzzInitiation(f *testing.F) {
	e := GenerateKey[Ephemeral]().Public()
	alice, bob := started(f, hybrid)
	in, err := parseFrame(alice.send("text"))
	require.NoError(f, err)
	plain, err := in.box.Open(bob.d.inbox)
	require.NoError(f, err)
	wiretest.Fuzz(f, func(b []byte) (initiation, error) { return parseInitiation(e, b) }, initiation.marshal, plain)
}

// The stored forms come out of sealed rows, and are read with the same care.

func FuzzStoredRatchet(f *testing.F) {
	alice, bob := settledRatchets(f)
	alice, _ = encrypt(f, alice, "skipped")
	alice, bob = pass(f, alice, bob, "text")
	fresh, waiting := freshRatchets(f)
	wiretest.Fuzz(f, parseRatchet, Ratchet.marshal, alice.marshal(), bob.marshal(), fresh.marshal(), waiting.marshal())
}

func FuzzStoredPair(f *testing.F) {
	var seeds [][]byte
	for _, form := range []form{deployed, hybrid} {
		alice, bob := started(f, form)
		seeds = append(seeds, alice.s.Part().marshal(), bob.s.Part().marshal())
		bob.reads(alice.send("text"), "text")
		bob.initiate()
		seeds = append(seeds, bob.s.Part().marshal())
	}
	wiretest.Fuzz(f, parsePair, Pair.marshal, seeds...)
}

func FuzzStoredDevice(f *testing.F) {
	d, _, err := newHuman(f, 1).devices[0].Issue(2)
	require.NoError(f, err)
	wiretest.Fuzz(f, parseDevice, Device.marshal, d.marshal())
}

// JSON has many spellings, so what is accepted is written in one of them, and that one is read as the same.

func fuzzJSON[T any](f *testing.F, parse func([]byte) (T, error), write func(T) []byte, seeds ...[]byte) {
	wiretest.Fuzz(f, func(in []byte) ([]byte, error) {
		v, err := parse(in)
		if err != nil {
			return nil, err
		}
		once := write(v)
		again, err := parse(once)
		if err != nil || !bytes.Equal(write(again), once) {
			panic("what was written is read as something else")
		}
		return bytes.Clone(in), nil
	}, func(in []byte) []byte { return in }, seeds...)
}

func FuzzRatchetJSON(f *testing.F) {
	alice, bob := settledRatchets(f)
	alice, _ = encrypt(f, alice, "skipped")
	_, bob = pass(f, alice, bob, "text")
	fuzzJSON(f, ParseRatchetJSON, func(r Ratchet) []byte { return must(r.JSON()) }, must(bob.JSON()))
}

func FuzzMessageJSON(f *testing.F) {
	alice, _ := settledRatchets(f)
	_, m := encrypt(f, alice, "text")
	fuzzJSON(f, ParseMessageJSON, Message.JSON, m.JSON())
}

func FuzzBoxJSON(f *testing.F) {
	e := GenerateKey[Ephemeral]().Public()
	b, err := Seal(GenerateKey[Inbox]().Public(), []byte("text"))
	require.NoError(f, err)
	fuzzJSON(f, func(in []byte) (Box, error) { return ParseBoxJSON(e, in) }, Box.JSON, b.JSON())
}

func FuzzRegistrationJSON(f *testing.F) {
	fuzzJSON(f, ParseRegistration, Registration.JSON, newHuman(f, 2).registration(f).JSON())
}

func FuzzInitiationJSON(f *testing.F) {
	e := GenerateKey[Ephemeral]().Public()
	mailbox := GenerateSigningKey()
	alice, bob := started(f, deployed)
	in, err := parseFrame(alice.send("text"))
	require.NoError(f, err)
	plain, err := in.box.Open(bob.d.inbox)
	require.NoError(f, err)
	fuzzJSON(f, func(in []byte) (initiation, error) { return parseInitiationJSON(e, in) },
		func(i initiation) []byte { return i.jsonWith(mailbox) }, plain)
}

// FuzzDecrypt gives any bytes to a session with the device's keys: no panic, no change, and a verdict.
func FuzzDecrypt(f *testing.F) {
	_, bob := settled(f, hybrid)
	_, weak := settled(f, deployed)
	f.Add([]byte{frameVersion, frameMessage})
	f.Fuzz(func(t *testing.T, in []byte) {
		for _, p := range []*party{bob, weak} {
			next, _, err := Decrypt(p.s, p.d, in)
			require.Error(t, err)
			require.NotEqual(t, state.Stop, state.VerdictOf(err))
			require.True(t, next.Equal(p.s))
			_, err = p.d.Claim(in)
			require.Error(t, err)
		}
	})
}

// FuzzDecryptContent gives any bytes to a session inside a box that opens: from a peer that is hostile.
func FuzzDecryptContent(f *testing.F) {
	_, bob := settled(f, hybrid)
	_, weak := settled(f, deployed)
	f.Add([]byte(`{"type":"direct","message":""}`), true)
	f.Add([]byte(`{"protocol_identifier":512}`), true)
	f.Add([]byte{hybridVersion}, false)
	f.Fuzz(func(t *testing.T, in []byte, asJSON bool) {
		for _, p := range []*party{bob, weak} {
			fr := frame{kind: frameInitiation}
			if asJSON {
				fr.kind = frameDeployed
			}
			var err error
			if fr.box, err = Seal(p.d.inbox.Public(), in); err != nil {
				return
			}
			next, _, err := Decrypt(p.s, p.d, fr.marshal())
			require.Error(t, err)
			require.NotEqual(t, state.Stop, state.VerdictOf(err))
			require.True(t, next.Equal(p.s))
			_, _ = p.d.Claim(fr.marshal())
		}
	})
}
