package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/trefoil-im/trefoil/ratchet/session"
	"github.com/trefoil-im/trefoil/ratchet/session/directory"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/sqlstore"

	_ "modernc.org/sqlite"
)

// device is the program on one device. Everything that a chat program has to do with direct sessions is in this file.
type device struct {
	title  string
	file   string
	key    state.Key // in a real program from the platform's key store
	id     state.ID  // of its own keys
	server *server

	db       *sql.DB
	store    *sqlstore.Store
	own      *state.Vault[session.StoredDevice] // one row: the device's private keys
	sessions *state.Vault[session.Session]      // a row for each device of anybody it talks to
	keys     session.Device
	used     []uint32 // one-time pre-keys to be erased
	known    map[state.ID]bool
	read     []string
}

// newDevice draws a device's keys and makes them durable.
func newDevice(ctx context.Context, s *server, dir, title string, person key.Address, vaultKey state.Key) (*device, error) {
	d := &device{title: title, file: filepath.Join(dir, title+".db"), key: vaultKey, server: s}
	if err := d.open(ctx); err != nil {
		return nil, err
	}
	keys, err := session.NewDevice(person, time.Now())
	if err != nil {
		return nil, err
	}
	// The one-time pre-keys are saved before they are published: an ID is never given out twice.
	keys, oneTime, err := keys.Issue(10)
	if err != nil {
		return nil, err
	}
	first, err := state.NewOne(keys.ID(), keys)
	if err != nil {
		return nil, err
	}
	if err := d.own.Create(ctx, first, nil); err != nil {
		return nil, err
	}
	d.id, d.keys = keys.ID(), keys
	return d, s.stock(keys.Identity(), keys.Bundle(), oneTime)
}

// open opens the file and both vaults.
func (d *device) open(ctx context.Context) (err error) {
	if d.db, err = sql.Open("sqlite", d.file); err != nil {
		return err
	}
	if d.store, err = sqlstore.SQLite(ctx, d.db); err != nil {
		return err
	}
	if d.own, err = state.Open[session.StoredDevice](ctx, d.store, d.key, state.Options{}); err != nil {
		return err
	}
	d.sessions, err = state.Open[session.Session](ctx, d.store, d.key, state.Options{Events: func(_ state.ID, e state.Event) {
		if used, ok := e.(session.OneTimeUsed); ok {
			d.used = append(d.used, used.ID)
		}
	}})
	d.known = make(map[state.ID]bool)
	return err
}

// close ends the program: everything in memory is gone.
func (d *device) close() error {
	d.keys, d.known = session.Device{}, nil
	return errors.Join(d.store.Close(), d.db.Close())
}

// restart begins again with what is on disk.
func (d *device) restart(ctx context.Context) error {
	if err := d.close(); err != nil {
		return err
	}
	if err := d.open(ctx); err != nil {
		return err
	}
	own, err := d.own.Load(ctx, d.id)
	if err != nil {
		return err
	}
	d.keys = own.Part()
	ids, err := d.sessions.List(ctx)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if id == d.id {
			continue // the device's own keys lie in the same table
		}
		d.known[id] = true
		held, err := d.sessions.Load(ctx, id)
		if err != nil {
			return err
		}
		d.used = append(d.used, held.Part().UsedOneTime()...)
	}
	return d.erase(ctx) // if the program ended between the session and this
}

// erase erases the one-time pre-keys that were used up, once the sessions that they began are durable.
func (d *device) erase(ctx context.Context) error {
	if len(d.used) == 0 {
		return nil
	}
	err := d.own.Update(ctx, d.id, func(tx *state.Tx[session.StoredDevice]) error {
		tx.Set(tx.Value().With(tx.Value().Part().EraseOneTime(d.used...)))
		return nil
	})
	if err != nil {
		return err
	}
	d.keys, d.used = d.keys.EraseOneTime(d.used...), nil
	return nil
}

// slot makes sure that there is a slot for a peer.
func (d *device) slot(ctx context.Context, p directory.Peer) (state.ID, error) {
	first, err := session.New(d.keys, p)
	if err != nil {
		return state.ID{}, err
	}
	if err := d.sessions.Create(ctx, first, nil); err != nil && !errors.Is(err, state.ErrExists) {
		return state.ID{}, err
	}
	d.known[first.ID()] = true
	return first.ID(), nil
}

