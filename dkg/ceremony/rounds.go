package ceremony

import (
	"bytes"
	"crypto/hpke"
	"slices"

	"github.com/trefoil-im/trefoil/dkg/internal/poly"
	"github.com/trefoil-im/trefoil/dkg/threshold"
	"github.com/trefoil-im/trefoil/internal/ed448"
	"github.com/trefoil-im/trefoil/internal/secret"
)

// advance goes on as far as the messages allow.
func (r *edit) advance() {
	for r.phase != done {
		if _, missing := r.Waiting(); len(missing) > 0 || r.phase == Join && len(r.blamed) > 0 || r.phase == Echo && !r.agreed() {
			return
		}
		before := r.phase
		switch r.phase {
		case Join:
			r.afterJoins()
		case Deal:
			r.afterDeals()
		case Echo:
			r.afterEchoes()
		case Hand:
			r.afterHands()
		}
		if r.phase == before {
			return
		}
	}
}

// join returns the body of the own Join.
func (r Run) join() []byte {
	var b joinBody
	if r.setup.is(r.self, deals) {
		b.opening = formulas{r.setup}.opening(r.self, r.commitments())
	}
	for _, d := range r.setup.keysOf(r.self) {
		b.keys = append(b.keys, boxKey(r.boxSeed, d).PublicKey().Bytes())
	}
	return b.bytes(r.setup, r.self)
}

// commitments returns the encoded commitments to what this party deals.
func (r Run) commitments() []byte {
	if r.committed == nil {
		return affine(r.dealt.Commitments())
	}
	return r.committed
}

func affine(points []ed448.Point) (out []byte) {
	for _, p := range points {
		out = append(out, p.Affine()...)
	}
	return out
}

// afterJoins deals.
func (r *edit) afterJoins() {
	s, f := r.setup, formulas{r.setup}
	if !s.is(r.self, deals) {
		r.phase = Deal
		return
	}
	b := dealBody{raw: r.commitments()}
	for _, m := range r.all(Join) {
		b.joins = append(b.joins, m.digest)
	}
	k := ed448.RandomScalar()
	b.c = f.challenge(r.self, ed448.BaseMult(r.dealt.Constant()), ed448.BaseMult(k))
	b.z = k.Add(ed448.ShortScalar(b.c).Mul(r.dealt.Constant()))
	for _, j := range s.boxesOf(r.self) {
		box, err := seal(s, Deal, r.self, j, r.keyOf(j), r.dealt.At(uint8(j)))
		if err != nil {
			r.accuseOfKey(j)
			return
		}
		b.boxes = append(b.boxes, box)
	}
	r.say(Deal, b.bytes())
	r.phase = Deal
}

// keyOf returns the box key of receiver j for this party.
func (r Run) keyOf(j threshold.Index) []byte {
	m, _ := r.get(Join, j)
	b, _ := parseBody(r.setup, m, readJoin)
	return b.keys[slices.Index(r.setup.keysOf(j), r.self)]
}

// afterDeals checks what was dealt, takes the own share and says so. It checks everybody, also when the attempt is lost
// already, so that no more attempts are lost than need be.
func (r *edit) afterDeals() {
	s, f := r.setup, formulas{r.setup}
	joins, dealt := r.all(Join), r.all(Deal)
	joinDigests := digestsOf(headersOf(joins))
	bodies := make([]dealBody, len(dealt))
	for i, m := range dealt {
		b, err := parseBody(s, m, readDeal)
		if err != nil {
			return // not to be reached: it was well formed when it came
		}
		bodies[i] = b
		own, _ := r.get(Join, m.maker)
		ownBody, _ := parseBody(s, own, readJoin)
		switch {
		case m.maker == r.self:
		case !f.opens(own, ownBody, m, b):
			r.accuse(evidence{reason: BadOpening, messages: []message{m, own}})
		case !f.proves(m.maker, b):
			r.accuse(evidence{reason: BadProof, messages: []message{m}})
		case !slices.Equal(b.joins, joinDigests):
			r.split = true
		}
	}
	if !r.split && !r.takeShare(joins, dealt, bodies) || len(r.blamed) > 0 {
		return
	}
	e := echoBody{joins: headersOf(joins), deals: headersOf(dealt)}
	e.transcript = s.transcript(joinDigests, digestsOf(e.deals))
	r.say(Echo, e.bytes())
	r.dealt, r.committed = poly.Polynomial{}, nil
	if r.self != s.lost {
		r.boxSeed = secret.Bytes{}
	}
	r.phase = Echo
	for _, i := range s.speakers(Echo) {
		if m, ok := r.get(Echo, i); ok {
			r.compare(m)
		}
	}
}

