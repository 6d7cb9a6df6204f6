package relay

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/trefoil-im/trefoil/ratchet/session/directory"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/relay/api"
	"github.com/trefoil-im/trefoil/relay/store"
)

type bundleRow struct {
	Device api.DeviceID
	Number uint32
	Bundle []byte
	Until  int64
}

type oneTimeRow struct {
	Device api.DeviceID
	ID     uint32
	Key    []byte
}

type claimRow struct {
	Requester api.DeviceID
	Key       api.RequestKey
	Device    api.DeviceID
	Person    key.Address // of the requester
	Number    uint32      // of the bundle
	OneTime   []byte
	At        int64
}

func (r *bundleRow) fields() []any  { return []any{&r.Device, &r.Number, &r.Bundle, &r.Until} }
func (r *oneTimeRow) fields() []any { return []any{&r.Device, &r.ID, &r.Key} }
func (r *claimRow) fields() []any {
	return []any{&r.Requester, &r.Key, &r.Device, &r.Person, &r.Number, &r.OneTime, &r.At}
}

var (
	bundles = table[bundleRow, *bundleRow]{store.Bundles}
	oneTime = table[oneTimeRow, *oneTimeRow]{store.OneTime}
	claims  = table[claimRow, *claimRow]{store.Claims}
)

// Stock publishes pre-keys of the calling device: a bundle that replaces the one before, if it is not empty, and one-time
// pre-keys. It returns how many of those are unclaimed now; a device adds some when they are few.
//
// A new bundle has a higher number, or the error is ErrReused; the one-time pre-keys before are dropped then, as the device
// erases them, and the bundle before is kept for ClaimGrace to answer claims again, api.MaxBundles at most (ErrQuota). IDs of
// one-time pre-keys are above all before, or the error is ErrReused; there are at most directory.MaxOneTime, or it is
// ErrQuota.
func (d *Directory) Stock(ctx context.Context, device api.DeviceID, bundle []byte, keys [][]byte) (unclaimed int, err error) {
	err = d.b.store.Update(ctx, func(tx store.Tx) error {
		row, err := caller(tx, device)
		if err != nil {
			return err
		}
		row, err = row.restock(tx, bundle, keys, d.b.now())
		unclaimed = int(row.Unclaimed)
		return err
	})
	return unclaimed, err
}

func (r deviceRow) restock(tx store.Tx, raw []byte, keys [][]byte, now int64) (deviceRow, error) {
	b, err := directory.ParseBundle(r.Bundle)
	if err != nil {
		return r, err
	}
	if len(raw) > 0 {
		next, err := directory.ParseBundle(raw)
		if err != nil {
			return r, api.Malformed(err)
		}
		if _, err := directory.NewPreKeys(b).Replace(next); err != nil {
			return r, api.Malformed(err)
		}
		if err := oneTime.clear(tx, "", r.ID); err != nil {
			return r, err
		}
		if old, err := bundles.scan(tx, api.MaxBundles, "", r.ID); err != nil || len(old) >= api.MaxBundles {
			return r, or(err, api.ErrQuota, "replaced bundles")
		}
		if err := bundles.insert(tx, bundleRow{r.ID, r.Number, r.Bundle, now + api.ClaimGrace.Milliseconds()}); err != nil {
			return r, err
		}
		b, r.Number, r.Bundle, r.Unclaimed = next, next.Number(), raw, 0
	}
	parsed, err := parseOneTime(b, keys)
	if err != nil {
		return r, err
	}
	if len(parsed) > 0 && parsed[0].ID() <= r.Highest {
		return r, fmt.Errorf("%w: the ID of a one-time pre-key", api.ErrReused)
	}
	if int(r.Unclaimed)+len(parsed) > directory.MaxOneTime {
		return r, fmt.Errorf("%w: %d one-time pre-keys", api.ErrQuota, directory.MaxOneTime)
	}
	r.stock(parsed)
	if err := devices.put(tx, r); err != nil {
		return r, err
	}
	return r, putOneTime(tx, r.ID, verifiedDevice{oneTime: parsed, raw: api.PublishedDevice{OneTime: keys}})
}

