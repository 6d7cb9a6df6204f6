package ceremony

import (
	"bytes"
	"crypto/hpke"
	"slices"

	"github.com/trefoil-im/trefoil/dkg/threshold"
	"github.com/trefoil-im/trefoil/internal/ed448"
)

// This file decides whether signed messages convict their maker. An honest party never signs what convicts it, whatever the
// others do and whatever they choose to show.

func (s Setup) judgeDeal(m message, bad func(dealBody) bool) bool {
	b, err := parseBody(s, m, readDeal)
	return err == nil && bad(b)
}

func (s Setup) hasBadKey(m message) bool {
	b, err := parseBody(s, m, readJoin)
	return err == nil && slices.ContainsFunc(b.keys, func(k []byte) bool { return !usable(s, k) })
}

func (s Setup) judgeOpening(d, j message) bool {
	db, err := parseBody(s, d, readDeal)
	if err != nil || j.maker != d.maker {
		return false
	}
	jb, err := parseBody(s, j, readJoin)
	return err == nil && !s.opens(j, jb, d, db)
}

// parseKey reads a private box key and reports whether it is the one that the Join of a receiver has for a dealer.
func (s Setup) parseKey(j message, jb joinBody, dealer threshold.Index, key []byte) (hpke.PrivateKey, bool) {
	at := slices.Index(s.keysOf(j.maker), dealer)
	if at < 0 {
		return nil, false
	}
	k, err := kem().NewPrivateKey(key)
	return k, err == nil && bytes.Equal(k.PublicKey().Bytes(), jb.keys[at])
}

func (s Setup) judgeShare(d, j message, key []byte) bool {
	db, err := parseBody(s, d, readDeal)
	if err != nil {
		return false
	}
	jb, err := parseBody(s, j, readJoin)
	if err != nil || db.joins[s.position(j.maker)] != j.digest {
		return false
	}
	k, ok := s.parseKey(j, jb, d.maker, key)
	return ok && slices.Contains(s.boxesOf(d.maker), j.maker) && !s.holdsShare(d.maker, db, j.maker, k)
}

// holdsShare reports whether the box of a Deal for receiver j holds the committed share.
func (s Setup) holdsShare(d threshold.Index, b dealBody, j threshold.Index, key hpke.PrivateKey) bool {
	commitments, ok := s.commits(d, b)
	if !ok {
		return false
	}
	value, err := open(s, Deal, d, j, key, b.boxes[slices.Index(s.boxesOf(d), j)])
	return err == nil && ed448.BaseMult(value).Equal(ed448.VarTimeEvaluate(commitments, uint32(j)))
}

func (s Setup) judgeEcho(ev evidence) bool {
	m := ev.messages[0]
	if m.round != Echo {
		return false
	}
	b, err := parseBody(s, m, readEcho)
	if err != nil {
		return false
	}
	switch {
	case ev.rounds(Echo):
		return b.transcript != s.transcript(digestsOf(b.joins), digestsOf(b.deals)) ||
			slices.ContainsFunc(slices.Concat(b.joins, b.deals), func(h header) bool { return !h.verify(s) })
	case ev.rounds(Echo, Deal):
		d := ev.messages[1]
		return d.maker == m.maker && s.judgeDeal(d, func(db dealBody) bool { return !slices.Equal(db.joins, digestsOf(b.joins)) })
	}
	return false
}

func (s Setup) judgeHand(ev evidence) bool {
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
		b, err := parseBody(s, m, readDeal)
		if err != nil {
			return false
		}
		deals, bodies = append(deals, m.header), append(bodies, b)
	}
	h, j := ev.messages[0], ev.messages[1+s.position(s.lost)]
	hb, err := parseBody(s, h, readHand)
	if err != nil || hb.transcript != s.transcript(digestsOf(joins), digestsOf(deals)) {
		return false
	}
	jb, err := parseBody(s, j, readJoin)
	if err != nil {
		return false
	}
	k, ok := s.parseKey(j, jb, h.maker, ev.key)
	mask, summed := s.sum(bodies)
	return ok && summed && !s.holdsBlinded(h.maker, hb, mask, k)
}

// judgeOtherTranscript reports whether a helper hands over for another transcript than the one that it echoed.
func (s Setup) judgeOtherTranscript(h, e message) bool {
	hb, err := parseBody(s, h, readHand)
	if err != nil || e.maker != h.maker {
		return false
	}
	eb, err := parseBody(s, e, readEcho)
	return err == nil && hb.transcript != eb.transcript
}

// holdsBlinded reports whether a Hand holds what its helper owes.
func (s Setup) holdsBlinded(k threshold.Index, b handBody, mask []ed448.Point, key hpke.PrivateKey) bool {
	value, err := open(s, Hand, k, s.lost, key, b.box)
	if err != nil {
		return false
	}
	want, err := s.blinded(k, mask)
	return err == nil && ed448.BaseMult(value).Equal(want)
}

// judgeAccusation reports whether an accusation convicts nobody. An accusation of a false accusation is false itself:
// everybody sees those.
func (s Setup) judgeAccusation(m message) bool {
	if len(m.body) > 0 && Reason(m.body[0]) == FalseAccusation {
		return true
	}
	_, err := s.CheckBlame(m.body)
	return err != nil
}
