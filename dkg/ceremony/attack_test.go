package ceremony

import (
	"maps"
	"os"
	"slices"
	"testing"

	"github.com/cloudflare/circl/ecc/goldilocks"
	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg/internal/poly"
	"github.com/trefoil-im/trefoil/dkg/threshold"
	"github.com/trefoil-im/trefoil/internal/ed448"
	"github.com/trefoil-im/trefoil/internal/ed448/ed448test"
)

const cheater index = 2

// attack is what party 2 of 4, with threshold 3, does instead of what it should.
type attack struct {
	// reasons are what may be proven first: a cheater whose later messages are honest contradicts itself.
	reasons []Reason
	begin   func(r *Run)                       // changes the polynomial that it deals
	commit  func(dealt poly.Polynomial) []byte // commitments to claim, from round 1 on
	join    func(b *joinBody)
	deal    func(b *dealBody)
	only    index // the one party that sees the changed message, 0 for all
}

// torsion returns a point with a torsion component.
func withTorsion(t testing.TB, p ed448.Point) []byte {
	raw, err := goldilocks.FromBytes(p.Bytes())
	require.NoError(t, err)
	raw.Add(ed448test.Torsion(t)[0])
	x, y := raw.ToAffine()
	return append(slices.Clone(x[:]), y[:]...)
}

func attacks(t testing.TB) map[string]attack {
	someone := ed448.BaseMult(ed448.RandomScalar())
	at := func(k int, p []byte) func(poly.Polynomial) []byte {
		return func(dealt poly.Polynomial) []byte {
			raw := affine(dealt.Commitments())
			copy(raw[k*ed448.AffineSize:], p)
			return raw
		}
	}
	return map[string]attack{
		"rogue key: a constant term that it does not know":   {reasons: []Reason{BadProof}, commit: at(0, someone.Affine())},
		"rogue key: commitments chosen after round 1":        {reasons: []Reason{BadOpening}, deal: func(b *dealBody) { copy(b.raw, someone.Affine()) }},
		"threshold raised: one more commitment":              {reasons: []Reason{Malformed}, deal: func(b *dealBody) { b.raw = append(b.raw, someone.Affine()...) }},
		"threshold raised: a polynomial of higher degree":    {reasons: []Reason{BadShare}, begin: longer, commit: func(dealt poly.Polynomial) []byte { return affine(dealt.Commitments()[:3]) }, deal: func(*dealBody) {}},
		"threshold lowered: identity as the last commitment": {reasons: []Reason{Malformed}, commit: at(2, ed448.Point{}.Affine())},
		"threshold lowered: one commitment less":             {reasons: []Reason{Malformed}, deal: func(b *dealBody) { b.raw = b.raw[ed448.AffineSize:] }},
		"identity as the constant term":                      {reasons: []Reason{Malformed}, commit: at(0, ed448.Point{}.Affine())},
		"torsion in the constant term":                       {reasons: []Reason{BadProof}, commit: at(0, withTorsion(t, someone))},
		"torsion in a coefficient":                           {reasons: []Reason{BadCommitment}, commit: at(1, withTorsion(t, someone))},
		"a coefficient of others":                            {reasons: []Reason{BadShare}, commit: at(1, someone.Affine())},
		"a box of noise for one party":                       {reasons: []Reason{BadShare, Twice}, deal: func(b *dealBody) { b.boxes[0][40]++ }},
		"two Joins":                                          {reasons: []Reason{Twice, BadOpening}, join: func(b *joinBody) { b.opening[0]++ }, only: 3},
		"two Deals":                                          {reasons: []Reason{Twice, BadShare}, deal: func(b *dealBody) { b.boxes[0][40]++ }, only: 3},
		"a box key that nothing can be boxed to":             {reasons: []Reason{BadBoxKey}, join: func(b *joinBody) { b.keys[0] = make([]byte, 32) }},
		"other Joins named in a Deal":                        {reasons: []Reason{BadEcho, Twice}, deal: func(b *dealBody) { b.joins[3][0]++ }},
		"the own Join named wrongly":                         {reasons: []Reason{BadOpening}, deal: func(b *dealBody) { b.joins[1][0]++ }},
	}
}

