package dkg

import (
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/secret/secrettest"
	"github.com/trefoil-im/trefoil/state"
)

var offerSecret = secret.New([]byte("0123456789abcdef0123456789abcdef"))

// TestOffersOfDealers: several dealers of one polynomial never offer one index twice, whatever they offer and end, and nothing
// that a call with an error returns is changed.
func TestOffersOfDealers(t *testing.T) {
	p := NewPolynomial()
	rapid.Check(t, func(t *rapid.T) {
		dealers := rapid.IntRange(1, 4).Draw(t, "dealers")
		evals := make([]Evals, dealers)
		for k := range evals {
			var err error
			evals[k], err = p.Evals(Terms{Depth: 9, Capacity: 300, Next: 2})
			require.NoError(t, err)
		}
		taken, open := map[Index]bool{1: true}, map[[16]byte]int{}
		for n := range rapid.IntRange(1, 30).Draw(t, "steps") {
			k := rapid.IntRange(0, dealers-1).Draw(t, "dealer")
			name := [16]byte{byte(n)}
			kind := rapid.SampledFrom([]Kind{Private, Public, Direct}).Draw(t, "kind")
			count := uint32(1)
			if kind == Public {
				count = 16
			}
			next, o, err := evals[k].Offer(Offer{Name: name, Kind: kind, Count: count, M: offerSecret}, k, dealers)
			require.NoError(t, next.Succeeds(evals[k]))
			if err != nil {
				require.ErrorIs(t, err, ErrExhausted)
				require.Zero(t, o.First)
				continue
			}
			evals[k], open[name] = next, k
			for j := range count {
				i := o.First + Index(j)*Index(o.Step)
				require.False(t, taken[i], "index %d", i)
				require.Equal(t, k, int(i)%dealers)
				require.LessOrEqual(t, i, Index(300))
				taken[i] = true
			}
			if rapid.Bool().Draw(t, "end") {
				for _, name := range slices.Sorted(maps.Keys(byteNames(open))) {
					owner := open[[16]byte{name}]
					next, err := evals[owner].EndOffer([16]byte{name})
					require.NoError(t, err)
					require.NoError(t, next.Succeeds(evals[owner]))
					evals[owner] = next
					delete(open, [16]byte{name})
					break
				}
			}
		}
		for k, e := range evals {
			n := 0
			for o := range e.Offers() {
				require.Equal(t, k, open[o.Name])
				n++
			}
			for _, owner := range open {
				if owner == k {
					n--
				}
			}
			require.Zero(t, n, "offers that are open are kept, others are not")
		}
	})
}

func byteNames(open map[[16]byte]int) map[byte]bool {
	out := map[byte]bool{}
	for name := range open {
		out[name[0]] = true
	}
	return out
}

// offered returns evals with an offer of each kind, one of them kept for another dealer.
func offered(t testing.TB, e Evals) Evals {
	for n, k := range []Kind{Private, Public, Direct} {
		count := uint32(1)
		if k == Public {
			count = 32
		}
		next, _, err := e.Offer(Offer{Name: [16]byte{byte(9 - n)}, Kind: k, Count: count, M: offerSecret}, 1, 2)
		require.NoError(t, err)
		e = next
	}
	e, err := e.KeepOffer(Offer{[16]byte{1}, Private, 500, 1, 1, offerSecret})
	require.NoError(t, err)
	return e
}

// TestOffersAreStored: offers are stored as one segment, which is there only if there are some.
func TestOffersAreStored(t *testing.T) {
	e := samples(t)["offered"]
	got := pinned(t, "evals-v1-offered.hex", e)
	require.Equal(t, Index(501), readBack(t, e).Next())
	require.True(t, same(t, e.ReadOnly(), readBack(t, e.ReadOnly())))
	for o := range e.Offers() {
		var err error
		e, err = e.EndOffer(o.Name)
		require.NoError(t, err)
	}
	require.Len(t, encodeEvals(t, e), 2+165)
	secrettest.Check(t, samples(t)["offered"], offerSecret.Expose())
	secrettest.Check(t, slices.Collect(samples(t)["offered"].Offers()), offerSecret.Expose())

	list := len(got) - 4*offerSize
	for name, change := range map[string]struct {
		at   int
		with byte
	}{
		"kind":     {list + 16, 1},
		"count":    {list + 24, 2},
		"step":     {list + 25, 2},
		"order":    {list + offerSize, 0},
		"cursor":   {list + 19, 0xff},
		"one less": {list - 1, 3},
		"none":     {list - 1, 0},
	} {
		in := slices.Clone(got)
		require.NotEqual(t, change.with, in[change.at], name)
		in[change.at] = change.with
		_, err := decodeEvals(t, in)
		require.ErrorIs(t, err, state.ErrCorrupt, name)
	}
}

