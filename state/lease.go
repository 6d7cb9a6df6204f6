package state

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"sync"
	"time"

	"github.com/trefoil-im/trefoil/state/store"
)

// lease is the right to send from one outbox, as it is stored in a row of its own. Nothing in it is a clock reading: who does
// not hold it waits until it has seen the same beat for as long as the lease lasts, by its own clock that never jumps.
//
// A lease that is taken over too early, or noticed too late, does no harm to the outbox: the commits of a holder assert the
// row of its lease, so the store refuses them once the term is another's. Term is therefore a fencing token.
type lease struct {
	holder holderID      // zero if nobody has it
	term   uint64        // one more with every holder
	beat   uint64        // one more with every renewal
	lasts  time.Duration // from the last beat on
}

// holderID is drawn by each vault.
type holderID [16]byte

const leaseVersion = 1

// StoredAs says in which kind of row a lease is stored.
func (lease) StoredAs() store.Kind { return store.Leases }

// Encode implements Piece.
func (l lease) Encode(e *Encoder) {
	e.Version(leaseVersion)
	e.Fixed(l.holder[:])
	e.Uint64(l.term)
	e.Uint64(l.beat)
	e.Int64(l.lasts.Milliseconds())
}

// Decode implements Piece.
func (lease) Decode(d *Decoder) (l lease, err error) {
	d.Version(leaseVersion, leaseVersion)
	copy(l.holder[:], d.Fixed(len(l.holder)))
	l.term, l.beat = d.Uint64(), d.Uint64()
	l.lasts = time.Duration(d.Int64()) * time.Millisecond
	return l, nil
}

var errTerm = errors.New("state: the term of a lease fell")

// Succeeds implements Part.
func (l lease) Succeeds(prev lease) error {
	if l.term < prev.term || l.term == prev.term && l.beat < prev.beat {
		return errTerm
	}
	return nil
}

// leases are those of one vault. A nil *leases stands for a store from which one process sends: it grants everything.
type leases struct {
	vault  *Vault[One[lease]]
	of     store.Kind // of the values whose outboxes are meant
	holder holderID
	lasts  time.Duration

	mu   sync.Mutex
	seen map[ID]sighting // leases of others
}

// sighting is when a beat of a lease was first seen.
type sighting struct {
	term, beat uint64
	at         time.Time
}

func newLeases(s store.Store, keys *keyring, of store.Kind, sendTime time.Duration) *leases {
	o := Options{ForgetEvery: -1}.withDefaults() // the vault of the values does so
	l := &leases{
		vault: newVault[One[lease]](s, keys, store.Leases, o),
		of:    of, lasts: 2 * sendTime, seen: make(map[ID]sighting),
	}
	rand.Read(l.holder[:])
	return l
}

// name returns the ID of the lease of the outbox of id.
func (l *leases) name(id ID) ID {
	return sha256.Sum256(append(append([]byte("trefoil lease"), byte(l.of)), id[:]...))
}

// acquire takes the lease of the outbox of id, if nobody has it or its holder has stood still for as long as it lasts. It
// returns how long to wait if somebody else has it.
func (l *leases) acquire(ctx context.Context, id ID) (t *tenure, wait time.Duration, err error) {
	if l == nil {
		return nil, 0, nil
	}
	at := l.name(id)
	take := func(tx *Tx[One[lease]]) error {
		t, wait = nil, l.remaining(at, tx.Value().Part())
		if wait > 0 {
			return nil
		}
		t = &tenure{leases: l, id: at, term: tx.Value().Part().term + 1, renewed: time.Now()}
		tx.Set(tx.Value().With(lease{holder: l.holder, term: t.term, lasts: l.lasts}))
		return nil
	}
	for {
		if err = l.vault.Update(ctx, at, take); errors.Is(err, ErrNotFound) {
			// One who is faster makes it exist.
			if err = l.vault.Revive(ctx, One[lease]{id: at}, take); errors.Is(err, ErrExists) {
				continue
			}
		}
		if err != nil {
			return nil, 0, err
		}
		return t, wait, nil
	}
}

// remaining returns how long a lease that was read now is to be left to its holder, 0 if it may be taken.
func (l *leases) remaining(id ID, now lease) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.holder == (holderID{}) || now.holder == l.holder { // Flushes of one vault take turns
		delete(l.seen, id)
		return 0
	}
	s, known := l.seen[id]
	if !known || s.term != now.term || s.beat != now.beat {
		s = sighting{now.term, now.beat, time.Now()}
		l.seen[id] = s
	}
	return max(0, now.lasts-time.Since(s.at))
}

// forget removes the lease of an outbox that is no more. If that fails it stays, and is taken over like any other.
func (l *leases) forget(ctx context.Context, id ID) {
	if l != nil {
		_ = l.vault.Delete(ctx, l.name(id))
	}
}

// tenure is one holder's time with a lease. The methods of a nil *tenure succeed: it is that of nil leases.
type tenure struct {
	leases  *leases
	id      ID
	term    uint64
	renewed time.Time // before the commit of the last beat began
}

// errFenced is returned for a commit of a holder whose lease was taken over.
var errFenced = errors.New("state: the lease was taken over")

// commit makes steps in one commit that is refused with errFenced unless the tenure lasts, and which renews the lease now and
// then.
func (t *tenure) commit(ctx context.Context, steps ...step) error {
	if t == nil {
		return run(ctx, steps...)
	}
	var beat time.Time
	fence := t.leases.vault.Updating(t.id, func(tx *Tx[One[lease]]) error {
		beat = t.renewed
		now := tx.Value().Part()
		if now.holder != t.leases.holder || now.term != t.term {
			return errFenced
		}
		if time.Since(beat) >= t.leases.lasts/8 {
			beat = time.Now()
			now.beat++
			tx.Set(tx.Value().With(now))
		}
		return nil
	})
	err := run(ctx, append(steps, fence.step)...)
	if err == nil {
		t.renewed = beat
	}
	return err
}

// prepare makes sure that a send that begins now ends, and leaves time for a commit, before anybody may take the lease over.
func (t *tenure) prepare(ctx context.Context) error {
	if t == nil || time.Since(t.renewed) < t.leases.lasts/4 {
		return nil
	}
	return t.commit(ctx)
}

// release gives the lease back. If that fails, it runs out.
func (t *tenure) release(ctx context.Context) {
	if t == nil {
		return
	}
	_ = decided(ctx, func(ctx context.Context) error {
		return t.leases.vault.Update(ctx, t.id, func(tx *Tx[One[lease]]) error {
			if now := tx.Value().Part(); now.holder == t.leases.holder && now.term == t.term {
				tx.Set(tx.Value().With(lease{term: t.term, beat: now.beat}))
			}
			return nil
		})
	})
}

// decided runs a commit that has to be made even if ctx ends: then it runs once more, for a bounded time.
func decided(ctx context.Context, commit func(context.Context) error) error {
	err := commit(ctx)
	if err == nil || ctx.Err() == nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), resolveTime)
	defer cancel()
	return commit(ctx)
}
