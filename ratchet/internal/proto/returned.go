package proto

import (
	"github.com/trefoil-im/trefoil/internal/ed448"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/wire"
)

// Returned is a commit of the asker's index in a ticket, with the secret that every other share gives. The asker has the node of its
// parent's tree, and so follows it like a commit of somebody else (§9).
type Returned struct {
	Parent EpochID
	Shown  Shown
	Secret secret.Bytes // ss of §4, 57 bytes
}

func (x Returned) write(w *wire.Writer) {
	w.Fixed(x.Parent[:])
	w.Vec16(x.Shown.Encode())
	w.Fixed(x.Secret.Expose())
}

func readReturned(r *wire.Reader) (x Returned) {
	r.Into(x.Parent[:])
	x.Shown = readNested(r, r.Vec16(maxOpened), readShown)
	x.Secret = secret.Own(r.Fixed(ed448.PointSize))
	return x
}