func readBack(t testing.TB, e Evals) Evals {
	back, err := decodeEvals(t, encodeEvals(t, e))
	require.NoError(t, err)
	return back
}

// TestOffersRefused: offers that are none, and evals that have no room for one.
func TestOffersRefused(t *testing.T) {
	e := samples(t)["offered"]
	offer := func(k Kind, place, dealers int, count uint32, name byte, m secret.Bytes) error {
		next, _, err := e.Offer(Offer{Name: [16]byte{name}, Kind: k, Count: count, M: m}, place, dealers)
		require.True(t, same(t, e, next))
		return err
	}
	for name, c := range map[string]struct{ got, want error }{
		"kind":           {offer(1, 0, 1, 1, 20, offerSecret), ErrOrder},
		"private run":    {offer(Private, 0, 1, 2, 20, offerSecret), ErrOrder},
		"none":           {offer(Public, 0, 1, 0, 20, offerSecret), ErrOrder},
		"long":           {offer(Public, 0, 1, 1<<20, 20, offerSecret), ErrOrder},
		"wraps":          {offer(Public, 0, 16, 1<<28+1, 20, offerSecret), ErrOrder},
		"over capacity":  {offer(Public, 0, 1, DefaultCapacity, 20, offerSecret), ErrExhausted},
		"no secret":      {offer(Private, 0, 1, 1, 20, secret.Bytes{}), ErrOrder},
		"name":           {offer(Private, 0, 1, 1, 9, offerSecret), ErrOrder},
		"no dealers":     {offer(Private, 0, 0, 1, 20, offerSecret), ErrOrder},
		"17 dealers":     {offer(Private, 0, 17, 1, 20, offerSecret), ErrOrder},
		"place":          {offer(Private, 2, 2, 1, 20, offerSecret), ErrOrder},
		"end":            {second(e.EndOffer([16]byte{20})), ErrIndex},
		"keep beyond":    {second(e.KeepOffer(Offer{[16]byte{20}, Private, 1 << DefaultDepth, 1, 1, offerSecret})), ErrIndex},
		"none to deal":   {second(NoEvals().KeepOffer(Offer{[16]byte{20}, Private, 2, 1, 1, offerSecret})), ErrReadOnly},
		"hide read-only": {second(e.ReadOnly().Hide(Offer{}, Mask{})), ErrReadOnly},
	} {
		require.ErrorIs(t, c.got, c.want, name)
	}
	_, _, err := e.ReadOnly().Offer(private(20), 0, 1)
	require.ErrorIs(t, err, ErrReadOnly)
	for n := range MaxOffers - 4 {
		e, _, err = e.Offer(Offer{Name: [16]byte{100, byte(n), byte(n >> 8)}, Kind: Private, Count: 1, M: offerSecret}, 0, 1)
		require.NoError(t, err)
	}
	require.ErrorIs(t, offer(Private, 0, 1, 1, 20, offerSecret), ErrExhausted)
	require.True(t, same(t, e, readBack(t, e)))

	p, m := NewPolynomial(), newMask()
	dealer := dealt(t, p, Terms{Next: 2})
	for _, o := range []Offer{{Kind: Private, First: 5, Count: 1, Step: 1}, {Kind: Public, First: 5, Count: 16, Step: 1}} {
		v, err := dealer.Hide(o, m)
		require.NoError(t, err)
		s, err := m.OpenShare(v, 5)
		require.NoError(t, err)
		require.NoError(t, p.Commitment().Verify(s))
	}
}