// takeShare sums up what was dealt and checks the sum. It returns false, with accusations, if that is not what was
// committed to.
func (r *edit) takeShare(joins, dealt []message, bodies []dealBody) bool {
	s, by := r.setup, judgeOf(r.setup)
	commitments, ok := by.sum(bodies)
	if !ok {
		for i, m := range dealt {
			if _, ok := by.commits(m.maker, bodies[i]); !ok {
				r.accuse(evidence{reason: BadCommitment, messages: []message{m}})
			}
		}
		return false
	}
	var sum ed448.Scalar
	receiver := s.is(r.self, receives) && r.self != s.lost
	if receiver {
		sum = r.dealt.At(uint8(r.self))
		for i, m := range dealt {
			if m.maker == r.self {
				continue
			}
			v, err := open(s, Deal, m.maker, r.self, boxKey(r.boxSeed, m.maker), bodies[i].boxes[slices.Index(s.boxesOf(m.maker), r.self)])
			if err != nil {
				r.accuseWithKey(BadShare, m.maker, m, joins[s.position(r.self)])
				continue
			}
			sum = sum.Add(v)
		}
		if sum.IsZero() || !ed448.BaseMult(sum).Equal(ed448.VarTimeEvaluate(commitments, uint32(r.self))) {
			for i, m := range dealt {
				if m.maker != r.self && !by.holdsShare(m.maker, bodies[i], r.self, boxKey(r.boxSeed, m.maker)) {
					r.accuseWithKey(BadShare, m.maker, m, joins[s.position(r.self)])
				}
			}
			return false
		}
	}
	r.value = sum
	if r.key = s.old; s.kind != repair {
		terms := threshold.Terms{Transcript: s.transcript(digestsOf(headersOf(joins)), digestsOf(headersOf(dealt))), Holders: s.receivers}
		if s.kind == resharing {
			terms.Generation = s.old.Terms().Generation + 1
		}
		var err error
		if r.key, err = threshold.NewKey(terms, commitments); err != nil {
			return false
		}
	}
	return true
}

func headersOf(ms []message) []header {
	out := make([]header, len(ms))
	for i, m := range ms {
		out[i] = m.header
	}
	return out
}

// compare finds out whose fault it is if an Echo differs from the own one.
func (r *edit) compare(m message) {
	s, by := r.setup, judgeOf(r.setup)
	mine := r.own(Echo)
	if bytes.Equal(m.body, mine.body) && !r.split {
		return
	}
	own, err := parseBody(s, mine, readEcho)
	if err != nil {
		return // not to be reached: so was it written
	}
	b, err := parseBody(s, m, readEcho)
	if err != nil {
		return // not to be reached: it was well formed when it came
	}
	ownHeaders := slices.Concat(own.joins, own.deals)
	for n, h := range slices.Concat(b.joins, b.deals) {
		switch {
		case h.digest == ownHeaders[n].digest:
		case h.verify(s):
			r.accuse(evidence{reason: Twice, headers: []header{ownHeaders[n], h}})
		default:
			r.accuse(evidence{reason: BadEcho, messages: []message{m}})
		}
	}
	if b.transcript != s.transcript(digestsOf(b.joins), digestsOf(b.deals)) {
		r.accuse(evidence{reason: BadEcho, messages: []message{m}})
	}
	if d, ok := r.get(Deal, m.maker); ok && by.badDeal(d, func(db dealBody) bool { return !slices.Equal(db.joins, digestsOf(b.joins)) }) {
		r.accuse(evidence{reason: BadEcho, messages: []message{m, d}})
	}
}

