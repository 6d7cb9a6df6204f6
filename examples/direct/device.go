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

	db    *sql.DB
	store *sqlstore.Store
	*session.Endpoint
	read []string
}

// newDevice draws a device's keys and makes them durable. It returns what the person has to register.
func newDevice(ctx context.Context, s *server, dir, title string, person key.Address, vaultKey state.Key) (
	*device, directory.Entry, error) {
	keys, err := session.NewDevice(person, time.Now())
	if err != nil {
		return nil, directory.Entry{}, err
	}
	// The one-time pre-keys are saved before they are published: an ID is never given out twice.
	keys, oneTime, err := keys.Issue(10)
	if err != nil {
		return nil, directory.Entry{}, err
	}
	d := &device{title: title, file: filepath.Join(dir, title+".db"), key: vaultKey, id: keys.ID(), server: s}
	if err := d.open(ctx); err != nil {
		return nil, directory.Entry{}, err
	}
	first, err := state.NewOne(keys.ID(), keys)
	if err != nil {
		return nil, directory.Entry{}, err
	}
	if err := d.Devices.Create(ctx, first, nil); err != nil {
		return nil, directory.Entry{}, err
	}
	return d, keys.Entry(), s.stock(keys.Identity(), keys.Bundle(), oneTime)
}

// open opens the file and both vaults.
func (d *device) open(ctx context.Context) (err error) {
	if d.db, err = sql.Open("sqlite", d.file); err != nil {
		return err
	}
	if d.store, err = sqlstore.SQLite(ctx, d.db); err != nil {
		return err
	}
	d.Endpoint = &session.Endpoint{Device: d.id, Peers: d.server.peers, Claim: d.server.claim}
	if d.Devices, err = state.Open[session.StoredDevice](ctx, d.store, d.key, state.Options{}); err != nil {
		return err
	}
	d.Sessions, err = state.Open[session.Session](ctx, d.store, d.key, state.Options{})
	return err
}

// close ends the program: everything in memory is gone.
func (d *device) close() error {
	d.Endpoint = nil
	return errors.Join(d.store.Close(), d.db.Close())
}

// restart begins again with what is on disk.
func (d *device) restart(ctx context.Context) error {
	if err := d.close(); err != nil {
		return err
	}
	return d.open(ctx)
}

// say sends a text to every device of a person, in one commit.
func (d *device) say(ctx context.Context, person key.Address, text string) error {
	slots, err := d.SendAll(ctx, []byte(text), person)
	if err != nil {
		return err
	}
	return d.flush(ctx, slots)
}

// flush hands the outboxes of slots to the server.
func (d *device) flush(ctx context.Context, slots []state.ID) error {
	for _, id := range slots {
		_, err := d.Sessions.Flush(ctx, id, func(_ context.Context, o state.Outgoing) state.Delivery {
			to, err := key.ParseAddress(o.To)
			if err != nil {
				return state.Rejected(err.Error())
			}
			d.server.post(to, o.Data)
			return state.Delivered()
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// fetch reads everything that came, and then does what is due: a real program does that every minute or so.
func (d *device) fetch(ctx context.Context) error {
	mailboxes, err := d.Mailboxes(ctx)
	if err != nil {
		return err
	}
	for _, mailbox := range mailboxes {
		if err := d.take(ctx, mailbox, d.server.fetch(mailbox)); err != nil {
			return err
		}
	}
	slots, err := d.Maintain(ctx)
	return errors.Join(err, d.flush(ctx, slots))
}

// take reads frames from a mailbox, whoever they are from, and collects what they said.
func (d *device) take(ctx context.Context, mailbox key.Address, data [][]byte) error {
	var frames []state.Frame
	for _, b := range data {
		frames = append(frames, state.Frame{Source: mailbox.String(), Data: b})
	}
	slots, receipts, err := d.ReceiveAll(ctx, frames)
	for i, r := range receipts {
		isHeld := slots[i] != (state.ID{})
		if r.Verdict == state.Stop || r.Verdict == state.Retain && !isHeld {
			d.server.post(mailbox, data[i]) // not acknowledged
		}
		if !isHeld {
			continue // from nobody
		}
		err = errors.Join(err, d.Sessions.Drain(ctx, slots[i], func(_ context.Context, in state.Incoming) error {
			d.read = append(d.read, string(in.Data()))
			return nil
		}))
	}
	return err
}

// describe says what the sessions with a person are like.
func (d *device) describe(ctx context.Context, person key.Address) (string, error) {
	slots, err := d.Sessions.List(ctx)
	if err != nil {
		return "", err
	}
	for _, id := range slots {
		s, err := d.Sessions.Load(ctx, id)
		if err != nil {
			return "", err
		}
		if who, _ := s.Part().Peer(); who == person {
			return fmt.Sprintf("%d session(s) side by side, post-quantum: %v", s.Part().Sessions(), s.Part().IsPostQuantum()), nil
		}
	}
	return "no session", nil
}
