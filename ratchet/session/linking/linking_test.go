package linking

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/ratchet/session/keypair"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
)

var now = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func person() key.Address { return keypair.GenerateSigningKey().Public().Address() }

func frame(t testing.TB, l Linking) []byte {
	b, err := l.Frame()
	require.NoError(t, err)
	return b
}

// hand gives what one device has to say to another.
func hand(t testing.TB, from Linking, to *Linking) error {
	next, err := to.Receive(frame(t, from))
	*to = next
	return err
}

// met returns two devices that compare.
func met(t testing.TB) (first, further Linking) {
	first = Offer(person(), now)
	further, err := Accept(first.Code(), now)
	require.NoError(t, err)
	require.Equal(t, first.ID(), further.ID())
	require.NoError(t, hand(t, further, &first))
	require.NoError(t, hand(t, first, &further))
	return first, further
}

// Two devices show the same digits, and what they send each other afterwards is theirs.
func TestTwoDevices(t *testing.T) {
	first, further := met(t)
	require.Regexp(t, `^\d{3} \d{3}$`, first.Digits())
	require.Equal(t, first.Digits(), further.Digits())
	require.Equal(t, first.Person(), further.Person())
	_, err := first.Grant([]byte("too early"))
	require.ErrorIs(t, err, ErrPhase)
	further, err = further.Confirm(first.Digits(), []byte("my keys"))
	require.NoError(t, err)
	require.NoError(t, hand(t, further, &first))
	_, err = first.Grant([]byte("not confirmed here"))
	require.ErrorIs(t, err, ErrPhase)
	first, err = first.Confirm(strings.ReplaceAll(further.Digits(), " ", ""), nil)
	require.NoError(t, err)
	require.Equal(t, "my keys", string(first.Payload()))
	first, err = first.Grant([]byte("links"))
	require.NoError(t, err)
	require.NoError(t, hand(t, first, &further))
	require.Equal(t, "links", string(further.Payload()))
	require.NoError(t, hand(t, further, &first))
	require.Equal(t, Done, first.Phase())
	require.Equal(t, Done, further.Phase())
	require.Empty(t, frame(t, first))
	require.NotContains(t, fmt.Sprintf("%v %+v %#v", first, further, first), "links")
}

// Whoever has the code and the relay makes both devices compare different digits, whichever place it takes, and whatever it says after it
// saw what it can see. It has one guess: a second one ends the linking.
func TestThiefOfTheCode(t *testing.T) {
	first := Offer(person(), now)
	further, err := Accept(first.Code(), now)
	require.NoError(t, err)
	thief, err := Accept(first.Code(), now)
	require.NoError(t, err)
	require.NoError(t, hand(t, thief, &first), "it is faster")
	require.NoError(t, hand(t, first, &thief))
	require.NoError(t, hand(t, first, &further), "the device has what the first one showed to the thief")
	require.Equal(t, first.Digits(), thief.Digits())
	require.NotEqual(t, first.Digits(), further.Digits())
	ended, err := first.Confirm(further.Digits(), nil)
	require.ErrorIs(t, err, ErrDigits)
	require.Equal(t, Ended, ended.Phase())
	require.ErrorIs(t, hand(t, thief, &ended), ErrIgnored)
	require.ErrorIs(t, hand(t, further, &first), ErrTwice, "the device is heard as well")
	require.Equal(t, Ended, first.Phase())
	require.Empty(t, first.Digits())
	require.Empty(t, frame(t, first))

	// In the middle, with a code of its own for the further device.
	first = Offer(person(), now)
	own := Offer(first.Person(), now)
	further, err = Accept(own.Code(), now)
	require.NoError(t, err)
	thief, err = Accept(first.Code(), now)
	require.NoError(t, err)
	require.NoError(t, hand(t, further, &own))
	require.NoError(t, hand(t, own, &further))
	require.NoError(t, hand(t, thief, &first))
	require.NoError(t, hand(t, first, &thief))
	require.NotEqual(t, first.Digits(), further.Digits())
}

// The first device's keys are those that its code names. Whoever has the code cannot make the further device take others.
func TestRevealFitsTheCode(t *testing.T) {
	first := Offer(person(), now)
	further, err := Accept(first.Code(), now)
	require.NoError(t, err)
	false1 := Offer(first.Person(), now)
	false1.code = first.code
	require.NoError(t, hand(t, further, &false1))
	require.ErrorIs(t, hand(t, false1, &further), ErrIgnored)
	require.Equal(t, Waiting, further.Phase())
	require.NoError(t, hand(t, further, &first))
	require.NoError(t, hand(t, first, &further))
	require.Equal(t, first.Digits(), further.Digits())
}

