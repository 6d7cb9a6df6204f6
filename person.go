package trefoil

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/trefoil-im/trefoil/ratchet/session"
	"github.com/trefoil-im/trefoil/ratchet/session/directory"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/ratchet/session/keypair"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
)

// directs is what a client has for direct conversations: the keys of its person and device, a session with each device of others, and
// the conversations that these carry.
type directs struct {
	lookup  Directory
	keeper  keeper                                                        // nil if the transport is none
	listen  func(context.Context, key.Address) error                      // subscribes to the mailbox that is published
	enter   func(context.Context, state.ID, state.Incoming) (bool, error) // takes in what the first device said to this one
	now     func() time.Time
	persons *state.Vault[state.One[session.Person]]
	devices *state.Vault[session.StoredDevice]
	talks   *state.Vault[storedTalk]

	publishing chan struct{} // holds a value while this device publishes

	mu        sync.Mutex
	endpoint  *session.Endpoint // without a Device until self has found it
	address   key.Address       // of the person
	published uint32            // the number of the bundle that was published since the client was opened, 0 if none
	asked     time.Time         // when the directory was asked last what is left
}

// openDirects opens the vaults of direct conversations.
func openDirects(ctx context.Context, s store.Store, k state.Key, l Directory, v, talks state.Options) (d *directs, err error) {
	d = &directs{lookup: l, now: v.Now, publishing: make(chan struct{}, 1)}
	d.endpoint = &session.Endpoint{Peers: d.peers, Claim: d.claim, Now: v.Now}
	if d.persons, err = state.Open[state.One[session.Person]](ctx, s, k, v); err != nil {
		return nil, err
	}
	if d.devices, err = state.Open[session.StoredDevice](ctx, s, k, v); err != nil {
		return nil, err
	}
	if d.talks, err = state.Open[storedTalk](ctx, s, k, talks); err != nil {
		return nil, err
	}
	d.endpoint.Devices = d.devices
	d.endpoint.Sessions, err = state.Open[session.Session](ctx, s, k, v)
	return d, err
}

// self returns the address of this device's person, or ErrNoPerson. The endpoint must not be used before it did.
func (d *directs) self(ctx context.Context) (key.Address, error) {
	if d.lookup == nil {
		return key.Address{}, ErrNoPerson
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.endpoint.Device != (state.ID{}) {
		return d.address, nil
	}
	ids, err := d.devices.List(ctx) // another process may have made it
	if err != nil {
		return key.Address{}, err
	}
	if len(ids) == 0 {
		return key.Address{}, ErrNoPerson
	}
	own, err := d.devices.Load(ctx, ids[0])
	if err != nil {
		return key.Address{}, err
	}
	d.address, d.endpoint.Device = own.Part().Person(), own.ID()
	return d.address, nil
}

// Person returns the address of the person whose device this is: others write to it. It returns ErrNoPerson.
func (c *Client) Person(ctx context.Context) (key.Address, error) { return bodyOf(c).directs.self(ctx) }

// NewPerson makes a person whose first device this one is, and returns its address. It is durable when it returns; Run and Sync
// publish it, and then others can write to it (Stats.Published): what they write before is not sent
// (event.NotSent, ErrNobody). It returns state.ErrExists on a device of a person, and ErrNoPerson without Options.Directory.
func (c *Client) NewPerson(ctx context.Context) (key.Address, error) {
	d := bodyOf(c).directs
	switch _, err := c.Person(ctx); {
	case d.lookup == nil:
		return key.Address{}, ErrNoPerson
	case err == nil:
		return key.Address{}, state.ErrExists
	case !errors.Is(err, ErrNoPerson):
		return key.Address{}, err
	}
	person := session.Person{User: keypair.GenerateSigningKey(), Account: keypair.GenerateKey[key.Account]()}
	device, err := session.NewDevice(person.Address(), d.now())
	if err != nil {
		return key.Address{}, err
	}
	ownPerson, err := state.NewOne(person.ID(), person)
	if err != nil {
		return key.Address{}, err
	}
	ownDevice, err := state.NewOne(device.ID(), device)
	if err != nil {
		return key.Address{}, err
	}
	if err := state.Batch(ctx, d.persons.Creating(ownPerson, nil), d.devices.Creating(ownDevice, nil)); err != nil {
		return key.Address{}, err
	}
	if _, err := d.self(ctx); err != nil {
		return key.Address{}, err
	}
	c.changed(aDevice, d.endpoint.Device)
	if r := bodyOf(c).current.Load(); r != nil {
		r.hurry()
	}
	return person.Address(), nil
}

// DeletePerson takes this device's person out of the directory for good, with all its devices: nobody reaches them any more, and the
// address is never registered again. What was sent before stays with those that it was sent to, and members of a space stay in it until they leave or
// are removed. The program closes the client then, and deletes the store, which holds the only copy of the person's keys. Nothing but the
// directory is changed, and DeletePerson again does nothing. It returns ErrNoPerson on a device that holds no keys of its person, and otherwise
// the directory's error: it was not reached, or another device was faster with a change, and DeletePerson can be tried again.
func (c *Client) DeletePerson(ctx context.Context) error {
	self, err := c.Person(ctx)
	if err != nil {
		return err
	}
	person, held, err := bodyOf(c).directs.ownPerson(ctx)
	if err != nil || !held {
		return cmp.Or(err, ErrNoPerson)
	}
	l, err := bodyOf(c).directs.lookup.Lookup(ctx, self)
	if err != nil || len(l.Registration) == 0 {
		return err
	}
	_, err = bodyOf(c).directs.lookup.Publish(ctx, Publication{
		Person: person.User.Public(), Sign: person.User.Sign, Deleted: true, Version: l.Version + 1,
	})
	return err
}

// ownPerson returns the keys of this device's person; false if they are not on this device.
func (d *directs) ownPerson(ctx context.Context) (session.Person, bool, error) {
	ids, err := d.persons.List(ctx)
	if err != nil || len(ids) == 0 {
		return session.Person{}, false, err
	}
	p, err := d.persons.Load(ctx, ids[0])
	return p.Part(), err == nil, err
}

const (
	// fewOneTime is below how many one-time pre-keys at the directory a device publishes more, and moreOneTime how many then. Without
	// one a session begins all the same, with keys that others begin with, too.
	fewOneTime  = 20
	moreOneTime = 80

	// askEvery is how often a directory is asked what is left.
	askEvery = time.Hour
)

// publish brings what the directory has of this device up to date: once in a run of the program, when keys were rotated, and when
// one-time pre-keys run out. Others write to the mailbox as soon as they find it there, so the device subscribes to it before, and does not
// publish while it cannot. Several at once would each register the device and issue keys: the later ones wait and find it done.
func (d *directs) publish(ctx context.Context) error {
	select {
	case d.publishing <- struct{}{}:
		defer func() { <-d.publishing }()
	case <-ctx.Done():
		return ctx.Err()
	}
	own, err := d.rotate(ctx)
	if err != nil {
		return err
	}
	d.mu.Lock()
	upToDate := d.published == own.BundleNumber()
	recent := upToDate && time.Since(d.asked) < askEvery
	d.mu.Unlock()
	if recent {
		return nil
	}
	p := Publication{Bundle: own.Bundle()}
	if !upToDate {
		if err = d.listen(ctx, own.Mailbox()); err != nil {
			return fmt.Errorf("trefoil: subscribing to the mailbox: %w", err)
		}
		if err = d.register(ctx, own, own.Entry(), &p); err != nil {
			return err
		}
	}
	left, err := d.lookup.Publish(ctx, p)
	if err != nil {
		return err
	}
	d.mu.Lock()
	d.published, d.asked = p.Bundle.Number(), time.Now()
	d.mu.Unlock()
	if left >= fewOneTime {
		return nil
	}
	p = Publication{Bundle: p.Bundle}
	if p.OneTime, err = d.issue(ctx); err != nil {
		return err
	}
	_, err = d.lookup.Publish(ctx, p)
	return err
}

// isPublished reports whether the directory has taken this device since the client was opened.
func (d *directs) isPublished() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.published > 0
}

