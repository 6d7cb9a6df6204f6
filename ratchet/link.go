package ratchet

import (
	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet/internal/outcome"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
)

// openLink returns what a link holds, or ErrMalformed, with state.ErrTooOld or state.ErrTooNew for a link of another version.
func openLink(l invite.Link) (proto.Link, error) {
	out, err := proto.ParseLink(l.Bytes())
	if err != nil {
		return proto.Link{}, outcome.Malformed(err)
	}
	return out, nil
}

// opened returns the link that this member opened, with its seed. It is not ok once the seed was erased.
func (d *edit) opened() (proto.Link, bool) {
	b := d.tp.link.Value().bytes
	if b.IsZero() {
		return proto.Link{}, false
	}
	l, err := proto.ParseLink(b.Expose())
	return l, err == nil
}
