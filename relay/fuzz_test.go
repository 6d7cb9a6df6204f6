package relay_test

import (
	"testing"

	"github.com/trefoil-im/trefoil/relay/api"
	"github.com/trefoil-im/trefoil/relay/store"
)

// Whatever is published, stocked or proposed is refused or whole, and never panics.
func FuzzWrites(f *testing.F) {
	w := newWorld(f, store.NewMemory())
	p := w.person(1)
	d := p.devices[0]
	added := p.newDevice()
	good := p.publication(added)
	f.Add(good.Registration, good.Devices[0].Bundle, good.Devices[0].Proof, d.issue(1)[0], "topic")
	f.Fuzz(func(t *testing.T, registration, bundle, proof, oneTime []byte, topic string) {
		w.t = t
		before := w.dump()
		bad := api.Publication{Person: p.user.Public(), Version: 2, Registration: registration,
			Devices: []api.PublishedDevice{{Bundle: bundle, Proof: proof, OneTime: [][]byte{oneTime}}}}
		bad.Signature = proof // nobody signed what was made up
		e := api.Envelope{Device: d.id, Ephemeral: bundle, Sealed: oneTime}
		for name, f := range map[string]func() error{
			"publish": func() error { _, err := w.r.Directory.Publish(w.ctx, bad); return err },
			"stock":   func() error { _, err := w.r.Directory.Stock(w.ctx, added.id, bundle, [][]byte{oneTime}); return err },
			"begin": func() error {
				_, err := w.r.Conversations.Begin(w.ctx, d.id, api.Proposal{Key: requestKey(), Conversation: newConversation(),
					Kind: api.Group, Members: addresses(p), Envelopes: []api.Envelope{e}})
				return err
			},
			"fulfil": func() error { return w.r.Conversations.Fulfil(w.ctx, d.id, api.RequestID{}, e) },
			"mailbox": func() error {
				return w.r.Mailboxes.SubscribeMailboxes(w.ctx, d.id, api.MailboxProof{Mailbox: p.user.Public(), Signature: proof})
			},
			"subscribe": func() error { return w.r.Mailboxes.Subscribe(w.ctx, added.id, topic) }, // not registered
		} {
			if f() == nil {
				t.Errorf("%s took what nobody signed", name)
			}
		}
		if w.dump() != before {
			t.Error("what was refused changed something")
		}
	})
}
