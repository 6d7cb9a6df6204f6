package ceremony

import (
	"bytes"
	"crypto/hpke"
	"slices"

	"github.com/trefoil-im/trefoil/dkg/threshold"
	"github.com/trefoil-im/trefoil/internal/ed448"
)

// judge decides whether signed messages convict their maker. An honest party never signs what convicts it, whatever the
// others do and whatever they choose to show. A method bad… reports whether its first message has that fault.
type judge struct{ formulas }

func judgeOf(s Setup) judge { return judge{formulas{s}} }

// convicted returns the header of the guilty message. The signatures are verified.
func (s judge) convicted(ev evidence) (header, bool) {
	if ev.reason == Twice {
		if len(ev.headers) != 2 || len(ev.messages) != 0 || len(ev.key) != 0 {
			return header{}, false
		}
		a, b := ev.headers[0], ev.headers[1]
		return a, a.round == b.round && a.maker == b.maker && a.digest != b.digest && a.round != Accusation
	}
	if len(ev.messages) == 0 {
		return header{}, false
	}
	guilty := false
	switch m := ev.messages[0]; ev.reason {
	case Malformed:
		guilty = ev.rounds(m.round) && m.round != Accusation && s.wellFormed(m) != nil
	case BadBoxKey:
		guilty = ev.rounds(Join) && s.badBoxKey(m)
	case BadOpening:
		guilty = ev.rounds(Deal, Join) && s.badOpening(m, ev.messages[1])
	case BadProof:
		guilty = ev.rounds(Deal) && s.badDeal(m, func(b dealBody) bool { return !s.proves(m.maker, b) })
	case BadCommitment:
		guilty = ev.rounds(Deal) && s.badDeal(m, func(b dealBody) bool { _, ok := s.commits(m.maker, b); return !ok })
	case BadShare:
		guilty = ev.rounds(Deal, Join) && s.badShare(m, ev.messages[1], ev.key)
	case BadEcho:
		guilty = s.badEcho(ev)
	case BadHand:
		guilty = s.badHand(ev) || ev.rounds(Hand, Echo) && s.otherTranscript(m, ev.messages[1])
	case FalseAccusation:
		guilty = ev.rounds(Accusation) && s.falseAccusation(m)
	}
	return ev.messages[0].header, guilty
}

// badDeal reports whether a Deal is well formed and bad.
func (s judge) badDeal(m message, bad func(dealBody) bool) bool {
	b, err := parseBody(s.Setup, m, readDeal)
	return err == nil && bad(b)
}

func (s judge) badBoxKey(m message) bool {
	b, err := parseBody(s.Setup, m, readJoin)
	return err == nil && slices.ContainsFunc(b.keys, func(k []byte) bool { return !usable(s.Setup, k) })
}

func (s judge) badOpening(d, j message) bool {
	db, err := parseBody(s.Setup, d, readDeal)
	if err != nil || j.maker != d.maker {
		return false
	}
	jb, err := parseBody(s.Setup, j, readJoin)
	return err == nil && !s.opens(j, jb, d, db)
}

// parseKey reads a private box key and reports whether it is the one that the Join of a receiver has for a dealer.
func (s judge) parseKey(j message, jb joinBody, dealer threshold.Index, key []byte) (hpke.PrivateKey, bool) {
	at := slices.Index(s.keysOf(j.maker), dealer)
	if at < 0 {
		return nil, false
	}
	k, err := kem().NewPrivateKey(key)
	return k, err == nil && bytes.Equal(k.PublicKey().Bytes(), jb.keys[at])
}

func (s judge) badShare(d, j message, key []byte) bool {
	db, err := parseBody(s.Setup, d, readDeal)
	if err != nil {
		return false
	}
	jb, err := parseBody(s.Setup, j, readJoin)
	if err != nil || db.joins[s.position(j.maker)] != j.digest {
		return false
	}
	k, ok := s.parseKey(j, jb, d.maker, key)
	return ok && slices.Contains(s.boxesOf(d.maker), j.maker) && !s.holdsShare(d.maker, db, j.maker, k)
}

