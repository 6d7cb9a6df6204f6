package ceremony

import (
	"crypto/ed25519"
	"maps"
	"slices"

	"github.com/trefoil-im/trefoil/dkg/threshold"
	"github.com/trefoil-im/trefoil/state"
)

// edit is the next run while it is made.
type edit struct{ Run }

// edit returns an edit of the run, which shares nothing with it that is written to.
func (r Run) edit() *edit {
	r.messages = maps.Clone(r.messages)
	r.blamed, r.accused = slices.Clip(r.blamed), slices.Clip(r.accused)
	return &edit{r}
}

// take takes in a verified message that is new.
func (r *edit) take(m message) {
	if m.round == Accusation {
		r.consider(m)
		return
	}
	if old, ok := r.get(m.round, m.maker); ok {
		r.accuse(evidence{reason: Twice, headers: []header{old.header, m.header}})
		return
	}
	if r.setup.wellFormed(m) != nil {
		r.accuse(evidence{reason: Malformed, messages: []message{m}})
		return
	}
	r.put(m)
	if m.round != r.phase {
		return // it completes nothing now
	}
	if r.phase == Echo {
		r.compare(m)
	}
	r.advance()
}

// say signs what this party says in a round.
func (r *edit) say(round Round, body []byte) {
	r.put(newMessage(r.setup, r.signer(), round, r.self, body))
}

func (r *edit) put(m message) { r.messages[slot{m.round, m.maker}] = state.NewSegment(m) }

func (r *edit) signer() ed25519.PrivateKey { return ed25519.NewKeyFromSeed(r.identity.Expose()) }

// consider takes in an accusation. Of each party it looks at accusations until one of them is false, and of each accused
// until one of them is true, so that nobody costs others more than a check for each party.
func (r *edit) consider(m message) {
	ev, err := r.setup.parseEvidence(m.body)
	if r.isBlamed(m.maker) || err == nil && len(ev.all()) > 0 && r.isBlamed(ev.all()[0].maker) {
		return
	}
	if judgeOf(r.setup).falseAccusation(m) {
		r.accuse(evidence{reason: FalseAccusation, messages: []message{m}})
		return
	}
	if b, err := r.setup.CheckBlame(m.body); err == nil && !r.isBlamed(b.Participant) {
		r.blamed = append(r.blamed, b)
	}
}

// accuse notes that somebody cheated, and says so to the others, unless they see that for themselves.
func (r *edit) accuse(ev evidence) {
	b, err := r.setup.CheckBlame(ev.bytes(r.setup))
	if err != nil || r.isBlamed(b.Participant) || b.Participant == r.self {
		return
	}
	r.blamed = append(r.blamed, b)
	if ev.reason != FalseAccusation {
		said := 0
		for round := Join; round < Accusation; round++ {
			if _, ok := r.get(round, r.self); ok {
				said++
			}
		}
		r.accused = append(r.accused, accusation{newMessage(r.setup, r.signer(), Accusation, r.self, b.Evidence), said})
	}
}

func (r *edit) accuseOfKey(j threshold.Index) {
	m, _ := r.get(Join, j)
	r.accuse(evidence{reason: BadBoxKey, messages: []message{m}})
}

// accuseWithKey shows the own box key for one dealer, and so one box.
func (r *edit) accuseWithKey(reason Reason, dealer threshold.Index, messages ...message) {
	if key, err := boxKey(r.boxSeed, dealer).Bytes(); err == nil {
		r.accuse(evidence{reason: reason, messages: messages, key: key})
	}
}
