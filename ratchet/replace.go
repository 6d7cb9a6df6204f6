package ratchet

import (
	"time"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet/internal/invites"
	"github.com/trefoil-im/trefoil/ratchet/internal/rekey"
)

// Replace implements step.Taker.
func (d taker) Replace(i dkg.Index, lifetime time.Duration, made *invite.Made) error {
	if made == nil {
		return ErrPolicy
	}
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
}