// holdsShare reports whether the box of a Deal for receiver j holds the committed share.
func (s judge) holdsShare(d threshold.Index, b dealBody, j threshold.Index, key hpke.PrivateKey) bool {
	commitments, ok := s.commits(d, b)
	if !ok {
		return false
	}
	value, err := open(s.Setup, Deal, d, j, key, b.boxes[slices.Index(s.boxesOf(d), j)])
	return err == nil && ed448.BaseMult(value).Equal(ed448.VarTimeEvaluate(commitments, uint32(j)))
}

func (s judge) badEcho(ev evidence) bool {
	m := ev.messages[0]
	if m.round != Echo {
		return false
	}
	b, err := parseBody(s.Setup, m, readEcho)
	if err != nil {
		return false
	}
	switch {
	case ev.rounds(Echo):
		return b.transcript != s.transcript(digestsOf(b.joins), digestsOf(b.deals)) ||
			slices.ContainsFunc(slices.Concat(b.joins, b.deals), func(h header) bool { return !h.verify(s.Setup) })
	case ev.rounds(Echo, Deal):
		d := ev.messages[1]
		return d.maker == m.maker && s.badDeal(d, func(db dealBody) bool { return !slices.Equal(db.joins, digestsOf(b.joins)) })
	}
	return false
}

func (s judge) badHand(ev evidence) bool {
	want := []Round{Hand}
	for range s.members {
		want = append(want, Join)
	}
	for range s.dealers {
		want = append(want, Deal)
	}
	if s.kind != repair || !ev.rounds(want...) {
		return false
	}
	var joins, deals []header
	var bodies []dealBody
	for i, maker := range slices.Concat(s.indices(), s.dealers) {
		m := ev.messages[1+i]
		if m.maker != maker {
			return false
		}
		if m.round == Join {
			joins = append(joins, m.header)
			continue
		}
		b, err := parseBody(s.Setup, m, readDeal)
		if err != nil {
			return false
		}
		deals, bodies = append(deals, m.header), append(bodies, b)
	}
	h, j := ev.messages[0], ev.messages[1+s.position(s.lost)]
	hb, err := parseBody(s.Setup, h, readHand)
	if err != nil || hb.transcript != s.transcript(digestsOf(joins), digestsOf(deals)) {
		return false
	}
	jb, err := parseBody(s.Setup, j, readJoin)
	if err != nil {
		return false
	}
	k, ok := s.parseKey(j, jb, h.maker, ev.key)
	mask, summed := s.sum(bodies)
	return ok && summed && !s.holdsBlinded(h.maker, hb, mask, k)
}

// otherTranscript reports whether a helper hands over for another transcript than the one that it echoed.
func (s judge) otherTranscript(h, e message) bool {
	hb, err := parseBody(s.Setup, h, readHand)
	if err != nil || e.maker != h.maker {
		return false
	}
	eb, err := parseBody(s.Setup, e, readEcho)
	return err == nil && hb.transcript != eb.transcript
}

// holdsBlinded reports whether a Hand holds what its helper owes.
func (s judge) holdsBlinded(k threshold.Index, b handBody, mask []ed448.Point, key hpke.PrivateKey) bool {
	value, err := open(s.Setup, Hand, k, s.lost, key, b.box)
	if err != nil {
		return false
	}
	want, err := s.blinded(k, mask)
	return err == nil && ed448.BaseMult(value).Equal(want)
}

// falseAccusation reports whether an accusation convicts nobody. An accusation of a false accusation is false itself:
// everybody sees those.
func (s judge) falseAccusation(m message) bool {
	if len(m.body) > 0 && Reason(m.body[0]) == FalseAccusation {
		return true
	}
	_, err := s.CheckBlame(m.body)
	return err != nil
}
