package client

import (
	"context"
	"crypto/rand"
	"errors"

	"github.com/trefoil-im/trefoil"
	"github.com/trefoil-im/trefoil/ratchet/session/directory"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/relay/api"
)

// SignWith has the client log in, and subscribe to mailboxes, by what a trefoil.Client signs. trefoil.Open calls it.
func (c *Client) SignWith(s trefoil.Signer) {
	c.login.mu.Lock()
	defer c.login.mu.Unlock()
	c.login.signer = s
}

// Lookup implements trefoil.Directory. The person and the bundles are not verified here. A person that was deleted is nobody, if it has
// signed that.
func (c *Client) Lookup(ctx context.Context, person key.Address) (trefoil.Listing, error) {
	found, err := c.Directory.Lookup(ctx, person, 0)
	if gone := new(api.DeletedError); errors.As(err, &gone) {
		if err := gone.Deletion.Verify(person); err != nil {
			return trefoil.Listing{}, api.Malformed(err)
		}
		return trefoil.Listing{}, nil
	}
	if errors.Is(err, api.ErrNotFound) {
		return trefoil.Listing{}, nil
	}
	if err != nil {
		return trefoil.Listing{}, err
	}
	l := trefoil.Listing{Registration: found.Registration, Version: found.Version}
	for _, d := range found.Devices {
		b, err := directory.ParseBundle(d.Bundle)
		if err != nil {
			return trefoil.Listing{}, api.Malformed(err)
		}
		l.Bundles = append(l.Bundles, b)
	}
	return l, nil
}

// Claim implements trefoil.Directory.
func (c *Client) Claim(ctx context.Context, person key.Address, device key.PublicKey[key.Identity]) (o directory.OneTimePreKey, ok bool, err error) {
	var k api.RequestKey
	rand.Read(k[:])
	claimed, err := c.Directory.Claim(ctx, k, person, device.Bytes())
	if errors.Is(err, api.ErrNotFound) || err == nil && (len(claimed) == 0 || len(claimed[0].OneTime) == 0) {
		return o, false, nil
	}
	if err != nil {
		return o, false, err
	}
	if o, err = directory.ParseOneTimePreKey(claimed[0].OneTime); err != nil {
		return o, false, api.Malformed(err)
	}
	return o, true, nil
}

// Publish implements trefoil.Directory, for the device that SignWith has brought: it registers the person or deletes it, or replaces a bundle
// that is older at the relay, and adds one-time pre-keys.
func (c *Client) Publish(ctx context.Context, p trefoil.Publication) (left int, err error) {
	if p.Deleted {
		out := api.Deletion{Person: p.Person, Version: p.Version}
		out.Signature = p.Sign(out.Message())
		_, err := c.Directory.Delete(ctx, out)
		return 0, err
	}
	s, err := c.login.signs()
	if err != nil {
		return 0, err
	}
	person, _, err := s.Device(ctx)
	if err != nil {
		return 0, err
	}
	if err := c.login.settle(ctx); err != nil { // what is signed here is the person's device's, and no guest's
		return 0, err
	}
	now, err := c.known(ctx, person, p.Bundle.Identity())
	if err != nil {
		return 0, err
	}
	d := api.PublishedDevice{}
	if d.Bundle, err = p.Bundle.MarshalBinary(); err != nil {
		return 0, err
	}
	for _, k := range p.OneTime {
		raw, err := k.MarshalBinary()
		if err != nil {
			return 0, err
		}
		d.OneTime = append(d.OneTime, raw)
	}
	if p.Registration != nil {
		if err := c.register(ctx, p, d, now == nil); err != nil {
			return 0, err
		}
		if now == nil {
			return len(d.OneTime), nil
		}
	}
	if now != nil && now.number == p.Bundle.Number() {
		if d.Bundle = nil; len(d.OneTime) == 0 {
			return now.unclaimed, nil
		}
	}
	return c.Directory.Stock(ctx, d.Bundle, d.OneTime)
}

// stocked is what the relay has of a device.
type stocked struct {
	number    uint32 // of its bundle
	unclaimed int
}

// known returns what the relay has of a device, nil if nothing with its present keys.
func (c *Client) known(ctx context.Context, person key.Address, identity key.PublicKey[key.Identity]) (*stocked, error) {
	found, err := c.Directory.Lookup(ctx, person, 0)
	if errors.Is(err, api.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for _, d := range found.Devices {
		b, err := directory.ParseBundle(d.Bundle)
		if err != nil {
			return nil, api.Malformed(err)
		}
		if b.Identity().Equal(identity) {
			return &stocked{b.Number(), d.Unclaimed}, nil
		}
	}
	return nil, nil
}

// register publishes the registration, with the device if it is new in it.
func (c *Client) register(ctx context.Context, p trefoil.Publication, d api.PublishedDevice, isNew bool) error {
	out := api.Publication{Person: p.Person, Version: p.Version, Registration: p.Registration}
	if p.Further.Number() > 0 {
		raw, err := p.Further.MarshalBinary()
		if err != nil {
			return err
		}
		out.Devices = append(out.Devices, api.PublishedDevice{Bundle: raw, Proof: p.Consent})
	}
	if isNew {
		r, err := directory.ParseRegistration(p.Registration)
		if err != nil {
			return api.Malformed(err)
		}
		verified, err := r.Verify(p.Person.Address())
		if err != nil {
			return api.Malformed(err)
		}
		peer, err := verified.WithBundle(p.Bundle)
		if err != nil {
			return api.Malformed(err)
		}
		if _, d.Proof, err = c.login.sign(ctx, key.Address{}, peer.Entry().Consent(p.Person.Address())); err != nil {
			return err
		}
		out.Devices = append(out.Devices, d)
	}
	out.Signature = p.Sign(out.Message())
	_, err := c.Directory.Publish(ctx, out)
	return err
}
