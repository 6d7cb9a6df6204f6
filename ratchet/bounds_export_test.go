package ratchet

import (
	"encoding/binary"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// Carrying returns an envelope with another's header and body that carries what was never made: a commit of the given index
// with no proof, under the key of the preferred epoch.
func Carrying(s Space, frame []byte, index dkg.Index) []byte {
	e := parsed(proto.ParseEnvelope(frame))
	st := s.State()
	p, _ := st.epoch(st.preferred)
	out := proto.NewEnvelope(e.Header, []proto.SealedCommit{unproven(index).Seal(p.sealing, st.space, p.id)})
	out.Body = e.Body
	return out.Bytes()
}

// SayCarrying returns a true message of a member, the next in its preferred epoch, that carries the same.
func SayCarrying(s Space, index dkg.Index, words string) []byte {
	st := s.State()
	p, _ := st.epoch(st.preferred)
	d := st.self.Value()
	c, _, err := p.chain(d.index)
	if err != nil {
		panic(err)
	}
	h := proto.Header{Index: d.index, Number: c.next}
	_, key, err := c.take(h.Number, mark{})
	if err != nil {
		panic(err)
	}
	out := proto.NewEnvelope(h.Seal(p.header, st.space, p.id), []proto.SealedCommit{unproven(index).Seal(p.sealing, st.space, p.id)})
	body := proto.Content{Plaintext: []byte(words)}.Sign(d.signing, st.space, p.id, h, out.Bound)
	if out, err = out.Seal(st.space, p.id, key, body); err != nil {
		panic(err)
	}
	return out.Bytes()
}

// unproven is a commit of an index, and nothing else.
func unproven(index dkg.Index) (c proto.Commit) {
	binary.BigEndian.PutUint32(c[:], uint32(index))
	return c
}

// Rekeyed returns the space after n fresh inbox keys.
func Rekeyed(s Space, n int) Space {
	st := s.State()
	d := st.self.Value()
	for range n {
		d = d.withInbox(suite.X25519)
	}
	w := &work{st: st}
	w.setSelf(d)
	return s.WithState(w.st)
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
	w := &work{st: s.State()}
	p, _ := w.st.epoch(w.st.preferred)
	tree := p.commits
	for n := 0; ; n++ {
		id := proto.EpochID{}
		binary.BigEndian.PutUint64(id[:], uint64(n)*0x9e3779b97f4a7c15)
		_, next, err := tree.Eval(dkg.Index(n%7+1), id)
		if err != nil || n == 5_000 {
			w.put(p.withCommits(tree))
			return s.WithState(w.st), n
		}
		tree = next
	}
}

// HasEpoch reports whether a space holds an epoch.
func HasEpoch(s Space, id [32]byte) bool {
	_, ok := s.State().epoch(id)
	return ok
}

// WaitingSends returns how many messages were sent without effect while others were retained.
func WaitingSends(s Space) int { return int(s.State().wait.sends) }
