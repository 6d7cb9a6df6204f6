package relay

import (
	"context"
	"crypto/rand"

	"github.com/trefoil-im/trefoil/relay/api"
	"github.com/trefoil-im/trefoil/relay/store"
)

// Swept is what Sweep has done.
type Swept struct {
	Messages int // removed, since nobody waits for them
	Expired  int // items that became part of a tombstone
	Requests int // key requests that nobody answered
	Claims   int // answers to Claim, and replaced bundles
	Blobs    int
	Tokens   int // that were valid no longer
}

// Sweep gives up what is older than it is kept, tells whom it was for, and removes what nobody waits for. Call it every
// few minutes, from one relay or all. It runs in small transactions until nothing is left to do or ctx ends; what was done by
// then stays done.
func (r *Relay) Sweep(ctx context.Context) (out Swept, err error) {
	for _, step := range []struct {
		count *int
		do    func(store.Tx) (done int, more bool, err error)
	}{
		{&out.Expired, r.b.sweepExpired},
		{&out.Expired, r.b.sweepRevoked},
		{&out.Messages, r.b.sweepSettled},
		{new(int), r.b.sweepFreed},
		{&out.Requests, r.b.sweepRequests},
		{&out.Claims, r.b.sweepClaims},
		{&out.Claims, r.b.sweepBundles},
		{&out.Blobs, r.b.sweepBlobs},
		{&out.Blobs, r.b.sweepDeleted},
		{&out.Tokens, r.b.sweepTokens},
		{new(int), r.b.sweepBudgets},
	} {
		for more := true; more; {
			var n int
			if err := r.b.store.Update(ctx, func(tx store.Tx) (err error) {
				n, more, err = step.do(tx)
				return err
			}); err != nil {
				return out, err
			}
			*step.count += n
		}
	}
	return out, nil
}

// sweepExpired turns items of the oldest message that is too old into tombstones.
func (b base) sweepExpired(tx store.Tx) (int, bool, error) {
	oldest, err := messages.scan(tx, 1, "at")
	if err != nil || len(oldest) == 0 || oldest[0].At >= b.now()-b.o.Keep.Milliseconds() {
		return 0, false, err
	}
	m := oldest[0]
	rows, err := items.scan(tx, batch, "message", m.ID)
	if err != nil {
		return 0, false, err
	}
	for _, it := range rows {
		if err := bury(tx, tombstoneRow{it.Device, m.Topic, api.Expired, it.Seq, 1}); err != nil {
			return 0, false, err
		}
	}
	if err := settle(tx, rows); err != nil || len(rows) == batch {
		return len(rows), true, err
	}
	return len(rows), true, removeMessage(tx, m.ID)
}

// removeMessage removes a message that nobody waits for.
func removeMessage(tx store.Tx, id [16]byte) error {
	if err := settled.clear(tx, "", id); err != nil {
		return err
	}
	return messages.remove(tx, messageRow{ID: id})
}

// sweepRevoked empties the mailboxes of revoked devices: nobody will acknowledge what is in them.
func (b base) sweepRevoked(tx store.Tx) (int, bool, error) {
	rows, err := revocations.scan(tx, 1, "swept", false)
	if err != nil || len(rows) == 0 {
		return 0, false, err
	}
	left, err := items.scan(tx, batch, "", rows[0].Device)
	if err != nil {
		return 0, false, err
	}
	if err := settle(tx, left); err != nil || len(left) == batch {
		return 0, true, err
	}
	if err := tombstones.clear(tx, "", rows[0].Device); err != nil {
		return 0, false, err
	}
	rows[0].Swept = true
	return 0, true, revocations.put(tx, rows[0])
}

// sweepSettled removes messages of which every device was done with. Who is done last leaves a row here, so a message that
// others still wait for is looked at again then.
func (b base) sweepSettled(tx store.Tx) (int, bool, error) {
	rows, err := settled.scan(tx, batch, "")
	if err != nil {
		return 0, false, err
	}
	n := 0
	var last [16]byte
	for _, s := range rows {
		if s.Message == last {
			continue
		}
		last = s.Message
		waits, err := items.has(tx, "message", s.Message)
		if err != nil {
			return 0, false, err
		}
		if !waits {
			n++
			err = removeMessage(tx, s.Message)
		} else {
			err = settled.clear(tx, "", s.Message)
		}
		if err != nil {
			return 0, false, err
		}
	}
	return n, len(rows) == batch, nil
}

// sweepFreed takes what was freed off what is counted.
func (b base) sweepFreed(tx store.Tx) (int, bool, error) {
	rows, err := freed.scan(tx, batch, "")
	if err != nil {
		return 0, false, err
	}
	for _, f := range rows {
		u, _, err := usage.get(tx, f.Sender, f.Device)
		if err == nil {
			_, err = reclaim(tx, u)
		}
		if err != nil {
			return 0, false, err
		}
	}
	return len(rows), len(rows) == batch, nil
}

// sweepRequests removes a key request that nobody answered, and tells the requester.
func (b base) sweepRequests(tx store.Tx) (int, bool, error) {
	rows, err := requests.scan(tx, 1, "open", false)
	if err != nil || len(rows) == 0 || rows[0].At >= b.now()-api.RequestKeep.Milliseconds() {
		return 0, false, err
	}
	q := rows[0]
	by, found, err := devices.get(tx, q.Requester)
	if err != nil || !found {
		return 0, false, err
	}
	if err := requests.remove(tx, q); err != nil {
		return 0, false, err
	}
	if _, gone, err := revocations.get(tx, q.Requester); err != nil || gone {
		return 1, true, err
	}
	data, err := q.notice().MarshalBinary()
	if err != nil {
		return 0, false, err
	}
	m := messageRow{Kind: api.KeyExpired, Topic: q.Conversation.String(), Sender: q.Target, At: b.now(), Data: data}
	rand.Read(m.ID[:])
	rand.Read(m.Key[:])
	_, err = b.enqueue(tx, m, by, []api.DeviceID{q.Requester})
	return 1, true, err
}

// sweepClaims removes answers that are older than the keys which they are about.
func (b base) sweepClaims(tx store.Tx) (int, bool, error) {
	rows, err := claims.scan(tx, batch, "at")
	if err != nil {
		return 0, false, err
	}
	before := b.now() - api.ClaimGrace.Milliseconds()
	n := 0
	for n < len(rows) && rows[n].At < before {
		n++
	}
	return n, n == batch, claims.remove(tx, rows[:n]...)
}

// sweepBudgets removes what was spent before yesterday.
func (b base) sweepBudgets(tx store.Tx) (int, bool, error) {
	rows, err := budgets.scan(tx, batch, "day")
	if err != nil {
		return 0, false, err
	}
	n := 0
	for n < len(rows) && rows[n].Day < b.now()/day-1 {
		n++
	}
	return n, n == batch, budgets.remove(tx, rows[:n]...)
}

// sweepBundles removes bundles that were replaced long ago.
func (b base) sweepBundles(tx store.Tx) (int, bool, error) {
	rows, err := bundles.scan(tx, batch, "until")
	if err != nil {
		return 0, false, err
	}
	n := 0
	for n < len(rows) && rows[n].Until < b.now() {
		n++
	}
	return n, n == batch, bundles.remove(tx, rows[:n]...)
}
