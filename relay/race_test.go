//go:build unix

package relay_test

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/pgtest"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/ratchet/session/keypair"
	"github.com/trefoil-im/trefoil/relay/api"
	"github.com/trefoil-im/trefoil/relay/internal/httpapi"
	"github.com/trefoil-im/trefoil/relay/relaytest"
	"github.com/trefoil-im/trefoil/relay/sqlrelay"
	"github.com/trefoil-im/trefoil/relay/store"
)

// act is a mutation that is possible on a stage.
type act struct {
	name string
	do   func(*service) error
	late bool // made when what is kept for a time has expired
}

// on makes the mutation on a store, and returns the code of the problem that it ends with, or "done".
func (a act) on(w *world, s store.Store) string {
	v := *w
	if a.late {
		v.now = v.now.Add(2 * api.DefaultKeep)
	}
	if err := a.do(v.on(s)); err != nil {
		return httpapi.NewProblem(err).Code()
	}
	return "done"
}

// stage makes people and all that mutations are about, and returns the mutations. Each is possible, as long as no other one was made.
func stage(w *world) []act {
	t := w.t
	a, b, c := w.person(2), w.person(2), w.person(1)
	d, to, third := a.devices[0], b.devices[0], c.devices[0]
	group, pair, blob := newConversation(), newConversation(), make([]byte, 1000)
	d.begin(d.junk(group, api.Group, 0, a, b, c))
	address, begun := api.BlobAddress(sha256.Sum256(blob)), api.BlobAddress(sha256.Sum256(blob[:500]))
	_, err := w.r.Blobs.Start(w.ctx, d.id, address, 1000)
	require.NoError(t, err)
	_, err = w.r.Directory.Stock(w.ctx, to.id, nil, to.issue(1))
	require.NoError(t, err)
	to.acknowledge()
	for _, s := range []*device{to, third} {
		s.subscribe("topic")
	}
	d.post("topic", "the first")
	d.post("topic", "the second")
	second := b.devices[1]
	request := second.asks(group, 1, d)
	other := second.request(group, 1, third)
	rotated, _ := to.d.Rotate(w.now.Add(8 * 24 * time.Hour))
	bundle, err := rotated.Bundle().MarshalBinary()
	require.NoError(t, err)
	login, err := to.login(w.r)
	require.NoError(t, err)

	begin := func(by *device, p api.Proposal) func(*service) error {
		return func(r *service) error { _, err := r.Conversations.Begin(w.ctx, by.id, p); return err }
	}
	post := func(by *device, text string) func(*service) error {
		k := requestKey()
		return func(r *service) error {
			_, err := r.Mailboxes.Post(w.ctx, by.id, k, "topic", []byte(text))
			return err
		}
	}
	publish := func(p api.Publication) func(*service) error {
		return func(r *service) error { _, err := r.Directory.Publish(w.ctx, p); return err }
	}
	fresh := &person{w: w, user: keypair.GenerateSigningKey(), account: keypair.GenerateKey[key.Account]()}
	added := publish(b.publication(b.newDevice()))
	without := *b
	without.devices = b.devices[:1]
	more, claim, much := to.issue(2), requestKey(), string(make([]byte, smallShare-3*1024))
	return []act{
		{"register", publish(fresh.publication(fresh.newDevice())), false},
		{"publish a device", added, false},
		{"revoke a device", publish(without.publication()), false},
		{"delete a person", func(r *service) error { _, err := r.Directory.Delete(w.ctx, b.deletion()); return err }, false},
		{"stock", func(r *service) error { _, err := r.Directory.Stock(w.ctx, to.id, nil, more); return err }, false},
		{"replace the bundle", func(r *service) error { _, err := r.Directory.Stock(w.ctx, to.id, bundle, nil); return err }, false},
		{"claim", func(r *service) error { _, err := r.Directory.Claim(w.ctx, d.id, claim, b.address()); return err }, false},
		{"claim too", func(r *service) error {
			_, err := r.Directory.Claim(w.ctx, third.id, requestKey(), b.address())
			return err
		}, false},
		{"log in", func(r *service) error { _, err := r.Logins.Login(w.ctx, login); return err }, false},
		{"log in anew", to.logIn, false},
		{"create a pair", begin(d, d.junk(pair, api.Direct, 0, a, b)), false},
		{"create the pair too", begin(to, to.junk(newConversation(), api.Direct, 0, a, b)), false},
		{"create a group of its ID", begin(third, third.junk(pair, api.Group, 0, b, c)), false},
		{"rotate", begin(d, d.junk(group, api.Group, 1, a, b, c)), false},
		{"rotate too", begin(to, to.junk(group, api.Group, 1, a, b, c)), false},
		{"remove", begin(d, d.junk(group, api.Group, 1, a, b)), false},
		{"leave", func(r *service) error { return r.Conversations.Leave(w.ctx, third.id, group) }, false},
		{"request", func(r *service) error { _, err := r.Conversations.Request(w.ctx, second.id, other); return err }, false},
		{"fulfil", func(r *service) error {
			return r.Conversations.Fulfil(w.ctx, d.id, request, api.Envelope{Device: second.id, Ephemeral: ephemeral(), Sealed: []byte("x")})
		}, false},
		{"post", post(d, "frame"), false},
		{"post too", post(to, "frame"), false},
		{"post much", post(d, much), false},
		{"post much too", post(a.devices[1], much), false},
		{"subscribe", func(r *service) error { return r.Mailboxes.Subscribe(w.ctx, a.devices[1].id, "topic") }, false},
		{"unsubscribe", func(r *service) error { return r.Mailboxes.Unsubscribe(w.ctx, to.id, "topic") }, false},
		{"acknowledge", func(r *service) error { return r.Mailboxes.Acknowledge(w.ctx, to.id, 2) }, false},
		{"acknowledge all", func(r *service) error { return r.Mailboxes.Acknowledge(w.ctx, to.id, 1, 2, 3, 4) }, false},
		{"another acknowledges", func(r *service) error { return r.Mailboxes.Acknowledge(w.ctx, third.id, 2, 3) }, false},
		{"start a blob", func(r *service) error { _, err := r.Blobs.Start(w.ctx, d.id, begun, 500); return err }, false},
		{"append to a blob", func(r *service) error { _, err := r.Blobs.Append(w.ctx, d.id, address, 0, blob); return err }, false},
		{"sweep", func(r *service) error { _, err := r.Sweep(w.ctx); return err }, false},
		{"sweep much later", func(r *service) error { _, err := r.Sweep(w.ctx); return err }, true},
	}
}

