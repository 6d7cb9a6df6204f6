package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"slices"

	_ "modernc.org/sqlite"

	"github.com/trefoil-im/trefoil"
	"github.com/trefoil-im/trefoil/event"
	"github.com/trefoil-im/trefoil/ratchet/session"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/sqlstore"
	"github.com/trefoil-im/trefoil/transporttest"
)

// server is what all devices can reach. It holds public keys only, and is not trusted: what it hands out is signed, what it carries
// is sealed.
type server struct {
	network   *transporttest.Network
	directory *transporttest.Directory
}

// device is the program on one device: a client in an SQLite file, and its line to the server.
type device struct {
	title  string
	file   string
	key    state.Key // in a real program from the platform's key store
	server server
	line   *line

	db     *sql.DB
	store  *sqlstore.Store
	client *trefoil.Client
	read   []string // by the program, since the story asked last
	digits string   // shown while a device is linked
	linked bool
	told   map[event.ID]bool
}

// newDevice opens a device that belongs to nobody yet.
func newDevice(ctx context.Context, s server, dir, title string) (*device, error) {
	raw := make([]byte, state.KeySize)
	rand.Read(raw)
	k, err := state.NewKey(raw)
	if err != nil {
		return nil, err
	}
	d := &device{
		title: title, file: filepath.Join(dir, title+".db"), key: k, server: s,
		line: &line{Transport: s.network.Device(title)}, told: make(map[event.ID]bool),
	}
	return d, d.open(ctx)
}

// open opens the file.
func (d *device) open(ctx context.Context) (err error) {
	if d.db, err = sql.Open("sqlite", d.file); err != nil {
		return err
	}
	if d.store, err = sqlstore.SQLite(ctx, d.db); err != nil {
		return errors.Join(err, d.db.Close())
	}
	d.client, err = trefoil.Open(ctx, d.store, d.key, d.line, trefoil.Options{Directory: d.server.directory, Handle: d.handle})
	if err != nil {
		return errors.Join(fmt.Errorf("%s: %w", d.file, err), d.close())
	}
	return nil
}

// close ends the program: what is in memory is gone.
func (d *device) close() error { return errors.Join(d.store.Close(), d.db.Close()) }

// restart begins again with what is on disk.
func (d *device) restart(ctx context.Context) error {
	if err := d.close(); err != nil {
		return err
	}
	return d.open(ctx)
}

// handle is told of every event, at least once.
func (d *device) handle(_ context.Context, e event.Event) error {
	switch e := e.(type) {
	case event.LinkDigits:
		d.digits = e.Digits
	case event.Linked:
		d.linked = true
	case event.Message:
		switch {
		case !e.Own:
			d.read = append(d.read, string(e.Body))
		case !d.told[e.ID]:
			d.read = append(d.read, "own: "+string(e.Body))
		}
	}
	return nil
}

// say sends a text to every device of a person, and to the other ones of the writer.
func (d *device) say(ctx context.Context, to key.Address, text string) error {
	id, err := d.client.Direct(to).Send(ctx, []byte(text))
	if err != nil {
		return err
	}
	d.told[id] = true // what is written here need not be shown here
	return d.client.Sync(ctx)
}

// second links this device to the person of another: a code goes from the first to the new one, and the person compares the digits that
// both show.
func (d *device) second(ctx context.Context, first *device) error {
	code, err := first.client.LinkDevice(ctx)
	if err != nil {
		return err
	}
	if err := first.client.Sync(ctx); err != nil { // it listens before the other one speaks
		return err
	}
	if err := d.client.AcceptDevice(ctx, code); err != nil {
		return err
	}
	if err := syncAll(ctx, d, first, d); err != nil { // each shows digits
		return err
	}
	if err := errors.Join(first.client.ConfirmDevice(ctx, d.digits), d.client.ConfirmDevice(ctx, first.digits)); err != nil {
		return err
	}
	if err := syncAll(ctx, d, first, d, first); err != nil {
		return err
	}
	if !d.linked || !first.linked {
		return fmt.Errorf("%s was not linked", d.title)
	}
	return nil
}

// syncAll lets devices work, one after the other.
func syncAll(ctx context.Context, devices ...*device) error {
	for _, d := range devices {
		if err := d.client.Sync(ctx); err != nil {
			return err
		}
	}
	return nil
}

// describe says what the sessions with the devices of others are like. A client does not tell; what it stores does.
func (d *device) describe(ctx context.Context) (out string, err error) {
	sessions, err := state.Open[session.Session](ctx, d.store, d.key, state.Options{})
	if err != nil {
		return "", err
	}
	ids, err := sessions.List(ctx)
	for _, id := range ids {
		s, err := sessions.Load(ctx, id)
		if err != nil {
			return "", err
		}
		out = fmt.Sprintf("%d session(s) side by side, post-quantum: %v", s.Part().Sessions(), s.Part().IsPostQuantum())
	}
	return out, err
}

// line is a device's line to the server, which can fail.
type line struct {
	trefoil.Transport
	deaf  bool // nothing comes
	twice bool // everything comes twice
}

// Receive implements trefoil.Transport.
func (l *line) Receive(ctx context.Context, topics iter.Seq[string], handle func(trefoil.Frame)) error {
	return l.Transport.Receive(ctx, topics, func(f trefoil.Frame) {
		isEnd := f.Topic == ""
		if !isEnd && l.twice {
			again := f
			again.Data = slices.Clone(f.Data)
			handle(again)
		}
		if isEnd || !l.deaf {
			handle(f)
		}
	})
}
