package ratchet

import (
	"time"

	"github.com/trefoil-im/trefoil/internal/secret"
)

// rosterKey is the key of a roster's blob. All members derive the same, so that whoever finds the blob missing can put the
// same one there, and joiners get it in their tickets.
func rosterKey(t template, r roster) secret.Bytes {
	d := r.digest()
	return expand(t.key, expandRosterKey, d[:], keySize)
}

// RosterBlob returns what has to lie at an address, for anybody to fetch, if the roster of a space is over 64 KiB, more
// than some 600 members: tickets refer to it then. It is sealed. It changes when the dealer signs a roster (SignRoster), so
// that is when to post it; ok is false as long as rosters fit into tickets.
func RosterBlob(s Space) (address [16]byte, blob []byte, ok bool) {
	w, err := begin(s, time.Time{})
	if err != nil {
		return address, nil, false
	}
	_, r, t, ok := w.preferred()
	if !ok {
		return address, nil, false
	}
	signed, _ := r.roster(r.named(t.notice))
	if len(signed.encode()) <= maxInlineRoster {
		return address, nil, false
	}
	return rosterAddress(signed.digest()), sealRoster(w.st.space, rosterKey(t.template, signed), signed), true
}

// RosterAddress returns where the roster lies to which a ticket refers that answers this space's own request; needed is
// false for a ticket that brings its roster itself, or cannot be opened.
func RosterAddress(s Space, t Ticket) (address [16]byte, needed bool) {
	if !Answers(s, t) {
		return address, false
	}
	d := s.State().self.Value()
	answer, err := t.open(s.ID(), d.request.key, d.index)
	if err != nil || answer.refused || answer.body.rosterKey.IsZero() {
		return address, false
	}
	digest, err := answer.body.rosterDigest()
	if err != nil {
		return address, false
	}
	return rosterAddress(digest), true
}
