package relay_test

import (
	"crypto/sha256"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet/session/keypair"
	"github.com/trefoil-im/trefoil/relay/api"
	"github.com/trefoil-im/trefoil/relay/store"
)

// deletion is what the person signs to be deleted.
func (p *person) deletion() api.Deletion {
	d := api.Deletion{Person: p.user.Public(), Version: p.version + 1}
	d.Signature = p.user.Sign(d.Message())
	return d
}

// A person that was deleted is gone from the directory and told to be, its devices can do nothing more, and conversations go on without
// it only. What it sent is still read.
func TestDeletePerson(t *testing.T) {
	w := inMemory(t)
	a, b, c := w.person(2), w.person(1), w.person(1)
	from, to, id := a.devices[0], b.devices[0], newConversation()
	from.begin(from.proposal("text", id, api.Group, 0, a, b, c))
	to.subscribe("topic")
	from.post("topic", "sent before")
	blob := []byte("a blob of a")
	address := api.BlobAddress(sha256.Sum256(blob))
	_, err := w.r.Blobs.Start(t.Context(), from.id, address, int64(len(blob)))
	require.NoError(t, err)
	_, err = w.r.Blobs.Append(t.Context(), from.id, address, 0, blob)
	require.NoError(t, err)

	out, err := w.r.Directory.Delete(t.Context(), a.deletion())
	require.NoError(t, err)
	require.ElementsMatch(t, []api.DeviceID{from.id, a.devices[1].id}, out.Revoked)
	again, err := w.r.Directory.Delete(t.Context(), a.deletion())
	require.NoError(t, err)
	require.Equal(t, api.Published{Version: out.Version, Leaf: out.Leaf}, again, "an answer that was lost can be had again")

	gone := new(api.DeletedError)
	_, err = w.r.Directory.Lookup(t.Context(), a.address(), 0)
	require.ErrorAs(t, err, &gone)
	require.NoError(t, gone.Deletion.Verify(a.address()))
	require.Error(t, gone.Deletion.Verify(b.address()))
	entries, err := w.r.Directory.Leaves(t.Context(), out.Leaf, 1)
	require.NoError(t, err)
	require.Equal(t, a.address(), entries[0].Person, "the log says so")
	_, err = w.r.Directory.Claim(t.Context(), to.id, requestKey(), a.address())
	require.ErrorIs(t, err, api.ErrNotFound)
	w.refused(api.ErrDeleted, func() error {
		_, err := w.r.Directory.Publish(t.Context(), a.publication(a.newDevice()))
		return err
	})
	w.refused(api.ErrRevoked, func() error {
		_, err := w.r.Mailboxes.Page(t.Context(), from.id, 0, 1)
		return err
	})
	require.ErrorIs(t, from.logIn(w.r), api.ErrRevoked)

	seen, err := w.r.Conversations.Get(t.Context(), to.id, id)
	require.NoError(t, err)
	require.ElementsMatch(t, []api.DeviceID{from.id, a.devices[1].id}, seen.Due.Extra)
	w.refused(api.ErrMembers, func() error {
		_, err := w.r.Conversations.Begin(t.Context(), to.id, to.junk(id, api.Group, 1, a, b, c))
		return err
	})
	to.begin(to.proposal("without a", id, api.Group, 1, b, c))
	require.Contains(t, texts(to.inbox()), "sent before")
	swept, err := w.r.Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, swept.Blobs)
	person := a.address()
	require.NoError(t, w.store.View(t.Context(), func(r store.Reader) error {
		rows, err := r.Get(store.Registrations, store.Key{person[:]})
		require.Empty(t, rows)
		return err
	}))
}

// Only the person itself can have itself deleted, and only as it is now.
func TestDeletionIsThePersons(t *testing.T) {
	w := inMemory(t)
	a, b := w.person(1), w.person(1)
	for name, c := range map[string]struct {
		want  error
		spoil func(*api.Deletion)
	}{
		"no signature":  {api.ErrUnverified, func(d *api.Deletion) { d.Signature = nil }},
		"somebody else": {api.ErrUnverified, func(d *api.Deletion) { d.Signature = b.user.Sign(d.Message()) }},
		"an older one":  {api.ErrStale, func(d *api.Deletion) { d.Version = 1; d.Signature = a.user.Sign(d.Message()) }},
		"nobody":        {api.ErrNotFound, func(d *api.Deletion) { *d = (&person{w: w, user: keypair.GenerateSigningKey()}).deletion() }},
	} {
		d := a.deletion()
		c.spoil(&d)
		w.refused(c.want, func() error {
			_, err := w.r.Directory.Delete(t.Context(), d)
			require.Error(t, err, name)
			return err
		})
	}
}
