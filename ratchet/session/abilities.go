package session

import (
	"errors"

	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
)

// abilities is what decides, beside the sessions of a pair, whether a frame can be read: the formats that this release knows,
// and the keys that the device has drawn. A pair notes those that were too few for a frame that is retained. The zero
// abilities note nothing.
type abilities struct {
	formats uint8
	bundle  uint32 // the number of the newest bundle
	oneTime uint32 // the highest ID of a one-time pre-key that was issued
}

// formatsKnown rises with every release that reads a frame that the one before retained as too new.
const formatsKnown = 1

// abilitiesOf returns what a device can read with.
func abilitiesOf(d Device) abilities { return abilities{formatsKnown, d.BundleNumber(), d.issued} }

// errNotIssued is the reason of ErrNotYet for an initiation with keys that this copy of the device has not drawn.
var errNotIssued = errors.New("made with keys that this copy of the device has not issued")

// wanting reports whether an error says that the frame needs more abilities.
func wanting(err error) bool { return errors.Is(err, errNotIssued) || errors.Is(err, key.ErrTooNew) }

func (a abilities) write(w *wire.Writer) {
	w.U8(a.formats)
	w.U32(a.bundle)
	w.U32(a.oneTime)
}

func readAbilities(r *wire.Reader) abilities { return abilities{r.U8(), r.U32(), r.U32()} }
