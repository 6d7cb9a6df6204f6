package ratchet

import (
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/ratchet/internal/pprf"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// Opens reports whether who holds a space, with everything in it, can open an envelope that was read: with any key or node
// in it, as a message key, as a chain key, as a node above the sender's chain in the sender tree, or by following the
// commit of an epoch anew.
func Opens(s Space, frame []byte) bool {
	e := parsed(proto.ParseEnvelope(frame))
	st, tp := s.State(), s.Template()
	keys := Secrets(s)
	for r := range st.epochs.All() {
		x := r.epoch()
		keys = append(keys, nodes(x.senders.Encode())...)
		keys = append(keys, nodes(x.commits.Encode())...)
		for b := range x.blocks.All() {
			keys = append(keys, nodes(b.tree.Encode())...)
		}
	}
	d := &edit{base: s, st: st, tp: tp, ev: s.Evals()}
	for r := range st.epochs.All() {
		x := r.epoch()
		if !x.derived() {
			continue
		}
		h, err := proto.OpenHeader(x.header, st.space, x.id, x.depth, e.Header)
		if err != nil {
			continue
		}
		if parent, ok := st.epoch(x.parent); ok {
			if _, err := d.deriveChild(candidate{parent: parent, commit: x.commit}); err == nil {
				return true
			}
		}
		for _, k := range keys {
			if len(k) != suite.KeySize {
				continue
			}
			key := secret.New(k)
			if opensWith(st.space, x, key, e) || opensFrom(st.space, x, key, h, e) {
				return true
			}
			for depth := range x.depth {
				path := pprf.Path(h.Index<<depth&(1<<x.depth-1), x.depth, nil)
				if root, _, err := pprf.New(key, x.depth-depth).Eval(path); err == nil && opensFrom(st.space, x, root, h, e) {
					return true
				}
			}
		}
	}
	return false
}
