package ratchet

import "github.com/trefoil-im/trefoil/state"

// CaughtUp returns an update that notes that the end of the mailbox was reached: all that was stored is read. What is kept for a time
// ages on from there, and requests that came before are answered now, if it is this member's turn: the vault's Retry is to be called
// after it. It returns state.ErrIncomplete for the zero Space.
//
//go:noinline
func CaughtUp(o Options) func(*state.Tx[Space]) error {
	return func(tx *state.Tx[Space]) error {
		d, err := newEdit(tx.Value(), o.now(), o)
		if err != nil {
			return err
		}
		d.unsent = tx.Waiting(o.Topic) > 0
		d.caughtUp()
		d.leave(tx, o)
		return nil
	}
}

func (d *edit) caughtUp() {
	d.st.clock = d.st.clock.caughtUp(d.now)
	if d.waitsAnew() {
		d.st.rhythm.caughtUpAt = d.now
	}
	d.answerFrames(false)
}