func longer(r *Run) { deal(r, poly.Of(append(r.dealt.Coefficients(), ed448.RandomScalar()))) }

func deal(r *Run, p poly.Polynomial) { r.dealt, r.committed = p, nil }

// saying returns a run in which a party says something, whatever it said before.
func saying(r Run, round Round, body []byte) Run {
	next := r.edit()
	next.say(round, body)
	return next.Run
}

// Every attack has the reason that is its own, is blamed on nobody else, and the others make a key without the cheater.
func TestAttacks(t *testing.T) {
	for name, a := range attacks(t) {
		t.Run(name, func(t *testing.T) {
			s, err := NewGeneration(nil, 3, parties(1, 2, 3, 4))
			require.NoError(t, err)
			w := newWorld(t, s, nil)
			r := w.runs[cheater]
			if a.begin != nil {
				a.begin(&r)
			}
			raw := affine(r.dealt.Commitments())
			if a.commit != nil {
				raw = a.commit(r.dealt)
				b, err := parseBody(s, r.own(Join), readJoin)
				require.NoError(t, err)
				b.opening = formulas{s}.opening(cheater, raw)
				r = saying(r, Join, b.bytes(s, cheater))
			}
			w.runs[cheater] = r
			w.tamper = func(to index, m message) []message {
				if m.maker != cheater || a.only != 0 && to != a.only {
					return []message{m}
				}
				switch {
				case m.round == Join && a.join != nil:
					b, err := parseBody(s, m, readJoin)
					require.NoError(t, err)
					a.join(&b)
					m = resigned(s, m, b.bytes(s, cheater))
				case m.round == Deal && (a.commit != nil || a.deal != nil):
					m = resigned(s, m, a.dealBody(t, w, m, raw))
				}
				return []message{m}
			}
			w.run()
			blamed := w.blames(cheater)
			require.Len(t, blamed, 1)
			require.Contains(t, a.reasons, blamed[cheater])

			next, err := s.Without(cheater)
			require.NoError(t, err)
			key, shares := newWorld(t, next, nil).run().finish()
			require.Len(t, shares, 3)
			secretOf(t, key, shares)
			_, err = next.Without(1)
			require.ErrorIs(t, err, ErrTooFew)
		})
	}
}

// dealBody returns what the cheater deals. Its own run made a Deal of a polynomial that may be longer than it may be.
func (a attack) dealBody(t testing.TB, w *world, m message, raw []byte) []byte {
	body := m.body
	if extra := len(body) - len(honestDeal(t, w)); extra > 0 {
		body = slices.Delete(slices.Clone(body), 4*32+3*ed448.AffineSize, 4*32+3*ed448.AffineSize+extra)
	}
	m.body = body
	b, err := parseBody(w.setup, m, readDeal)
	require.NoError(t, err)
	b.raw = slices.Clone(raw)
	if a.deal != nil {
		a.deal(&b)
	}
	return b.bytes()
}

// honestDeal returns a body of the right size.
func honestDeal(t testing.TB, w *world) []byte {
	return make([]byte, 4*32+3*ed448.AffineSize+32+ed448.ScalarSize+3*boxSize)
}

// A receiver that shows one dealer other box keys than the others frames nobody.
func TestFramingFails(t *testing.T) {
	s, err := NewGeneration(nil, 3, parties(1, 2, 3, 4))
	require.NoError(t, err)
	w := newWorld(t, s, nil)
	other, err := Begin(s, keyOf(cheater), threshold.Share{})
	require.NoError(t, err)
	w.tamper = func(to index, m message) []message {
		if m.maker == cheater && m.round == Join && to == 3 {
			return []message{other.own(Join)}
		}
		return []message{m}
	}
	w.run()
	require.Len(t, w.blames(cheater), 1)
	require.Contains(t, w.blames(cheater), cheater)
	deal, _ := w.runs[cheater].get(Deal, 3)
	for _, r := range []Run{other, w.runs[cheater]} {
		key, err := boxKey(other.boxSeed, 3).Bytes()
		require.NoError(t, err)
		_, err = s.CheckBlame(evidence{reason: BadShare, messages: []message{deal, r.own(Join)}, key: key}.bytes(s))
		require.ErrorIs(t, err, ErrEvidence)
	}
}