// interrupted is a store of which a mutation is interrupted before one of its calls, or before its commit: then is called, once.
type interrupted struct {
	store.Store
	at    int // the number of the call
	calls *int
	then  func()
}

func (s interrupted) Update(ctx context.Context, f func(store.Tx) error) error {
	return s.Store.Update(ctx, func(tx store.Tx) error {
		err := f(interruptedTx{tx, s})
		if err == nil {
			s.call()
		}
		return err
	})
}

func (s interrupted) call() {
	if *s.calls++; *s.calls == s.at {
		s.then()
	}
}

type interruptedTx struct {
	store.Tx
	s interrupted
}

func (t interruptedTx) Get(tab *store.Table, keys ...store.Key) ([]store.Row, error) {
	t.s.call()
	return t.Tx.Get(tab, keys...)
}

func (t interruptedTx) Scan(tab *store.Table, q store.Query) ([]store.Row, error) {
	t.s.call()
	return t.Tx.Scan(tab, q)
}

func (t interruptedTx) Insert(tab *store.Table, rows ...store.Row) error {
	t.s.call()
	return t.Tx.Insert(tab, rows...)
}

func (t interruptedTx) Put(tab *store.Table, rows ...store.Row) error {
	t.s.call()
	return t.Tx.Put(tab, rows...)
}

func (t interruptedTx) Delete(tab *store.Table, keys ...store.Key) error {
	t.s.call()
	return t.Tx.Delete(tab, keys...)
}

// arena is a database with two relays on it, and a stage that is made anew for each race.
type arena struct {
	*testing.T
	db       *sql.DB
	one, two store.Store
	w        *world
	acts     []act
	restore  string
}

