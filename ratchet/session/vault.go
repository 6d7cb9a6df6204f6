package session

import (
	"errors"
	"fmt"

	"github.com/trefoil-im/trefoil/ratchet/session/directory"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/double"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/state"
)

// Send returns an Update for Vault.Update that encrypts plaintext, at most MaxPlaintext bytes, and puts the frame into the
// outbox, addressed to the peer's mailbox. If the slot holds no session, it begins one with peer first, which may hold a
// claimed one-time pre-key; otherwise it does not use peer. Errors are those of Initiate and Encrypt.
func Send(d Device, peer directory.Peer, plaintext []byte) func(*state.Tx[Session]) error {
	return func(tx *state.Tx[Session]) (err error) {
		s := tx.Value()
		if s.Part().Sessions() == 0 {
			if s, err = Initiate(s, d, peer); err != nil {
				return err
			}
		}
		next, out, err := Encrypt(s, plaintext)
		if err != nil {
			return err
		}
		tx.Set(next)
		tx.Send(out.To.String(), out.Frame)
		return nil
	}
}

// Opener returns the function that reads frames of a session inside Vault.Receive: it delivers their plaintexts to the inbox.
// When one used a one-time pre-key it emits OneTimeUsed.
func Opener(d Device) state.Opener[Session] {
	return func(tx *state.Tx[Session], f state.Frame) error {
		s := tx.Value()
		next, r, err := Decrypt(s, d, f.Data)
		switch {
		case errors.Is(err, double.ErrAhead):
			tx.Set(s.With(s.Part().withAhead()))
			return err
		case err != nil:
			return err
		}
		tx.Set(next)
		tx.Deliver(r.Plaintext())
		if r.Began || r.newChain || next.Part().ahead {
			tx.RetryRetained()
		}
		if r.UsedOneTime != 0 {
			tx.Emit(OneTimeUsed{d.Identity(), r.UsedOneTime})
		}
		return nil
	}
}

// OneTimeUsed is the event of a session that used a one-time pre-key. Call Device.EraseOneTime and save the device.
type OneTimeUsed struct {
	Device key.PublicKey[key.Identity]
	ID     uint32
}

// String returns one line for a log.
func (e OneTimeUsed) String() string {
	return fmt.Sprintf("one-time pre-key %d of %v is used", e.ID, e.Device)
}