// say sends a text to every device of a person, and begins a session with those that it has none with.
func (d *device) say(ctx context.Context, person key.Address, text string) error {
	peers, err := d.server.peers(person)
	if err != nil {
		return err
	}
	for _, p := range peers {
		if p.Identity().Equal(d.keys.Identity()) {
			continue
		}
		id, err := d.slot(ctx, p)
		if err != nil {
			return err
		}
		held, err := d.sessions.Load(ctx, id)
		if err != nil {
			return err
		}
		if held.Part().Sessions() == 0 {
			if oneTime, ok := d.server.claim(p.Identity()); ok {
				if p, err = p.WithOneTime(oneTime); err != nil {
					return err
				}
			}
		}
		// One commit: the session begun if need be, the ratchet's next state, and the frame in the outbox.
		if err := d.sessions.Update(ctx, id, session.Send(d.keys, p, time.Now(), []byte(text))); err != nil {
			return err
		}
		if err := d.flush(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// flush hands the outbox to the server.
func (d *device) flush(ctx context.Context, id state.ID) error {
	_, err := d.sessions.Flush(ctx, id, func(_ context.Context, o state.Outgoing) state.Delivery {
		to, err := key.ParseAddress(o.To)
		if err != nil {
			return state.Rejected(err.Error())
		}
		d.server.post(to, o.Data)
		return state.Delivered()
	})
	return err
}

// fetch reads everything that came: initializations to the device's own mailbox, and what follows to that of each slot.
func (d *device) fetch(ctx context.Context) error {
	for _, frame := range d.server.fetch(d.keys.Mailbox()) {
		// Its sender is a claim: the registration of that person says which device it can be, and the session finds out
		// whether it is.
		claim, err := d.keys.Claim(frame)
		if err != nil {
			continue
		}
		id, err := d.slotOf(ctx, claim, frame)
		switch {
		case errors.Is(err, errUnknown) || err != nil && state.VerdictOf(err) == state.Discard:
			continue // from nobody: it leaves nothing behind
		case err != nil:
			d.server.post(d.keys.Mailbox(), frame) // not acknowledged
			return err
		}
		if err := d.receive(ctx, id, d.keys.Mailbox(), frame); err != nil {
			return err
		}
	}
	for id := range d.known {
		held, err := d.sessions.Load(ctx, id)
		if err != nil {
			return err
		}
		mailbox := held.Part().Mailbox()
		for _, frame := range d.server.fetch(mailbox) {
			if err := d.receive(ctx, id, mailbox, frame); err != nil {
				return err
			}
		}
	}
	return nil
}

// slotOf makes sure that there is a slot for whoever claims to have sent a frame. A claim is cheap and a slot stays, so the
// frame is read on trial before there is one.
func (d *device) slotOf(ctx context.Context, c session.Claim, frame []byte) (state.ID, error) {
	peers, err := d.server.peers(c.Person)
	if err != nil {
		return state.ID{}, err
	}
	for _, p := range peers {
		if !p.Identity().Equal(c.Identity) {
			continue
		}
		if id := d.keys.SlotID(c.Person, p.Name()); d.known[id] {
			// The person may have replaced all keys of the device since.
			return id, d.sessions.Update(ctx, id, func(tx *state.Tx[session.Session]) error {
				next, err := session.Refresh(tx.Value(), d.keys, p)
				if err == nil {
					tx.Set(next)
				}
				return err
			})
		}
		trial, err := session.New(d.keys, p)
		if err != nil {
			return state.ID{}, err
		}
		if _, _, err := session.Decrypt(trial, d.keys, frame); err != nil && state.VerdictOf(err) == state.Discard {
			return state.ID{}, err
		}
		return d.slot(ctx, p)
	}
	return state.ID{}, errUnknown
}

// receive commits what became of a frame, then collects what was read.
func (d *device) receive(ctx context.Context, id state.ID, mailbox key.Address, frame []byte) error {
	f := state.Frame{Source: mailbox.String(), Data: frame}
	if _, err := d.sessions.Receive(ctx, id, f, session.Opener(func() session.Device { return d.keys })); err != nil {
		d.server.post(mailbox, frame) // not acknowledged
		return err
	}
	if err := d.erase(ctx); err != nil {
		return err
	}
	return d.sessions.Drain(ctx, id, func(_ context.Context, in state.Incoming) error {
		d.read = append(d.read, string(in.Data()))
		return nil
	})
}

// describe says what the sessions with a person are like.
func (d *device) describe(ctx context.Context, person key.Address) (string, error) {
	for id := range d.known {
		s, err := d.sessions.Load(ctx, id)
		if err != nil {
			return "", err
		}
		if who, _ := s.Part().Peer(); who == person {
			return fmt.Sprintf("%d session(s) side by side, post-quantum: %v", s.Part().Sessions(), s.Part().IsPostQuantum()), nil
		}
	}
	return "no session", nil
}
