package ratchet

import (
	"time"

	"github.com/trefoil-im/trefoil/ratchet/internal/outcome"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/state"
)

// EncryptUnsigned is Send of a message without a signature, on a space.
func EncryptUnsigned(s Space, now time.Time, plaintext []byte) (Space, []byte, error) {
	return seal(s, now, outgoing{plaintext: plaintext})
}

// Hold keeps what an Opener keeps of a message that cannot be read yet.
func Hold(s Space, now time.Time, source string, frame []byte) (Space, error) {
	e, err := proto.ParseEnvelope(frame)
	if err != nil {
		return s, outcome.Malformed(err)
	}
	d, err := newEdit(s, now)
	if err != nil {
		return s, err
	}
	d.addOrphan(source, e)
	return d.space(), nil
}

// Release forgets what was kept of a message that will not be read.
func Release(s Space, frame []byte) (Space, error) {
	e, err := proto.ParseEnvelope(frame)
	if err != nil {
		return s, outcome.Malformed(err)
	}
	next, _ := release(s, e)
	return next, nil
}

// As returns a space in the ratchet state of one member and with the identity of another, who was let in by a grant of the
// same root: what that other's device would hold if it had read all that the member has read. It makes large spaces cheap.
func As(member, joined Space) Space {
	st := member.State()
	me := joined.State().self.Value()
	me.request, me.introduction, me.committed = request{}, nil, st.self.Value().committed
	me.updatedAt = st.self.Value().updatedAt
	st.self = state.NewSegment(me)
	r, _ := st.root(joined.Template().grant.Value().Root)
	r.share = joined.Template().grant.Value().Share
	st.roots = st.roots.Put(newRootRow(r))
	st.owner = state.NewSegment(ownerKeys{})
	return member.WithState(st)
}