// introduceFor is for how long a directory that does not answer holds up a line at most.
const introduceFor = 15 * time.Second

// introduce publishes what the directory has to know of this device, before the relay is asked for anything but its mailbox: a relay that
// devices log in at knows them from there. If that fails it is done later, and what the relay is asked for says why it could not be.
func (c *Client) introduce(ctx context.Context) {
	if has, _ := c.hasPerson(ctx); !has {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, introduceFor)
	defer cancel()
	if err := bodyOf(c).directs.publish(ctx); err != nil {
		c.log.Info("not published yet", "error", err)
	}
}

// rotate replaces keys of the device that are old enough, and returns the device as it is stored now.
func (d *directs) rotate(ctx context.Context) (session.Device, error) {
	own, err := d.devices.Load(ctx, d.endpoint.Device)
	if err != nil {
		return session.Device{}, err
	}
	next, changed := own.Part().Rotate(d.now())
	if !changed {
		return own.Part(), nil
	}
	err = d.devices.Update(ctx, d.endpoint.Device, func(tx *state.Tx[session.StoredDevice]) error {
		next, _ = tx.Value().Part().Rotate(d.now())
		tx.Set(tx.Value().With(next))
		return nil
	})
	return next, err
}

// issue draws one-time pre-keys, which are durable before they are published: no number is given out twice.
func (d *directs) issue(ctx context.Context) (keys []directory.OneTimePreKey, err error) {
	err = d.devices.Update(ctx, d.endpoint.Device, func(tx *state.Tx[session.StoredDevice]) error {
		next, issued, err := tx.Value().Part().Issue(moreOneTime)
		if err == nil {
			tx.Set(tx.Value().With(next))
			keys = issued
		}
		return err
	})
	return keys, err
}

// register adds to a publication the person's registration with one more device, unless it is registered already, or the keys that
// could sign it are not on this device. It returns session.ErrUnverified if that is not this device, and the directory does not know
// the person.
func (d *directs) register(ctx context.Context, own session.Device, one directory.Entry, p *Publication) error {
	person, held, err := d.ownPerson(ctx)
	if err != nil || !held {
		return err
	}
	listed, l, known, err := d.person(ctx, own.Person())
	if err != nil {
		return err
	}
	if !known && !one.Identity().Equal(own.Identity()) {
		return session.ErrUnverified
	}
	var entries []directory.Entry
	if known {
		entries = listed.Entries()
		if slices.ContainsFunc(entries, func(e directory.Entry) bool { return e.Identity().Equal(one.Identity()) }) {
			return nil
		}
	}
	r, err := person.Register(append(entries, one)...)
	if err != nil {
		return err
	}
	p.Person, p.Sign, p.Registration, p.Version = person.User.Public(), person.User.Sign, r.JSON(), l.Version+1
	return nil
}
