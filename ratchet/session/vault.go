package session

import (
	"fmt"
	"time"

	"github.com/trefoil-im/trefoil/ratchet/session/directory"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/state"
)

// Send returns an Update for Vault.Update that encrypts plaintext, at most MaxPlaintext bytes, and puts the frame into the
// outbox, addressed to the peer's mailbox. If the slot is not ready (see Pair.IsReady), or the keys of either device were
// renewed, it begins a session with peer first, which may hold a claimed one-time pre-key. Errors are those of Refresh, Initiate
// and Encrypt.
func Send(d Device, peer directory.Peer, now time.Time, plaintext []byte) func(*state.Tx[Session]) error {
	return send(d, peer, now, plaintext, func(Outgoing) {})
}

// send is Send, and shows what it puts into the outbox.
func send(d Device, peer directory.Peer, now time.Time, plaintext []byte, sent func(Outgoing)) func(*state.Tx[Session]) error {
	return func(tx *state.Tx[Session]) error {
		s, err := Refresh(tx.Value(), d, peer)
		if err != nil {
			return err
		}
		if !s.Part().IsReady() {
			if s, err = Initiate(s, d, peer); err != nil {
				return err
			}
		}
		next, out, err := Encrypt(s, now, plaintext)
		if err != nil {
			return err
		}
		tx.Set(next)
		tx.Send(out.To.String(), out.Frame)
		sent(out)
		return nil
	}
}

// Opener returns the function that reads frames of a session inside Vault.Receive: it delivers their plaintexts to the inbox.
// When one used a one-time pre-key it emits OneTimeUsed. Device returns the device as it is stored now, with the pre-keys that
// it issued last; it is called for each frame and may be called concurrently.
//
// Retained frames are tried again when one of them may have become readable, and not for each message: when a session began,
// when a chain came near enough to a frame that was too far ahead of it, and when the device or the release changed after a
// frame was too new for it. A new chain makes no other frame readable, since its header key is known in advance.
func Opener(device func() Device) state.Opener[Session] {
	return func(tx *state.Tx[Session], f state.Frame) error {
		d := device()
		next, r, err := decrypt(tx.Value(), d, f.Data)
		if next.Part().moves != tx.Value().Part().moves {
			tx.Set(next)
		}
		if err != nil {
			return err
		}
		if !r.Silent {
			tx.Deliver(r.Plaintext())
		}
		if r.retry {
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
