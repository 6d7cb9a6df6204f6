package crashtest

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/sqlstore"
)

// entry is a line of the journal that a program keeps outside of its store.
type entry struct {
	Event event
	Op    int    // that it begins or has done
	Place int    // of the room of a message
	Born  uint32 // of the room of a message
	Seq   uint64 // of a message
	What  string // content of a message, or an error
}

type event string

const (
	begins event = "begins" // an operation
	done   event = "done"   // an operation
	sent   event = "sent"   // a message was given to the network
	shown  event = "shown"  // a message was shown
	failed event = "failed" // the program ended by itself
)

// program runs a script on a store.
type program struct {
	dsn   string
	note  func(entry)
	early bool // it acknowledges operations before it has done them, which is a fault

	vault *state.Vault[room] // nil while the store is closed
	db    *sql.DB
	shut  func() error
}

// onServer reports whether a place is the connection string of a PostgreSQL server, and not a file.
func onServer(place string) bool { return strings.HasPrefix(place, "host=") }

// open opens the store and its vault. Another kind of store needs another open, and nothing else.
func (p *program) open(ctx context.Context) error {
	driver, openStore := "sqlite", sqlstore.SQLite
	if onServer(p.dsn) {
		driver, openStore = "pgx", sqlstore.Postgres
	}
	db, err := sql.Open(driver, p.dsn)
	if err != nil {
		return err
	}
	db.SetMaxOpenConns(2) // for the store: one goroutine needs no more, and on a server each is a process
	store, err := openStore(ctx, db)
	db.SetMaxOpenConns(3) // and one for the shelf
	if err == nil {
		err = makeShelf(ctx, db)
	}
	if err != nil {
		return errors.Join(err, db.Close())
	}
	p.db, p.shut = db, func() error { return errors.Join(store.Close(), db.Close()) }
	key, err := state.NewKey(make([]byte, state.KeySize))
	if err != nil {
		return err
	}
	p.vault, err = state.Open[room](ctx, store, key, state.Options{})
	return err
}

// close closes the store if it is open.
func (p *program) close() error {
	shut := p.shut
	if p.shut, p.vault = nil, nil; shut == nil {
		return nil
	}
	return shut()
}

// run carries out the operations of a script after the first skip.
func (p *program) run(ctx context.Context, s script, skip int) error {
	if err := p.open(ctx); err != nil {
		return err
	}
	for i := skip + 1; i <= len(s.ops); i++ {
		p.note(entry{Event: begins, Op: i})
		if p.early {
			p.note(entry{Event: done, Op: i})
		}
		if err := p.do(ctx, s.ops[i-1]); err != nil {
			return err
		}
		p.note(entry{Event: done, Op: i})
	}
	return p.close()
}

// do carries out an operation. It may be called again after it failed.
func (p *program) do(ctx context.Context, o op) error {
	id := roomID(o.place, o.born)
	sends := func(tx *state.Tx[room]) error {
		for _, size := range o.sends {
			send(tx, size)
		}
		if o.learn {
			learn(tx)
		}
		return nil
	}
	switch o.kind {
	case create:
		first, err := newRoom(o.place, o.born)
		if err != nil {
			return err
		}
		return p.vault.Create(ctx, first, sends)
	case update:
		return p.vault.Update(ctx, id, sends)
	case receive:
		receipt, err := p.vault.Receive(ctx, id, o.frame.encode(), read)
		if err != nil {
			err = fmt.Errorf("verdict %s: %w", receipt.Verdict, err)
		}
		return err
	case flush:
		return p.flush(ctx, o.place, o.born, o.upTo)
	case drain:
		return p.drain(ctx, o.place, o.born, o.upTo)
	case remove:
		return p.vault.Delete(ctx, id)
	case reopen:
		return errors.Join(p.close(), p.open(ctx))
	}
	return errors.New("crashtest: no such operation")
}

// flush gives the messages in an outbox to the network, up to one.
func (p *program) flush(ctx context.Context, place int, born uint32, upTo uint64) error {
	_, err := p.vault.Flush(ctx, roomID(place, born), func(_ context.Context, out state.Outgoing) state.Delivery {
		if out.Seq > upTo {
			return state.RetryAfter(1)
		}
		digest := sha256.Sum256(out.Data)
		p.note(entry{Event: sent, Place: place, Born: born, Seq: out.Seq, What: hex.EncodeToString(digest[:])})
		return state.Delivered()
	})
	return err
}

// errLater ends a drain.
var errLater = errors.New("crashtest: later")

// drain shows the messages in an inbox, up to one.
func (p *program) drain(ctx context.Context, place int, born uint32, upTo uint64) error {
	err := p.vault.Drain(ctx, roomID(place, born), func(_ context.Context, in state.Incoming) error {
		if in.Seq > upTo {
			return errLater
		}
		p.note(entry{Event: shown, Place: place, Born: born, Seq: in.Seq, What: frameName(binary.BigEndian.Uint32(in.Data()))})
		return nil
	})
	if errors.Is(err, errLater) {
		return nil
	}
	return err
}