// Whoever accuses falsely is blamed; evidence of one ceremony is none in another.
func TestFalseAccusations(t *testing.T) {
	s, err := NewGeneration(nil, 2, parties(1, 2, 3))
	require.NoError(t, err)
	w := newWorld(t, s, nil)
	victim := w.runs[1].own(Join)
	genuine := evidence{reason: Twice, headers: []header{victim.header, newMessage(s, keyOf(1), Join, 1, nil).header}}
	_, err = s.CheckBlame(genuine.bytes(s))
	require.NoError(t, err)
	elsewhere, err := s.Without(3)
	require.NoError(t, err)
	_, err = elsewhere.CheckBlame(genuine.bytes(elsewhere))
	require.ErrorIs(t, err, ErrEvidence)

	unsigned := victim
	unsigned.body = nil
	for name, body := range map[string][]byte{
		"nothing":           nil,
		"the same twice":    evidence{reason: Twice, headers: []header{victim.header, victim.header}}.bytes(s),
		"a good message":    evidence{reason: Malformed, messages: []message{victim}}.bytes(s),
		"a wrong signature": evidence{reason: Malformed, messages: []message{unsigned}}.bytes(s),
		"no messages":       evidence{reason: BadProof}.bytes(s),
		"unknown reason":    evidence{reason: 99, messages: []message{victim}}.bytes(s),
		"of accusing":       evidence{reason: FalseAccusation, messages: []message{newMessage(s, keyOf(1), Accusation, 1, nil)}}.bytes(s),
	} {
		m := newMessage(s, keyOf(2), Accusation, 2, body)
		next, err := w.runs[3].Receive(m.bytes(s))
		require.NoError(t, err, name)
		require.Len(t, next.Blamed(), 1, name)
		require.Equal(t, index(2), next.Blamed()[0].Participant, name)
		require.Equal(t, FalseAccusation, next.Blamed()[0].Reason, name)
		_, err = next.Result()
		require.ErrorIs(t, err, ErrStopped)
	}
}

// What everybody signed counts for more than an accusation that comes afterwards, or to some only.
func TestCertificateOutweighsAccusation(t *testing.T) {
	s, err := NewGeneration(nil, 2, parties(1, 2, 3))
	require.NoError(t, err)
	w := newWorld(t, s, nil)
	confession := newMessage(s, keyOf(2), Join, 2, nil)
	w.tamper = func(to index, m message) []message {
		if m.maker == 2 && m.round == Echo && to == 3 {
			return nil // withheld
		}
		return []message{m}
	}
	w.run()
	accusation := newMessage(s, keyOf(2), Accusation, 2, evidence{reason: Twice, headers: []header{w.runs[2].own(Join).header, confession.header}}.bytes(s))
	r, err := w.runs[3].Receive(accusation.bytes(s))
	require.NoError(t, err)
	_, err = r.Result()
	require.ErrorIs(t, err, ErrStopped)
	finished, err := w.runs[1].Result()
	require.NoError(t, err)
	for _, m := range w.runs[1].Held() {
		r, err = r.Receive(m)
		require.NoError(t, err)
	}
	res, err := r.Result()
	require.NoError(t, err)
	require.True(t, res.Key.Equal(finished.Key))
}

// A helper that accuses somebody and then learns that all agreed hands over all the same, and what it said keeps its order.
func TestAccusationBeforeHand(t *testing.T) {
	key, shares := generate(t, 3, 4)
	s, err := NewRepair(nil, key, parties(4)[0], parties(1, 2, 3))
	require.NoError(t, err)
	w := newWorld(t, s, shares)
	w.tamper = func(to index, m message) []message {
		if m.maker == 3 && m.round == Echo && to == 1 {
			return nil // comes late
		}
		return []message{m}
	}
	w.run()
	r, err := w.runs[1].Receive(newMessage(s, keyOf(2), Join, 2, nil).bytes(s))
	require.NoError(t, err)
	before := r.Messages()
	require.Len(t, before, 4, "Join, Deal, Echo, accusation")
	r, err = stored(t)(r).Receive(w.runs[3].own(Echo).bytes(s))
	require.NoError(t, err)
	after := stored(t)(r).Messages()
	require.Len(t, after, 5)
	require.Equal(t, before, after[:4])
	last, err := parseMessage(s, after[4])
	require.NoError(t, err)
	require.Equal(t, Hand, last.round)
}

