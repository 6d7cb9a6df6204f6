package sqlstore

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/state/store"
)

// busy holds the connection that writes until release is called.
func (s *Store) busy(tb testing.TB) (release func()) {
	c, err := s.writer.take(tb.Context(), nil)
	require.NoError(tb, err)
	return func() { s.writer.free <- c }
}

// waitingCommits starts commits one after the other, each when the one before waits, and returns what is to be called for
// their errors.
func (s *Store) waitingCommits(ctxs []context.Context, commits [][]store.Change) (results func() []error) {
	errs := make([]error, len(commits))
	var wg sync.WaitGroup
	for i, changes := range commits {
		wg.Go(func() { errs[i] = s.Commit(ctxs[i], changes...) })
		for n := 0; n <= i; {
			s.group.mu.Lock()
			n = len(s.group.waiting)
			s.group.mu.Unlock()
		}
	}
	return func() []error {
		wg.Wait()
		return errs
	}
}

// G33: commits that wait for each other are carried out together, and what one of them fails with is its own affair: a
// refusal, in a commit of several changes after the first of them, a number that is taken, a context that ends.
func TestGroupCommit(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "trefoil.db"))
	held, update := row()
	require.NoError(t, s.Commit(t.Context(), held))
	fresh := func() store.Change { c, _ := row(); return c }
	stale := update
	stale.Base = store.Head{Version: 1, Sealed: []byte("another")}
	taken := fresh()
	taken.Frames = []store.FrameRecord{{Hash: [32]byte{1}, Seq: 1}}
	require.NoError(t, s.Commit(t.Context(), taken))
	again := store.Change{
		Kind: taken.Kind, ID: taken.ID, Base: taken.Next, Next: update.Next, Parts: update.Parts,
		Frames: []store.FrameRecord{{Hash: [32]byte{2}, Seq: 1}},
	}
	lone, beside, ended, after := fresh(), fresh(), fresh(), fresh()
	endedCtx, cancel := context.WithCancel(t.Context())
	defer cancel()

	for _, broken := range []bool{false, true} { // without and with one that fails the whole transaction
		commits := [][]store.Change{{lone}, {beside, stale}, {ended}, {update}, {after}}
		if broken {
			lone, beside, after = fresh(), fresh(), fresh()
			update.Base, update.Next = update.Next, store.Head{Version: 3, Sealed: []byte("3")}
			commits = [][]store.Change{{lone}, {beside, stale}, {again}, {update}, {after}}
		}
		ctxs := make([]context.Context, len(commits))
		for i := range ctxs {
			ctxs[i] = t.Context()
		}
		if !broken {
			ctxs[2] = endedCtx
		}
		release := s.busy(t)
		results := s.waitingCommits(ctxs, commits)
		if !broken {
			cancel()
		}
		release()
		errs := results()
		require.NoError(t, errs[0])
		require.ErrorIs(t, errs[1], store.ErrConflict)
		var at *store.ChangeError
		require.ErrorAs(t, errs[1], &at)
		require.Equal(t, 1, at.Index)
		require.Error(t, errs[2])
		require.Equal(t, !broken, errors.Is(errs[2], context.Canceled))
		require.NoError(t, errs[3])
		require.NoError(t, errs[4])
		for _, c := range []store.Change{lone, update, after} {
			head, err := s.Head(t.Context(), c.Kind, c.ID)
			require.NoError(t, err)
			require.Equal(t, c.Next, head)
		}
		_, err := s.Head(t.Context(), beside.Kind, beside.ID)
		require.ErrorIs(t, err, store.ErrNotFound, "nothing is left of a commit of which one change was refused")
	}
	_, err := s.Head(t.Context(), ended.Kind, ended.ID)
	require.ErrorIs(t, err, store.ErrNotFound)
	head, err := s.Head(t.Context(), taken.Kind, taken.ID)
	require.NoError(t, err)
	require.Equal(t, taken.Next, head)
}

// More commits than go in one transaction are carried out in several, also if whoever leads gives up before.
func TestGroupsAreBounded(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "trefoil.db"))
	n := 2*maxGroup + 5
	commits, ctxs := make([][]store.Change, n), make([]context.Context, n)
	for i := range commits {
		c, _ := row()
		commits[i], ctxs[i] = []store.Change{c}, t.Context()
	}
	release := s.busy(t)
	results := s.waitingCommits(ctxs, commits)
	release()
	for _, err := range results() {
		require.NoError(t, err)
	}
	ids, err := s.List(t.Context(), store.Spaces, store.ID{}, 2*n)
	require.NoError(t, err)
	require.Len(t, ids, n)
}
