package crashtest

import (
	"context"
	"database/sql"
	"errors"

	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/ratchet/rules"
	"github.com/trefoil-im/trefoil/ratchet/step"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/sqlstore"
)

// member is a member of a space, on a store of its own. This file alone uses the ratchet.
type member struct {
	vault *state.Vault[ratchet.Space]
	shut  func() error
	id    state.ID
	heard map[uint64]string // what was shown, by Seq
	show  func()            // called when something was shown, and before it leaves the inbox
}

// openMember opens the store of a member, of the space id if it is in one.
func openMember(ctx context.Context, dsn string, id state.ID) (*member, error) {
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, err
	}
	store, err := sqlstore.SQLite(ctx, db)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	key, err := state.NewKey(make([]byte, state.KeySize))
	if err != nil {
		return nil, err
	}
	m := &member{id: id, heard: make(map[uint64]string), show: func() {}}
	m.shut = func() error { return errors.Join(store.Close(), db.Close()) }
	m.vault, err = state.Open[ratchet.Space](ctx, store, key, state.Options{})
	return m, err
}

var options = ratchet.Options{Topic: "space", Now: now}

// found makes a space.
func (m *member) found(ctx context.Context) error {
	space, err := ratchet.NewSpace(now(), rules.Policy{}, nil)
	if err != nil {
		return err
	}
	m.id = space.ID()
	return m.vault.Create(ctx, space, nil)
}

// invite makes a link for one person.
func (m *member) invite(ctx context.Context) (url string, err error) {
	var made invite.Made
	if err := m.vault.Update(ctx, m.id, ratchet.Do(options, step.NewInvite(invite.Private(0), &made))); err != nil {
		return "", err
	}
	return made.Link.URL("https://chat.example/join")
}

// join asks to be let into the space of a link.
func (m *member) join(ctx context.Context, url string) error {
	link, err := invite.Find(url)
	if err != nil {
		return err
	}
	space, request, err := ratchet.Join(link, now(), nil)
	if err != nil {
		return err
	}
	m.id = space.ID()
	return m.vault.Create(ctx, space, func(tx *state.Tx[ratchet.Space]) error {
		tx.Send(options.Topic, request)
		return nil
	})
}

// say encrypts a text.
func (m *member) say(ctx context.Context, text string) error {
	return m.vault.Update(ctx, m.id, ratchet.Send(options, []byte(text)))
}

// receive takes in a frame.
func (m *member) receive(ctx context.Context, from string, frame []byte) error {
	_, err := m.vault.Receive(ctx, m.id, state.Frame{Source: from, Data: frame}, ratchet.Opener(options))
	return err
}

// tend does what the space needs to have done, once everything that came is read.
func (m *member) tend(ctx context.Context) error {
	if err := m.vault.Update(ctx, m.id, func(tx *state.Tx[ratchet.Space]) error {
		if err := ratchet.CaughtUp(options)(tx); err != nil {
			return err
		}
		return ratchet.Maintain(options)(tx)
	}); err != nil {
		return err
	}
	_, err := m.vault.Retry(ctx, m.id, ratchet.Opener(options))
	return err
}

// flush gives the frames in the outbox to the network.
func (m *member) flush(ctx context.Context, network func(frame []byte)) error {
	_, err := m.vault.Flush(ctx, m.id, func(_ context.Context, out state.Outgoing) state.Delivery {
		network(out.Data)
		return state.Delivered()
	})
	return err
}

// drain shows what was read. It returns an error if a text comes with the number of another.
func (m *member) drain(ctx context.Context) error {
	return m.vault.Drain(ctx, m.id, func(_ context.Context, in state.Incoming) error {
		msg, err := ratchet.ParseMessage(in.Data())
		if err != nil || len(msg.Plaintext) == 0 {
			return err
		}
		if before, again := m.heard[in.Seq]; again && before != string(msg.Plaintext) {
			return errors.New("crashtest: two texts have one number")
		}
		m.heard[in.Seq] = string(msg.Plaintext)
		m.show()
		return nil
	})
}
