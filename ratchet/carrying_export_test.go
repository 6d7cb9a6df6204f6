package ratchet

import (
	"encoding/binary"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
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
	me := st.self.Value()
	c, _, err := p.chain(me.index)
	if err != nil {
		panic(err)
	}
	h := proto.Header{Index: me.index, Number: c.next}
	_, key, err := c.take(h.Number, tag{})
	if err != nil {
		panic(err)
	}
	out := proto.NewEnvelope(h.Seal(p.header, st.space, p.id), []proto.SealedCommit{unproven(index).Seal(p.sealing, st.space, p.id)})
	body := proto.Content{Plaintext: []byte(words)}.Sign(me.signing, st.space, p.id, h, out.Bound)
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