func newArena(t *testing.T) *arena {
	db, err := sql.Open("pgx", pgtest.Database(t))
	require.NoError(t, err)
	a := &arena{T: t, db: db}
	var opened []*sqlrelay.Store
	for range 2 {
		s, err := sqlrelay.Postgres(t.Context(), db)
		require.NoError(t, err)
		opened = append(opened, s)
	}
	t.Cleanup(func() {
		for _, s := range opened {
			s.Close()
		}
		db.Close()
	})
	a.one, a.two = opened[0], opened[1]
	a.w = newWorld(t, a.one)
	a.acts = stage(a.w)
	save := []string{"CREATE SCHEMA saved"}
	var restore []string
	for _, tab := range slices.Backward(store.Schema) {
		restore = append(restore, "DELETE FROM relay_"+tab.Name)
	}
	for _, tab := range store.Schema {
		save = append(save, fmt.Sprintf("CREATE TABLE saved.relay_%[1]s AS TABLE relay_%[1]s", tab.Name))
		restore = append(restore, fmt.Sprintf("INSERT INTO relay_%[1]s TABLE saved.relay_%[1]s", tab.Name))
	}
	_, err = db.Exec(strings.Join(save, ";"))
	require.NoError(t, err)
	a.restore = strings.Join(restore, ";")
	return a
}

// race makes a mutation that is interrupted by another one before a call, and returns how both end. It reports whether there is
// such a call.
func (a *arena) race(first, second act, at int) (ends [2]string, happened bool) {
	a.Helper()
	_, err := a.db.Exec(a.restore)
	require.NoError(a, err)
	var calls int
	var group sync.WaitGroup
	ends[0] = first.on(a.w, interrupted{a.one, at, &calls, func() {
		happened = true
		done := make(chan struct{})
		group.Go(func() {
			defer close(done)
			ends[1] = second.on(a.w, a.two)
		})
		for waiting := 0; waiting == 0; { // for what the first one has locked
			select {
			case <-done:
				return
			default:
			}
			runtime.Gosched()
			if err := a.db.QueryRow("SELECT count(*) FROM pg_locks WHERE NOT granted").Scan(&waiting); err != nil {
				a.Error(err)
				return
			}
		}
	}})
	group.Wait()
	return ends, happened
}

// orders returns how two mutations end, one after the other, in both orders.
func (a *arena) orders(first, second act) (out [][2]string) {
	for _, swapped := range []bool{false, true} {
		_, err := a.db.Exec(a.restore)
		require.NoError(a, err)
		var ends [2]string
		if swapped {
			ends[1] = second.on(a.w, a.one)
		}
		ends[0] = first.on(a.w, a.one)
		if !swapped {
			ends[1] = second.on(a.w, a.one)
		}
		out = append(out, ends)
	}
	return out
}

// Any mutation in the middle of any other one, at another relay on the same PostgreSQL: both end as if one had been made after the
// other, whatever the database answers meanwhile, and everything adds up. Some of them are tried; all with TREFOIL_LONG in the
// environment, which takes an hour.
func TestRaces(t *testing.T) {
	a := newArena(t)
	check := func(first, second act, at int, orders [][2]string) bool {
		t.Helper()
		ends, happened := a.race(first, second, at)
		if happened {
			require.Contains(t, orders, ends, "%q, interrupted before call %d by %q", first.name, at, second.name)
			require.NoError(t, relaytest.Audit(t.Context(), a.two), "%q, interrupted before call %d by %q", first.name, at, second.name)
		}
		return happened
	}
	if os.Getenv("TREFOIL_LONG") != "" {
		for _, first := range a.acts {
			for _, second := range a.acts {
				orders := a.orders(first, second)
				for at := 1; check(first, second, at, orders); at++ {
				}
			}
		}
		return
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	for range 12 {
		first, second := a.acts[rng.IntN(len(a.acts))], a.acts[rng.IntN(len(a.acts))]
		orders := a.orders(first, second)
		for at := 1 + rng.IntN(16); !check(first, second, at, orders); at = 1 + rng.IntN(at) {
		}
	}
	// These do the same to the same rows.
	for _, a := range a.acts {
		if a.name == "acknowledge" {
			check(a, a, 4, [][2]string{{"done", "done"}})
		}
	}
}
