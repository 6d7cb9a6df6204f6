package ratchet

import (
	"encoding/binary"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// Rekeyed returns the space after n fresh inbox keys.
func Rekeyed(s Space, n int) Space {
	st := s.State()
	me := st.self.Value()
	for range n {
		me = me.withInbox(suite.X25519)
	}
	d := &edit{st: st}
	d.setIdentity(me)
	return s.WithState(d.st)
}

// InboxKeys returns the counters of the inbox keys that a space holds.
func InboxKeys(s Space) (counters []uint32) {
	for _, k := range s.State().self.Value().inboxes {
		counters = append(counters, k.counter)
	}
	return counters
}

// Crowded returns the space with as many children of its preferred epoch followed as can be stored, and their number.
func Crowded(s Space) (Space, int) {
	d := &edit{st: s.State()}
	p, _ := d.st.epoch(d.st.preferred)
	tree := p.commits
	for n := 0; ; n++ {
		id := proto.EpochID{}
		binary.BigEndian.PutUint64(id[:], uint64(n)*0x9e3779b97f4a7c15)
		_, next, err := tree.Eval(dkg.Index(n%7+1), id)
		if err != nil || n == 5_000 {
			d.putEpoch(p.withCommits(tree))
			return s.WithState(d.st), n
		}
		tree = next
	}
}

// HasEpoch reports whether a space holds an epoch.
func HasEpoch(s Space, id [32]byte) bool {
	_, ok := s.State().epoch(id)
	return ok
}
