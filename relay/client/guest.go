package client

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/trefoil-im/trefoil"
	"github.com/trefoil-im/trefoil/ratchet/session"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/ratchet/session/keypair"
	"github.com/trefoil-im/trefoil/relay/api"
)

// guest is who a device is at the relay that belongs to nobody yet: the device of a person that was made up for it.
type guest struct {
	person session.Person
	device session.Device
	id     api.DeviceID
	first  api.Publication
	gone   chan struct{} // closed when the device belongs to a person
}

// errBelongs ends the line of a guest.
var errBelongs = errors.New("relay/client: the device belongs to a person now")

// visit makes a device that belongs to nobody a guest, and ends that once it belongs to a person. It is called while login.busy is
// held.
func (l *login) visit(ctx context.Context) error {
	s, err := l.signs()
	if err != nil {
		return err
	}
	_, _, err = s.Device(ctx)
	g := cmp.Or(l.guest.Load(), l.coming)
	switch {
	case err == nil && g != nil:
		return l.depart(ctx, g)
	case errors.Is(err, trefoil.ErrNoPerson) && l.guest.Load() == nil:
		return l.arrive(ctx)
	case errors.Is(err, trefoil.ErrNoPerson):
		return nil
	}
	return err
}

// arrive registers a guest. If that is not answered the same one is registered again, so that none is left behind.
func (l *login) arrive(ctx context.Context) (err error) {
	if l.coming == nil {
		if l.coming, err = newGuest(); err != nil {
			return err
		}
	}
	if _, err := l.c.Directory.Publish(ctx, l.coming.first); err != nil {
		return err
	}
	l.guest.Store(l.coming)
	l.coming = nil
	return nil
}

// newGuest makes up a person with a device.
func newGuest() (*guest, error) {
	g := &guest{person: session.Person{User: keypair.GenerateSigningKey(), Account: keypair.GenerateKey[key.Account]()}, gone: make(chan struct{})}
	var err error
	if g.device, err = session.NewDevice(g.person.Address(), time.Now()); err != nil {
		return nil, err
	}
	g.id = api.NewDeviceID(g.person.Address(), g.device.Name())
	r, err := g.person.Register(g.device.Entry())
	if err != nil {
		return nil, err
	}
	bundle, err := g.device.Bundle().MarshalBinary()
	if err != nil {
		return nil, err
	}
	g.first = api.Publication{Person: g.person.User.Public(), Version: 1, Registration: r.JSON(), Devices: []api.PublishedDevice{
		{Bundle: bundle, Proof: g.device.Sign(g.device.Entry().Consent(g.person.Address()))}}}
	g.first.Signature = g.person.User.Sign(g.first.Message())
	return g, nil
}

// depart takes a guest out of the directory and has the device log in as itself. A relay that does not know the guest has nothing to take
// out.
func (l *login) depart(ctx context.Context, g *guest) error {
	d := api.Deletion{Person: g.person.User.Public(), Version: 2}
	d.Signature = g.person.User.Sign(d.Message())
	if _, err := l.c.Directory.Delete(ctx, d); err != nil && !errors.Is(err, api.ErrNotFound) {
		return err
	}
	l.coming = nil
	l.mu.Lock()
	l.token = ""
	l.mu.Unlock()
	l.c.mu.Lock()
	defer l.c.mu.Unlock()
	clear(l.c.mailboxes)
	l.c.acks = nil // its mailbox is gone
	l.guest.Store(nil)
	close(g.gone)
	return nil
}
