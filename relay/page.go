package relay

import (
	"context"
	"fmt"
	"slices"

	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/relay/api"
	"github.com/trefoil-im/trefoil/relay/store"
)

// pageRows is how many items a page has at most, so that many short ones do not make a long answer.
const pageRows = 1000

// Page returns what is in the device's mailbox above a place: 0 for all. The data of all items take at most size bytes, which
// is brought into the range from 1 to MaxPage; but there is one item at least, if there are any. Reading changes nothing:
// what is not acknowledged comes again from 0 on.
func (m *Mailboxes) Page(ctx context.Context, device api.DeviceID, after uint64, size int) (out api.Page, err error) {
	if after >= 1<<62 {
		return api.Page{}, fmt.Errorf("%w: place in a mailbox", api.ErrMalformed)
	}
	size = min(max(size, 1), api.MaxPage)
	err = m.b.store.View(ctx, func(r store.Reader) error {
		if _, err := caller(r, device); err != nil {
			return err
		}
		rows, err := items.after(r, pageRows+1, "", store.Key{device}, store.Key{after})
		if err != nil {
			return err
		}
		// A tombstone's place is its number, then topic and reason: the empty topic is before all.
		dead, err := tombstones.after(r, pageRows+1, "seq", store.Key{device}, store.Key{after + 1, "", 0})
		if err != nil {
			return err
		}
		out, err = page(r, rows, dead, after, int64(size))
		return err
	})
	return out, err
}

// page merges items and tombstones up to a size.
func page(r store.Reader, rows []itemRow, dead []tombstoneRow, after uint64, room int64) (api.Page, error) {
	out := api.Page{Next: after, End: true}
	var wanted []store.Key
	for len(rows)+len(dead) > 0 {
		isDead := len(rows) == 0 || len(dead) > 0 && dead[0].Seq < rows[0].Seq
		size := int64(itemOverhead)
		if !isDead {
			size = rows[0].Size
		}
		if room -= size - itemOverhead; len(out.Items) == pageRows || room < 0 && len(out.Items) > 0 {
			out.End = false
			break
		}
		if isDead {
			out.Items = append(out.Items, api.Item{Seq: dead[0].Seq, Topic: dead[0].Topic, Reason: dead[0].Reason, Count: dead[0].Count})
			dead = dead[1:]
		} else {
			out.Items = append(out.Items, api.Item{Seq: rows[0].Seq, Person: rows[0].Sender, Data: rows[0].Message[:]})
			wanted = append(wanted, values([]any{rows[0].Message}))
			rows = rows[1:]
		}
		out.Next = out.Items[len(out.Items)-1].Seq
	}
	found, err := messages.all(r, wanted)
	if err != nil {
		return api.Page{}, err
	}
	byID := make(map[[16]byte]messageRow, len(found))
	for _, m := range found {
		byID[m.ID] = m
	}
	for i := range out.Items {
		if it := &out.Items[i]; it.Reason == 0 {
			m := byID[[16]byte(it.Data)]
			it.Topic, it.Kind, it.Sender, it.At, it.Data = m.Topic, m.Kind, m.Sender, m.At, m.Data
		}
	}
	return out, nil
}

// Acknowledge removes items, by their numbers, from the device's mailbox: MaxAcknowledged at once. A device does so after its own
// commit. One that is not there is no error. A tombstone that has counted more since it was read has another number, and stays.
func (m *Mailboxes) Acknowledge(ctx context.Context, device api.DeviceID, seqs ...uint64) error {
	if len(seqs) > api.MaxAcknowledged {
		return fmt.Errorf("%w: %d items are acknowledged at once", api.ErrMalformed, api.MaxAcknowledged)
	}
	var keys []store.Key
	for _, s := range seqs {
		if s >= 1<<62 {
			return fmt.Errorf("%w: number of an item", api.ErrMalformed)
		}
		keys = append(keys, values([]any{device, s}))
	}
	return m.b.store.Update(ctx, func(tx store.Tx) error {
		if _, err := caller(tx, device); err != nil {
			return err
		}
		rows, err := items.all(tx, keys)
		if err != nil {
			return err
		}
		if err := settle(tx, rows); err != nil {
			return err
		}
		for _, s := range seqs {
			if slices.ContainsFunc(rows, func(r itemRow) bool { return r.Seq == s }) {
				continue
			}
			dead, err := tombstones.scan(tx, 1, "seq", device, s)
			if err != nil {
				return err
			}
			if err := tombstones.remove(tx, dead...); err != nil {
				return err
			}
		}
		return nil
	})
}

// settle removes items. It writes rows of the devices that they are of and of no other, so that devices which read the same
// message, or post to them meanwhile, do not wait for each other; Sweep removes messages that nobody waits for.
func settle(tx store.Tx, rows []itemRow) error {
	type lane struct {
		sender key.Address
		device api.DeviceID
	}
	sizes := make(map[lane]int64)
	var lanes []lane
	var done []settledRow
	var keys []store.Key
	for _, it := range rows {
		l := lane{it.Sender, it.Device}
		if sizes[l] == 0 {
			lanes, keys = append(lanes, l), append(keys, values([]any{it.Sender, it.Device}))
		}
		sizes[l] += it.Size
		done = append(done, settledRow{it.Message, it.Device})
	}
	if err := settled.insert(tx, done...); err != nil {
		return err
	}
	if err := items.remove(tx, rows...); err != nil {
		return err
	}
	before, err := freed.all(tx, keys)
	if err != nil {
		return err
	}
	for _, f := range before {
		sizes[lane{f.Sender, f.Device}] += f.Size
	}
	var now []freedRow
	for _, l := range lanes {
		now = append(now, freedRow{l.sender, l.device, sizes[l]})
	}
	return freed.put(tx, now...)
}