// For many t ≤ n ≤ 7 and any number of cheaters: all of them are blamed and nobody else; the honest ones make a key if
// they are at least t, and are told if not.
func TestAnyNumberOfCheaters(t *testing.T) {
	every(t, func(m, n int) {
		for c := 1; c < n; c++ {
			if n == 7 && c%2 == 0 && os.Getenv("TREFOIL_LONG") == "" {
				continue
			}
			s, err := NewGeneration(nil, m, parties(upTo(n)...))
			require.NoError(t, err)
			attempt(t, s, upTo(n)[:c])
		}
	})
}

// attempt makes a key without the cheaters that are left, in as many attempts as it takes.
func attempt(t *testing.T, s Setup, cheaters []index) {
	w := newWorld(t, s, nil)
	for _, i := range cheaters {
		r := w.runs[i]
		wrong := r.dealt.Coefficients()
		wrong[s.threshold-1] = wrong[s.threshold-1].Add(ed448.RandomScalar())
		r.dealt = poly.Of(wrong) // and the commitments stay
		w.runs[i] = r
	}
	w.run()
	if len(cheaters) == 0 {
		key, shares := w.finish()
		secretOf(t, key, shares)
		return
	}
	found := make(map[index]bool)
	for _, i := range without(s.indices(), cheaters...) {
		_, err := w.runs[i].Result()
		require.ErrorIs(t, err, ErrStopped)
		for _, b := range w.runs[i].Blamed() {
			require.Equal(t, BadShare, b.Reason)
			require.Contains(t, cheaters, b.Participant)
			found[b.Participant] = true
		}
	}
	require.NotEmpty(t, found)
	next, err := s.Without(slices.Collect(maps.Keys(found))...)
	if len(s.members)-len(found) < s.threshold {
		require.ErrorIs(t, err, ErrTooFew)
		return
	}
	require.NoError(t, err)
	attempt(t, next, without(cheaters, slices.Collect(maps.Keys(found))...))
}

// Two dealers whose errors cancel out did no harm: all finish with right shares.
func TestErrorsThatCancelOut(t *testing.T) {
	s, err := NewGeneration(nil, 3, parties(1, 2, 3, 4))
	require.NoError(t, err)
	w := newWorld(t, s, nil)
	e := ed448.RandomScalar()
	for i, e := range map[index]ed448.Scalar{2: e, 3: e.Neg()} {
		r := w.runs[i]
		c := r.dealt.Coefficients()
		c[1] = c[1].Add(e)
		r.dealt = poly.Of(c) // and the commitments stay
		w.runs[i] = r
	}
	key, shares := w.run().finish()
	secretOf(t, key, shares)
}

// A dealer of a key that does not deal its share is found.
func TestResharingOfAnotherShare(t *testing.T) {
	key, shares := generate(t, 3, 4)
	s, err := NewResharing(nil, key, 3, parties(1, 2, 3), parties(1, 2, 3, 4))
	require.NoError(t, err)
	w := newWorld(t, s, shares)
	r := w.runs[cheater]
	deal(&r, poly.New(ed448.RandomScalar(), 3))
	w.runs[cheater] = saying(r, Join, r.join())
	require.Equal(t, map[index]Reason{cheater: BadCommitment}, w.run().blames(cheater))
	_, err = s.Without(cheater)
	require.ErrorIs(t, err, ErrTooFew)
}

// A helper that hands over something else is found, and the lost share comes from the others.
func TestRepairWithACheater(t *testing.T) {
	key, shares := generate(t, 3, 5)
	s, err := NewRepair(nil, key, parties(5)[0], parties(1, 2, 3, 4))
	require.NoError(t, err)
	w := newWorld(t, s, shares)
	r := w.runs[cheater]
	r.held = r.held.Add(ed448.ScalarFromUint32(1))
	w.runs[cheater] = r
	require.Equal(t, map[index]Reason{cheater: BadHand}, w.run().blames(cheater))
	s, err = s.Without(cheater)
	require.NoError(t, err)
	_, got := newWorld(t, s, shares).run().finish()
	require.True(t, got[5].Equal(shares[5]))
}
