package ratchet

import (
	"time"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet/internal/invites"
	"github.com/trefoil-im/trefoil/ratchet/internal/rekey"
)

// Replace returns the step with which an owner ends a thief that acts as a member, and lets the member's person in again: it removes the
// member like Remove, and makes a private invite, which is put into made. A lifetime of 0 has no end. Of the invite nothing is said in
// the keys that are replaced: its record goes with the rekey, so whoever holds what the member held learns nothing of it. The link must
// go by another way than the space or a session of the replaced device: the thief holds them, too. Errors are those of Remove and
// NewInvite.
//
//go:noinline
func Replace(i dkg.Index, lifetime time.Duration, made *invite.Made) Step {
	return stepOf(func(d *edit) error {
		if err := d.prepareRemoval(i); err != nil {
			return err
		}
		m, err := d.noteInvite(invite.Private(lifetime))
		if err != nil {
			return err
		}
		link, err := invites.Link(m.Link)
		if err != nil {
			return err
		}
		*made = invite.Made{Name: m.Record.Certificate.Name(), Link: link}
		return d.beginRekey(rekey.Wish{Remove: []dkg.Index{i}})
	})
}