// agreed reports whether all echoes are about what this party holds.
func (r Run) agreed() bool {
	mine := r.own(Echo)
	own, err := parseBody(r.setup, mine, readEcho)
	if err != nil || r.split {
		return false
	}
	for _, m := range r.all(Echo) {
		if bytes.Equal(m.body, mine.body) {
			continue
		}
		b, err := parseBody(r.setup, m, readEcho)
		if err != nil || b.transcript != own.transcript || !slices.Equal(digestsOf(b.joins), digestsOf(own.joins)) ||
			!slices.Equal(digestsOf(b.deals), digestsOf(own.deals)) {
			return false
		}
	}
	return true
}

func (r Run) own(round Round) message {
	m, _ := r.get(round, r.self)
	return m
}

// afterEchoes ends the ceremony, or hands over what repairs the lost share.
func (r *edit) afterEchoes() {
	s, f := r.setup, formulas{r.setup}
	if s.kind != repair {
		r.phase = done
		return
	}
	if r.self == s.lost {
		r.phase = Hand
		return
	}
	echo, _ := parseBody(s, r.own(Echo), readEcho)
	blinded := r.held.Add(f.distance(r.self).Mul(r.value))
	box, err := seal(s, Hand, r.self, s.lost, r.keyOf(s.lost), blinded)
	if err != nil {
		r.accuseOfKey(s.lost)
		return
	}
	r.say(Hand, handBody{echo.transcript, box}.bytes())
	r.held, r.value, r.boxSeed = ed448.Scalar{}, ed448.Scalar{}, secret.Bytes{}
	r.phase = done
}

// afterHands puts the lost share together.
func (r *edit) afterHands() {
	s, by := r.setup, judgeOf(r.setup)
	joins, dealt, hands := r.all(Join), r.all(Deal), r.all(Hand)
	echo, _ := parseBody(s, r.own(Echo), readEcho)
	cheated := false
	blame := func(h message) {
		cheated = true
		r.accuseWithKey(BadHand, h.maker, slices.Concat([]message{h}, joins, dealt)...)
	}
	var sum ed448.Scalar
	keys, bodies := make([]hpke.PrivateKey, len(hands)), make([]handBody, len(hands))
	for i, h := range hands {
		bodies[i], _ = parseBody(s, h, readHand)
		keys[i] = boxKey(r.boxSeed, h.maker)
		if bodies[i].transcript != echo.transcript {
			said, _ := r.get(Echo, h.maker)
			r.accuse(evidence{reason: BadHand, messages: []message{h, said}})
			cheated = true
			continue
		}
		v, err := open(s, Hand, h.maker, r.self, keys[i], bodies[i].box)
		if err != nil {
			blame(h)
			continue
		}
		sum = sum.Add(by.lambda(s.lost, h.maker).Mul(v))
	}
	if cheated {
		return
	}
	if _, err := threshold.NewShare(s.old, r.self, sum); err != nil {
		var deals []dealBody
		for _, m := range dealt {
			b, _ := parseBody(s, m, readDeal)
			deals = append(deals, b)
		}
		if mask, ok := by.sum(deals); ok {
			for i, h := range hands {
				if !by.holdsBlinded(h.maker, bodies[i], mask, keys[i]) {
					blame(h)
				}
			}
		}
		return
	}
	r.value, r.boxSeed = sum, secret.Bytes{}
	r.phase = done
}
