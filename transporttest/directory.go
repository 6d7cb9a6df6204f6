package transporttest

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"slices"
	"sync"

	"github.com/trefoil-im/trefoil"
	"github.com/trefoil-im/trefoil/ratchet/session/directory"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
)

// Directory is a directory in memory, for tests and first steps. It takes what anybody publishes whose signatures fit. It is safe for
// concurrent use.
type Directory struct {
	mu            sync.Mutex
	registrations map[key.Address]registered
	registered    map[string]key.Address // by identity, whose devices they are
	devices       map[string]listed      // by identity
	down          error
}

// registered is what one person has published.
type registered struct {
	registration []byte // none if the person was deleted
	version      uint64
}

// listed is what one device has published.
type listed struct {
	person key.Address
	keys   directory.PreKeys
}

// NewDirectory returns a directory that knows nobody.
func NewDirectory() *Directory {
	return &Directory{registrations: make(map[key.Address]registered), registered: make(map[string]key.Address), devices: make(map[string]listed)}
}

// Fail makes every call return an error until it is called with nil.
func (d *Directory) Fail(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.down = err
}

// Lookup implements trefoil.Directory.
func (d *Directory) Lookup(ctx context.Context, person key.Address) (l trefoil.Listing, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := errors.Join(d.down, ctx.Err()); err != nil {
		return l, err
	}
	if len(d.registrations[person].registration) == 0 {
		return l, nil
	}
	l.Registration, l.Version = d.registrations[person].registration, d.registrations[person].version
	for _, name := range slices.Sorted(maps.Keys(d.devices)) {
		if known := d.devices[name]; known.person == person {
			l.Bundles = append(l.Bundles, known.keys.Bundle())
		}
	}
	return l, nil
}

// Claim implements trefoil.Directory.
func (d *Directory) Claim(ctx context.Context, _ key.Address, device key.PublicKey[key.Identity]) (o directory.OneTimePreKey, ok bool, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := errors.Join(d.down, ctx.Err()); err != nil {
		return o, false, err
	}
	known := d.devices[string(device.Bytes())]
	next, o, err := known.keys.Claim()
	if err != nil {
		return o, false, nil // none is left
	}
	known.keys = next
	d.devices[string(device.Bytes())] = known
	return o, true, nil
}

// Publish implements trefoil.Directory.
func (d *Directory) Publish(ctx context.Context, p trefoil.Publication) (left int, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := errors.Join(d.down, ctx.Err()); err != nil {
		return 0, err
	}
	if p.Deleted {
		return 0, d.delete(p.Person.Address(), p.Version)
	}
	name := string(p.Bundle.Identity().Bytes())
	known := d.devices[name]
	if p.Registration != nil {
		r, err := directory.ParseRegistration(p.Registration)
		if err != nil {
			return 0, err
		}
		person, err := r.Verify(p.Person.Address())
		if err != nil {
			return 0, err
		}
		now := d.registrations[person.Address()]
		if now.version > 0 && len(now.registration) == 0 {
			return 0, errors.New("transporttest: the person was deleted")
		}
		isRepeated := p.Version == now.version && bytes.Equal(p.Registration, now.registration)
		if p.Version != now.version+1 && !isRepeated {
			return 0, errors.New("transporttest: another registration was published meanwhile")
		}
		d.registrations[person.Address()] = registered{p.Registration, p.Version}
		for _, e := range person.Entries() { // one that another device registered publishes its bundle by itself
			d.registered[string(e.Identity().Bytes())] = person.Address()
		}
	}
	if p.Further.Number() > 0 && p.Registration != nil {
		further := string(p.Further.Identity().Bytes())
		if d.registered[further].IsZero() {
			return 0, errors.New("transporttest: a further device that is not in the registration")
		}
		if _, there := d.devices[further]; !there {
			d.devices[further] = listed{d.registered[further], directory.NewPreKeys(p.Further)}
		}
	}
	known.person = d.registered[name]
	if known.person.IsZero() {
		return 0, errors.New("transporttest: a device that no person has registered")
	}
	switch _, there := d.devices[name]; {
	case !there:
		known.keys = directory.NewPreKeys(p.Bundle)
	case known.keys.Bundle().Number() != p.Bundle.Number():
		if known.keys, err = known.keys.Replace(p.Bundle); err != nil {
			return 0, err
		}
	}
	if len(p.OneTime) > 0 {
		if known.keys, err = known.keys.Add(p.OneTime...); err != nil {
			return 0, err
		}
	}
	d.devices[name] = known
	return known.keys.Len(), nil
}

// delete takes a person and its devices out for good.
func (d *Directory) delete(person key.Address, version uint64) error {
	now := d.registrations[person]
	if now.version == 0 || version != now.version && len(now.registration) == 0 || version != now.version+1 && len(now.registration) > 0 {
		return errors.New("transporttest: another version of the person is there, or none")
	}
	d.registrations[person] = registered{version: version}
	maps.DeleteFunc(d.registered, func(_ string, p key.Address) bool { return p == person })
	maps.DeleteFunc(d.devices, func(_ string, l listed) bool { return l.person == person })
	return nil
}
