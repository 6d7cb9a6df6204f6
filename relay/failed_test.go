package relay_test

import (
	"crypto/sha256"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/relay/relaytest"

	"github.com/trefoil-im/trefoil/relay/api"
)

// failedWrites makes each write of each mutation fail, and the commit: what is stored is what was stored before, mailboxes
// and so all that is told to anybody included. Then it lets the mutation succeed.
func failedWrites(t *testing.T, w *world) {
	a, b, c := w.person(2), w.person(1), w.person(1)
	d, to, id, pair := a.devices[0], b.devices[0], newConversation(), newConversation()
	added, proposals := b.newDevice(), []api.Proposal{
		d.junk(pair, api.Direct, 0, a, b), d.junk(id, api.Group, 0, a, b), d.junk(id, api.Group, 1, a, b, c),
	}
	publication := b.publication(added)
	oneTime, k := to.issue(2), requestKey()
	blob := make([]byte, 1000)
	address := api.BlobAddress(sha256.Sum256(blob))
	rotated, _ := to.d.Rotate(w.now.Add(8 * 24 * time.Hour))
	bundle, err := rotated.Bundle().MarshalBinary()
	require.NoError(t, err)
	begin := func(r *service, p api.Proposal) error {
		_, err := r.Conversations.Begin(t.Context(), d.id, p)
		return err
	}
	// Each step is made from what the one before has left.
	var request api.KeyRequest
	for _, step := range []struct {
		name string
		do   func(*service) error
	}{
		{"login", func(r *service) error { return to.logIn(r) }},
		{"stock", func(r *service) error { _, err := r.Directory.Stock(t.Context(), to.id, nil, oneTime); return err }},
		{"claim", func(r *service) error { _, err := r.Directory.Claim(t.Context(), d.id, k, b.address()); return err }},
		{"replace the bundle", func(r *service) error { _, err := r.Directory.Stock(t.Context(), to.id, bundle, nil); return err }},
		{"create direct", func(r *service) error { return begin(r, proposals[0]) }},
		{"create group", func(r *service) error { return begin(r, proposals[1]) }},
		{"add", func(r *service) error { return begin(r, proposals[2]) }},
		{"leave", func(r *service) error { return r.Conversations.Leave(t.Context(), to.id, id) }},
		{"remove", func(r *service) error { return begin(r, d.junk(id, api.Group, 2, a, c)) }},
		{"publish", func(r *service) error { _, err := r.Directory.Publish(t.Context(), publication); return err }},
		{"request", func(r *service) error {
			request = added.request(pair, 1, d)
			_, err := r.Conversations.Request(t.Context(), added.id, request)
			return err
		}},
		{"fulfil", func(r *service) error {
			return r.Conversations.Fulfil(t.Context(), d.id, request.ID(), api.Envelope{Device: added.id, Ephemeral: ephemeral(), Sealed: []byte("x")})
		}},
		{"subscribe", func(r *service) error { return r.Mailboxes.Subscribe(t.Context(), to.id, "topic") }},
		{"post", func(r *service) error {
			_, err := r.Mailboxes.Post(t.Context(), d.id, requestKey(), "topic", []byte("frame"))
			return err
		}},
		{"acknowledge", func(r *service) error {
			var seqs []uint64
			for _, it := range to.inbox() {
				seqs = append(seqs, it.Seq)
			}
			return r.Mailboxes.Acknowledge(t.Context(), to.id, seqs[:2]...)
		}},
		{"start a blob", func(r *service) error { _, err := r.Blobs.Start(t.Context(), d.id, address, 1000); return err }},
		{"append to a blob", func(r *service) error {
			_, err := r.Blobs.Append(t.Context(), d.id, address, 0, blob)
			return err
		}},
		{"unsubscribe", func(r *service) error { return r.Mailboxes.Unsubscribe(t.Context(), to.id, "topic") }},
		{"revoke", func(r *service) error {
			b.version, b.devices = 2, []*device{to}
			_, err := r.Directory.Publish(t.Context(), b.publication())
			return err
		}},
		{"delete a person", func(r *service) error {
			b.version = 3
			_, err := r.Directory.Delete(t.Context(), b.deletion())
			return err
		}},
	} {
		before, failures := w.dump(), 0
		for n := relaytest.AtCommit; ; n++ {
			if n == 0 {
				continue
			}
			failed := false
			err := step.do(w.on(relaytest.Fail(w.store, n, func() { failed = true })))
			if !failed {
				require.NoError(t, err, step.name)
				break
			}
			failures++
			requireFault(t, err, "%s, write %d", step.name, n)
			require.Equal(t, before, w.dump(), "%s, write %d", step.name, n)
		}
		require.GreaterOrEqual(t, failures, 2, step.name)
		require.NotEqual(t, before, w.dump(), step.name)
	}
	// Sweep is many transactions: whichever fails, the others have been made whole, and the next Sweep goes on.
	w.now = w.now.Add(2 * api.DefaultKeep)
	for n := 1; ; n++ {
		failed := false
		if _, err := w.on(relaytest.Fail(w.store, n, func() { failed = true })).Sweep(t.Context()); !failed {
			require.NoError(t, err)
			break
		}
	}
	require.NotContains(t, w.dump(), "items ")
}