func putOneTime(tx store.Tx, device api.DeviceID, v verifiedDevice) error {
	var rows []oneTimeRow
	for i, k := range v.oneTime {
		rows = append(rows, oneTimeRow{device, k.ID(), v.raw.OneTime[i]})
	}
	return oneTime.insert(tx, rows...)
}

// forgetKeys drops all that is kept of a device's earlier keys, and the claims of them.
func forgetKeys(tx store.Tx, device api.DeviceID) error {
	if err := claims.clear(tx, "budget", device); err != nil {
		return err
	}
	if err := bundles.clear(tx, "", device); err != nil {
		return err
	}
	return oneTime.clear(tx, "", device)
}

// Claim returns, for each device of a person but the calling one, its bundle and one of its one-time pre-keys, which is gone
// then; with identity keys (as key.PublicKey.Bytes returns them), for those devices only that have one of them now. The same requester and key get the same one-time pre-keys again for ClaimGrace, each with its bundle, unless the
// device was revoked or renewed; the same key with another person is ErrReused.
//
// A device has no one-time pre-key left when all were claimed, and for a person that has claimed MaxClaims of them in
// ClaimGrace. The session begins without one then; it is weaker against a later theft of the device's keys, until the device
// replaces its bundle, and in nothing else. ErrNotFound means that there is no such person.
func (d *Directory) Claim(ctx context.Context, device api.DeviceID, k api.RequestKey, person key.Address,
	identities ...[]byte) (out []api.Claimed, err error) {
	if k == (api.RequestKey{}) {
		return nil, fmt.Errorf("%w: key of a request", api.ErrMalformed)
	}
	err = d.b.store.Update(ctx, func(tx store.Tx) error {
		out = nil
		by, err := caller(tx, device)
		if err != nil {
			return err
		}
		live, _, err := devicesOf(tx, person)
		if err != nil || len(live) == 0 {
			return or(err, api.ErrNotFound, "no such person")
		}
		before, err := claims.scan(tx, 1, "", device, k)
		if err != nil {
			return err
		}
		if len(before) > 0 {
			if one, _, err := devices.get(tx, before[0].Device); err != nil || one.Person != person {
				return or(err, api.ErrReused, "key of a request for another person")
			}
		}
		for _, target := range live {
			if target.ID == device || len(identities) > 0 && !slices.ContainsFunc(identities, target.hasIdentity) {
				continue
			}
			c, err := target.claim(tx, by, k, d.b.now())
			if err != nil {
				return err
			}
			out = append(out, c)
		}
		return nil
	})
	return out, err
}

// hasIdentity reports whether it is the key with which the device agrees now.
func (r deviceRow) hasIdentity(k []byte) bool { return bytes.Equal(k, r.Identity[:]) }

// claim takes a one-time pre-key of a device, if there is one and the requester may have it, or the one that it took before.
func (r deviceRow) claim(tx store.Tx, by deviceRow, k api.RequestKey, now int64) (api.Claimed, error) {
	out := api.Claimed{Device: r.ID, Bundle: r.Bundle}
	if before, found, err := claims.get(tx, by.ID, k, r.ID); err != nil || found {
		out.OneTime = before.OneTime
		if err == nil && before.Number != r.Number {
			var old bundleRow
			old, _, err = bundles.get(tx, r.ID, before.Number)
			out.Bundle = old.Bundle
		}
		return out, err
	}
	had, err := claims.scan(tx, api.MaxClaims, "budget", r.ID, by.Person)
	if err != nil || len(had) >= api.MaxClaims || r.Unclaimed == 0 {
		return out, err
	}
	oldest, err := oneTime.scan(tx, 1, "", r.ID)
	if err != nil || len(oldest) == 0 {
		return out, err
	}
	out.OneTime = oldest[0].Key
	r.Unclaimed--
	if err := oneTime.remove(tx, oldest[0]); err != nil {
		return out, err
	}
	if err := devices.put(tx, r); err != nil {
		return out, err
	}
	return out, claims.insert(tx, claimRow{by.ID, k, r.ID, by.Person, r.Number, out.OneTime, now})
}
