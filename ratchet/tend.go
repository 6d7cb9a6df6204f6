package ratchet

import (
	"errors"

	"github.com/trefoil-im/trefoil/ratchet/internal/outcome"
	"github.com/trefoil-im/trefoil/state"
)

// Tend returns what a Vault's Update calls to do what Duties says, all in one transaction: it prunes, signs the roster, asks
// for a ticket, says nothing to all, and lets requests be answered that others have let wait. It is the counterpart of Open
// for what nobody sent. A device calls it at start and every minute or so, after it has received what is stored, and then
// the vault's Retry with what Open returned, which does the answering:
//
//	err := vault.Update(ctx, id, ratchet.Tend(options))
//	settled, err := vault.Retry(ctx, id, ratchet.Open(options))
//
// Where nothing is due it changes nothing.
func Tend(o Options) func(*state.Tx[Space]) error {
	return func(tx *state.Tx[Space]) error {
		now := o.now()
		due := Duties(tx.Value(), now)
		if due.Prune {
			next, err := Prune(tx.Value(), now)
			if err != nil {
				return err
			}
			tx.Set(next)
		}
		if due.Roster {
			next, e, err := SignRoster(tx.Value(), now)
			if err := o.tended(tx, next, e.Bytes(), err); err != nil {
				return err
			}
		}
		if due.Ask {
			next, q, err := AskResync(tx.Value(), now)
			if err := o.tended(tx, next, q.Bytes(), err); err != nil {
				return err
			}
		}
		if due.Send {
			next, e, err := Encrypt(tx.Value(), now, nil)
			if err := o.tended(tx, next, e.Bytes(), err); err != nil {
				return err
			}
		}
		if due.Answer {
			w, err := begin(tx.Value(), now)
			if err != nil {
				return err
			}
			for _, h := range w.overdue() {
				h.turn = turnDue
				w.holdRequest(h)
			}
			tx.Set(w.space())
			tx.RetryRetained()
		}
		return nil
	}
}

// tended takes over what a duty came to. One that cannot be done now is left for later, and is no reason to leave the
// others.
func (o Options) tended(tx *state.Tx[Space], next Space, frame []byte, err error) error {
	if errors.Is(err, ErrPhase) || errors.Is(err, outcome.ErrStale) || errors.Is(err, outcome.ErrTooLong) {
		return nil
	}
	if err != nil {
		return err
	}
	tx.Set(next)
	tx.Send(o.To, frame)
	return nil
}
