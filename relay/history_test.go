package relay_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/relay/api"
	"github.com/trefoil-im/trefoil/relay/store"
)

// A device that was off the whole time finds every session and every message, in order, in pages of bounded size; also through a
// relay that was started again. With TREFOIL_LONG in the environment the history is long.
func TestOfflineThroughRotations(t *testing.T) {
	path := filepath.Join(t.TempDir(), "relay.db")
	offlineThroughRotations(t, 20, 400, func() store.Store { return openSQLite(t, path) })
}

// offlineThroughRotations opens the store twice, as a relay that is started again.
func offlineThroughRotations(t *testing.T, rotations uint64, frames int, open func() store.Store) {
	if os.Getenv("TREFOIL_LONG") != "" {
		rotations, frames = 200, 10_000
	}
	w := newHTTPWorld(t, open())
	w.share = api.DefaultShare
	w.r = w.on(w.store)
	a, b := w.person(1), w.person(1)
	d, off, id := a.devices[0], b.devices[0], newConversation()
	off.subscribe(id.String())
	for n := range rotations {
		// The first and the last envelope are real.
		if n == 0 || n == rotations-1 {
			d.begin(d.proposal(fmt.Sprint("session ", n+1), id, api.Group, n, a, b))
		} else {
			d.begin(d.junk(id, api.Group, n, a, b))
		}
		for i := range frames / int(rotations) {
			require.Equal(t, 1, d.post(id.String(), fmt.Sprint(n, " ", i)))
		}
	}
	w.store = open()
	w.r = w.on(w.store)
	var sessions, read uint64
	for after := uint64(0); ; {
		page, err := w.r.Mailboxes.Page(t.Context(), off.id, after, 4096)
		require.NoError(t, err)
		var seqs []uint64
		for _, it := range page.Items {
			require.Zero(t, it.Reason)
			require.Equal(t, it.Seq, after+1)
			after = it.Seq
			seqs = append(seqs, it.Seq)
			if it.Kind == api.SessionBegan {
				sessions++
				_, err := w.r.Conversations.Initial(t.Context(), off.id, id, sessions)
				require.NoError(t, err)
				continue
			}
			require.Equal(t, fmt.Sprint(sessions-1, " ", read%uint64(frames/int(rotations))), string(it.Data))
			read++
		}
		require.NoError(t, w.r.Mailboxes.Acknowledge(t.Context(), off.id, seqs...))
		if page.End {
			break
		}
	}
	require.Equal(t, rotations, sessions)
	require.Equal(t, uint64(frames), read)
	require.Equal(t, "session 1", off.opens(id, 1))
	require.Equal(t, fmt.Sprint("session ", rotations), off.opens(id, rotations))
	require.Empty(t, off.inbox())
	swept, err := w.r.Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, int(rotations)+frames, swept.Messages)
}
