package trefoil_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
	"github.com/trefoil-im/trefoil/state/vaultkey"
	"github.com/trefoil-im/trefoil/transporttest"
)

// A device that was lost goes on from a backup that is older than what it sent: in a space and in direct conversations all read what it
// writes then, and it reads what they write.
func TestBackup(t *testing.T) {
	inWorld(t, func(t *testing.T, w world) {
		dir := transporttest.NewDirectory()
		ann, a := w.person(dir, "Ann")
		bob := w.device("Bob", func(o *trefoil.Options) { o.Directory = dir })
		b, err := bob.client.NewPerson(t.Context())
		require.NoError(t, err)
		bob.begin()
		space := w.newSpace(ann, bob)
		ann.send(space, "1")
		bob.send(space, "2")
		ann.say(b, "3")
		bob.say(a, "4")
		w.pass(time.Minute)

		passphrase, err := vaultkey.Passphrase([]byte("correct horse"), vaultkey.Cost{Time: 1, Memory: 8, Threads: 1})
		require.NoError(t, err)
		backup, key := store.NewMemory(), state.Key{From: passphrase}
		require.NoError(t, bob.client.Export(t.Context(), backup, key))
		bob.send(space, "5")
		bob.say(a, "6")
		ann.send(space, "7")
		ann.say(b, "8")
		w.pass(time.Minute)
		bob.stop()

		_, err = trefoil.Open(t.Context(), backup, key, w.net.Device("thief"), trefoil.Options{})
		require.ErrorIs(t, err, state.ErrWrongKey, "nobody goes on from the backup itself")
		fresh, plain := store.NewMemory(), mustKey(t)
		require.ErrorIs(t, trefoil.Import(t.Context(), backup, plain, fresh, plain, trefoil.Options{}), state.ErrWrongKey)
		require.ErrorIs(t, trefoil.Import(t.Context(), bob.store, plain, store.NewMemory(), plain, trefoil.Options{}), state.ErrWrongKey, "a store is no backup")
		asked := 0
		clock := func() time.Time { asked++; return time.Now() }
		require.NoError(t, trefoil.Import(t.Context(), backup, key, fresh, plain, trefoil.Options{Now: clock}))
		require.NotZero(t, asked, "there is one clock")
		require.NoError(t, trefoil.Import(t.Context(), backup, key, fresh, plain, trefoil.Options{}), "it can be made again")

		again := w.open("Bob", fresh, w.net.Device("Bob"), func(o *trefoil.Options) { o.Directory = dir }).run()
		w.pass(time.Hour)
		for range 3 {
			again.send(space, "back in the space")
			ann.send(space, "welcome to the space")
			again.say(a, "back")
			ann.say(b, "welcome")
			w.pass(2 * time.Hour)
		}
		require.Equal(t, 3, count(ann.read(), "back in the space"))
		require.Equal(t, 3, count(again.read(), "welcome to the space"))
		require.Equal(t, 3, count(ann.read(), "back"))
		require.Equal(t, 3, count(again.read(), "welcome"))
	})
}

// What was read and is not handed over is in a backup.
func TestBackupOfTheInbox(t *testing.T) {
	inWorld(t, func(t *testing.T, w world) {
		dir := transporttest.NewDirectory()
		ann, _ := w.person(dir, "Ann")
		s := store.NewMemory()
		silent, err := trefoil.Open(t.Context(), s, mustKey(t), w.net.Device("silent"), trefoil.Options{Directory: dir})
		require.NoError(t, err)
		to, err := silent.NewPerson(t.Context())
		require.NoError(t, err)
		require.NoError(t, silent.Sync(t.Context()))
		ann.say(to, "hello")
		w.pass(time.Minute)
		require.NoError(t, silent.Sync(t.Context()))

		backup, fresh := store.NewMemory(), store.NewMemory()
		require.NoError(t, silent.Export(t.Context(), backup, mustKey(t)))
		require.NoError(t, trefoil.Import(t.Context(), backup, mustKey(t), fresh, mustKey(t), trefoil.Options{}))
		d := w.open("again", fresh, w.net.Device("again"), func(o *trefoil.Options) { o.Directory = dir })
		require.NoError(t, d.client.Sync(t.Context()))
		require.Equal(t, []string{"hello"}, d.read())
	})
}

func mustKey(t *testing.T) state.Key {
	k, err := state.NewKey(make([]byte, state.KeySize))
	require.NoError(t, err)
	return k
}

func count(all []string, one string) (n int) {
	for _, s := range all {
		if s == one {
			n++
		}
	}
	return n
}