// Nobody but the devices that compared is believed afterwards, with the code neither; an altered frame is ignored and changes nothing.
func TestOnlyTheOtherDeviceIsBelieved(t *testing.T) {
	first, further := met(t)
	further, err := further.Confirm(further.Digits(), []byte("keys"))
	require.NoError(t, err)
	thief := further
	thief.own.signing, thief.sent = keypair.GenerateSigningKey(), []byte("other keys")
	require.ErrorIs(t, hand(t, thief, &first), ErrIgnored)
	require.Nil(t, first.Payload())
	f := frame(t, further)
	for i := 1; i < len(f); i += 37 {
		b := append([]byte(nil), f...)
		b[i] ^= 1
		_, err := first.Receive(b)
		require.ErrorIs(t, err, ErrIgnored)
	}
	f[0]++
	_, err = first.Receive(f)
	require.ErrorIs(t, err, state.ErrTooNew)
	require.NoError(t, hand(t, further, &first))
	first, err = first.Confirm(first.Digits(), nil)
	require.NoError(t, err)
	first, err = first.Grant([]byte("links"))
	require.NoError(t, err)
	forged := first
	forged.own.signing = keypair.GenerateSigningKey()
	require.ErrorIs(t, hand(t, forged, &further), ErrIgnored)
	unconfirmed := further
	unconfirmed.phase = Comparing
	require.ErrorIs(t, hand(t, first, &unconfirmed), ErrIgnored, "a grant before the person compared")
	require.NoError(t, hand(t, first, &further))
}

// A linking is done whatever is lost, repeated, reordered or said to itself, and over restarts at any moment.
func TestLinkingOverABadNetwork(t *testing.T) {
	for seed := uint64(1); seed <= 5; seed++ {
		rng := rand.New(rand.NewPCG(seed, 0))
		first := Offer(person(), now)
		further, err := Accept(first.Code(), now)
		require.NoError(t, err)
		devices := []*Linking{&first, &further}
		var flying [][]byte
		for round := 0; first.Phase() != Done || further.Phase() != Done; round++ {
			require.Less(t, round, 400, "seed %d: %v, %v", seed, first, further)
			for _, d := range devices {
				if f := frame(t, *d); f != nil && rng.IntN(2) == 0 {
					flying = append(flying, f)
				}
				*d = stored(t, *d)
			}
			if len(flying) > 0 {
				f := flying[rng.IntN(len(flying))]
				for _, d := range devices {
					next, err := d.Receive(f)
					require.True(t, err == nil || err == ErrIgnored, "seed %d: %v", seed, err)
					*d = next
				}
			}
			if first.Phase() == Comparing && further.Digits() != "" {
				first, err = first.Confirm(further.Digits(), nil)
				require.NoError(t, err)
			}
			if further.Phase() == Comparing && rng.IntN(3) == 0 {
				further, err = further.Confirm(first.Digits(), []byte("keys"))
				require.NoError(t, err)
			}
			if first.Phase() == Confirmed && first.Payload() != nil && !first.Granted() {
				first, err = first.Grant([]byte("links"))
				require.NoError(t, err)
			}
		}
		require.Equal(t, "links", string(further.Payload()))
	}
}

// stored returns a linking as it comes out of a vault.
func stored(t testing.TB, l Linking) Linking {
	k, err := state.NewKey(make([]byte, state.KeySize))
	require.NoError(t, err)
	v, err := state.Open[state.One[Linking]](context.Background(), store.NewMemory(), k, state.Options{})
	require.NoError(t, err)
	one, err := state.NewOne(l.ID(), l)
	require.NoError(t, err)
	require.NoError(t, v.Create(context.Background(), one, nil))
	out, err := v.Load(context.Background(), l.ID())
	require.NoError(t, err)
	require.True(t, one.Equal(out))
	return out.Part()
}

// A code is read as people type it, an altered one is refused, and it is good for a quarter of an hour.
func TestCodes(t *testing.T) {
	first := Offer(person(), now)
	code := first.Code()
	require.Len(t, code, 111)
	spaced := strings.ToLower(code[:20] + " " + code[20:50] + "-" + code[50:])
	_, err := Accept(spaced, now)
	require.NoError(t, err)
	for i := range code {
		b := []byte(code)
		if b[i]++; b[i] == 'Z'+1 || b[i] == '8' {
			b[i] = 'A'
		}
		_, err := Accept(string(b), now)
		require.Error(t, err, "character %d", i)
	}
	for _, bad := range []string{"", code[:110], code + "A", strings.Repeat(" ", 600)} {
		_, err := Accept(bad, now)
		require.ErrorIs(t, err, ErrCode)
	}
	further, err := Accept(code, now)
	require.NoError(t, err)
	require.Empty(t, further.Code())
	_, err = first.Tick(now.Add(codeFor))
	require.NoError(t, err)
	ended, err := first.Tick(now.Add(codeFor + time.Second))
	require.ErrorIs(t, err, ErrExpired)
	require.ErrorIs(t, hand(t, further, &ended), ErrIgnored)
	require.NoError(t, stored(t, ended).Succeeds(first))
	require.ErrorIs(t, first.Succeeds(ended), state.ErrStale)
}

func FuzzReceive(f *testing.F) {
	first := Offer(person(), now)
	further, err := Accept(first.Code(), now)
	require.NoError(f, err)
	f.Add(frame(f, further))
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, b []byte) {
		next, err := first.Receive(b)
		if err != nil && next.Phase() != Waiting {
			t.Fatal("a frame that is refused changed something")
		}
	})
}

func FuzzCode(f *testing.F) {
	first := Offer(person(), now)
	f.Add(first.Code())
	f.Fuzz(func(t *testing.T, s string) {
		if l, err := Accept(s, now); err == nil && l.ID() == (state.ID{}) {
			t.Fatal("a code of nothing")
		}
	})
}
