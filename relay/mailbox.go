package relay

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"

	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/relay/api"
	"github.com/trefoil-im/trefoil/relay/store"
)

// Mailboxes is one ordered queue for each device, and the topics that fill them.
type Mailboxes struct{ b base }

type mailboxRow struct {
	Device api.DeviceID
	Last   uint64 // the number that was given last
	Topics int64  // to which the device subscribes
}

type subscriptionRow struct {
	Topic  string
	Device api.DeviceID
}

type messageRow struct {
	ID     [16]byte
	Kind   api.MessageKind
	Topic  string
	Sender api.DeviceID
	Key    api.RequestKey
	At     int64
	Data   []byte
}

type itemRow struct {
	Device  api.DeviceID
	Seq     uint64
	Message [16]byte
	Kind    api.MessageKind // of the message, like Topic: so that Unsubscribe need not read messages
	Topic   string
	Sender  key.Address
	Size    int64
}

type tombstoneRow struct {
	Device api.DeviceID
	Topic  string
	Reason api.Reason
	Seq    uint64
	Count  uint64
}

type settledRow struct {
	Message [16]byte
	Device  api.DeviceID
}

// usageRow is how much a person has put into a mailbox. Only those who post change it.
type usageRow struct {
	Sender key.Address
	Device api.DeviceID
	Size   int64
}

// freedRow is how much of it the device is done with and usageRow counts still. So who acknowledges changes no row that others do.
type freedRow struct {
	Sender key.Address
	Device api.DeviceID
	Size   int64
}

func (r *mailboxRow) fields() []any      { return []any{&r.Device, &r.Last, &r.Topics} }
func (r *subscriptionRow) fields() []any { return []any{&r.Topic, &r.Device} }
func (r *settledRow) fields() []any      { return []any{&r.Message, &r.Device} }
func (r *usageRow) fields() []any        { return []any{&r.Sender, &r.Device, &r.Size} }
func (r *freedRow) fields() []any        { return []any{&r.Sender, &r.Device, &r.Size} }
func (r *tombstoneRow) fields() []any    { return []any{&r.Device, &r.Topic, &r.Reason, &r.Seq, &r.Count} }
func (r *itemRow) fields() []any {
	return []any{&r.Device, &r.Seq, &r.Message, &r.Kind, &r.Topic, &r.Sender, &r.Size}
}
func (r *messageRow) fields() []any {
	return []any{&r.ID, &r.Kind, &r.Topic, &r.Sender, &r.Key, &r.At, &r.Data}
}

var (
	mailboxes     = table[mailboxRow, *mailboxRow]{store.Mailboxes}
	subscriptions = table[subscriptionRow, *subscriptionRow]{store.Subscriptions}
	messages      = table[messageRow, *messageRow]{store.Messages}
	items         = table[itemRow, *itemRow]{store.Items}
	tombstones    = table[tombstoneRow, *tombstoneRow]{store.Tombstones}
	settled       = table[settledRow, *settledRow]{store.Settled}
	usage         = table[usageRow, *usageRow]{store.Usage}
	freed         = table[freedRow, *freedRow]{store.Freed}
)

// Subscribe lets a device have what is posted to some topics from now on: to all of them, or to none and it returns an error. A
// topic has 1 to MaxTopic bytes, and knowing it is enough. Up to MaxSubscribed are given at once. Subscribing again is no error.
// It returns ErrForbidden for the address of a mailbox, to which SubscribeMailboxes subscribes; ErrQuota after MaxTopics topics
// of the device, or MaxSubscribers of a topic.
func (m *Mailboxes) Subscribe(ctx context.Context, device api.DeviceID, topics ...string) error {
	if len(topics) > api.MaxSubscribed {
		return fmt.Errorf("%w: up to %d topics are subscribed to at once", api.ErrMalformed, api.MaxSubscribed)
	}
	for _, topic := range topics {
		if err := checkTopic(topic); err != nil {
			return err
		}
		if _, err := key.ParseAddress(topic); err == nil {
			return fmt.Errorf("%w: the address of a mailbox", api.ErrForbidden)
		}
	}
	return m.subscribe(ctx, device, topics...)
}

// SubscribeMailboxes is Subscribe for the addresses of mailboxes, each with a signature of SubscribeProof by its key, up to
// MaxMailboxProofs at once. A device has subscribed to the mailbox in its registration already.
func (m *Mailboxes) SubscribeMailboxes(ctx context.Context, device api.DeviceID, proofs ...api.MailboxProof) error {
	if len(proofs) > api.MaxMailboxProofs {
		return fmt.Errorf("%w: up to %d mailboxes are subscribed to at once", api.ErrMalformed, api.MaxMailboxProofs)
	}
	var topics []string
	for _, p := range proofs {
		address := p.Mailbox.Address()
		if err := p.Mailbox.VerifyStatement(api.SubscribeProof(address, device), p.Signature); err != nil {
			return api.Malformed(err)
		}
		topics = append(topics, address.String())
	}
	return m.subscribe(ctx, device, topics...)
}

func checkTopic(topic string) error {
	if topic == "" || len(topic) > api.MaxTopic {
		return fmt.Errorf("%w: a topic has 1 to %d bytes", api.ErrMalformed, api.MaxTopic)
	}
	return nil
}

func (m *Mailboxes) subscribe(ctx context.Context, device api.DeviceID, topics ...string) error {
	return m.b.store.Update(ctx, func(tx store.Tx) error {
		if _, err := caller(tx, device); err != nil {
			return err
		}
		for _, topic := range topics {
			if err := addSubscription(tx, topic, device); err != nil {
				return err
			}
		}
		return nil
	})
}

// addSubscription writes a subscription unless it is there.
func addSubscription(tx store.Tx, topic string, device api.DeviceID) error {
	if _, found, err := subscriptions.get(tx, topic, device); err != nil || found {
		return err
	}
	box, _, err := mailboxes.get(tx, device)
	if err != nil {
		return err
	}
	others, err := subscriptions.scan(tx, api.MaxSubscribers, "", topic)
	if err != nil {
		return err
	}
	if box.Topics >= api.MaxTopics || len(others) >= api.MaxSubscribers {
		return fmt.Errorf("%w: subscriptions", api.ErrQuota)
	}
	box.Topics++
	if err := mailboxes.put(tx, box); err != nil {
		return err
	}
	return subscriptions.insert(tx, subscriptionRow{topic, device})
}

// Unsubscribe ends a subscription and removes the frames that came by it from the mailbox. If there is none, that is no error.
func (m *Mailboxes) Unsubscribe(ctx context.Context, device api.DeviceID, topic string) error {
	if err := checkTopic(topic); err != nil {
		return err
	}
	return m.b.store.Update(ctx, func(tx store.Tx) error {
		if _, err := caller(tx, device); err != nil {
			return err
		}
		row, found, err := subscriptions.get(tx, topic, device)
		if err != nil || !found {
			return err
		}
		box, _, err := mailboxes.get(tx, device)
		if err != nil {
			return err
		}
		box.Topics--
		if err := mailboxes.put(tx, box); err != nil {
			return err
		}
		if err := subscriptions.remove(tx, row); err != nil {
			return err
		}
		return dropFrames(tx, device, topic)
	})
}

// dropFrames removes the frames of a topic from a device's mailbox. Notices of a conversation that has the name of the topic stay:
// they came by no subscription.
func dropFrames(tx store.Tx, device api.DeviceID, topic string) error {
	for after := uint64(0); ; {
		rows, err := items.after(tx, batch, "", store.Key{device}, store.Key{after})
		if err != nil || len(rows) == 0 {
			return err
		}
		after = rows[len(rows)-1].Seq
		rows = slices.DeleteFunc(rows, func(it itemRow) bool { return it.Kind != api.Frame || it.Topic != topic })
		if err := settle(tx, rows); err != nil {
			return err
		}
	}
}

// Post stores a frame of up to MaxFrame bytes for every device that subscribes to a topic but the one that posts. When it
// returns the frame is durable for all of them. The same key again, while the frame is kept, stores nothing more and returns
// the zero Posted; later it stores the frame again, and devices that read it know it.
//
// Post never waits for another device. For one whose mailbox has the share of the sender's person, the frame is counted in a
// tombstone instead; see Options.Share.
func (m *Mailboxes) Post(ctx context.Context, device api.DeviceID, k api.RequestKey, topic string, frame []byte) (out api.Posted, err error) {
	if err := checkTopic(topic); err != nil {
		return api.Posted{}, err
	}
	if len(frame) > api.MaxFrame || k == (api.RequestKey{}) {
		return api.Posted{}, fmt.Errorf("%w: a frame has up to %d bytes and a key", api.ErrMalformed, api.MaxFrame)
	}
	row := messageRow{Kind: api.Frame, Topic: topic, Sender: device, Key: k, Data: frame}
	rand.Read(row.ID[:])
	post := func(again bool) error {
		return m.b.store.Update(ctx, func(tx store.Tx) error {
			out, err = m.b.post(tx, row, again)
			return err
		})
	}
	// Whether it is there is looked for only if it may be. On PostgreSQL who looks where nothing is, is in conflict with all who add a row
	// beside it.
	if err = post(false); errors.Is(err, store.ErrExists) || errors.Is(err, errNotStored) {
		err = post(true)
	}
	if err != nil {
		return api.Posted{}, err
	}
	return out, nil
}

// errNotStored ends the transaction of a frame that no mailbox has room for, which may have been stored before.
var errNotStored = errors.New("relay: stored nowhere")

// post stores a frame. Again says that it may have been stored before.
func (b base) post(tx store.Tx, row messageRow, again bool) (api.Posted, error) {
	by, err := caller(tx, row.Sender)
	if err != nil {
		return api.Posted{}, err
	}
	if again {
		if before, err := messages.scan(tx, 1, "once", row.Sender, row.Key); err != nil || len(before) > 0 {
			if err == nil && (before[0].Topic != row.Topic || string(before[0].Data) != string(row.Data)) {
				err = fmt.Errorf("%w: key of a request", api.ErrReused)
			}
			return api.Posted{}, err
		}
	}
	all, err := subscriptions.scan(tx, api.MaxSubscribers, "", row.Topic)
	if err != nil {
		return api.Posted{}, err
	}
	var targets []api.DeviceID
	for _, s := range all {
		if s.Device != row.Sender {
			targets = append(targets, s.Device)
		}
	}
	row.At = b.now()
	out, err := b.enqueue(tx, row, by, targets)
	if err == nil && !again && out.Stored == 0 && out.Full > 0 {
		err = errNotStored
	}
	return out, err
}

// enqueue stores a message, and an item or a tombstone for each target.
func (b base) enqueue(tx store.Tx, m messageRow, by deviceRow, targets []api.DeviceID) (api.Posted, error) {
	if len(targets) == 0 {
		return api.Posted{}, nil
	}
	var boxKeys, usageKeys []store.Key
	for _, d := range targets {
		boxKeys = append(boxKeys, values([]any{d}))
		usageKeys = append(usageKeys, values([]any{by.Person, d}))
	}
	boxes, err := mailboxes.all(tx, boxKeys)
	if err != nil {
		return api.Posted{}, err
	}
	used, err := usage.all(tx, usageKeys)
	if err != nil {
		return api.Posted{}, err
	}
	uses := make(map[api.DeviceID]int64, len(used))
	for _, u := range used {
		uses[u.Device] = u.Size
	}
	size := int64(len(m.Data)) + itemOverhead
	var queued []itemRow
	var now []usageRow
	for i, box := range boxes {
		boxes[i].Last++
		if uses[box.Device]+size > b.o.Share {
			if uses[box.Device], err = reclaim(tx, usageRow{by.Person, box.Device, uses[box.Device]}); err != nil {
				return api.Posted{}, err
			}
		}
		if uses[box.Device]+size > b.o.Share {
			if err := bury(tx, tombstoneRow{box.Device, m.Topic, api.Full, box.Last + 1, 1}); err != nil {
				return api.Posted{}, err
			}
			continue
		}
		queued = append(queued, itemRow{box.Device, box.Last + 1, m.ID, m.Kind, m.Topic, by.Person, size})
		now = append(now, usageRow{by.Person, box.Device, uses[box.Device] + size})
	}
	if len(queued) > 0 {
		err = messages.insert(tx, m)
	}
	if err == nil {
		err = mailboxes.put(tx, boxes...)
	}
	if err == nil {
		err = items.insert(tx, queued...)
	}
	if err == nil {
		err = usage.put(tx, now...)
	}
	return api.Posted{Stored: len(queued), Full: len(boxes) - len(queued)}, err
}

// reclaim takes what was freed off a usage, and returns what is left of it.
func reclaim(tx store.Tx, u usageRow) (int64, error) {
	free, found, err := freed.get(tx, u.Sender, u.Device)
	if err != nil || !found {
		return u.Size, err
	}
	if err := freed.remove(tx, free); err != nil {
		return 0, err
	}
	if u.Size -= free.Size; u.Size == 0 {
		return 0, usage.remove(tx, u)
	}
	return u.Size, usage.put(tx, u)
}

// bury counts in a tombstone. The number of the tombstone becomes the new one, so that who read it before does not acknowledge
// what it has not read.
func bury(tx store.Tx, t tombstoneRow) error {
	before, found, err := tombstones.get(tx, t.Device, t.Topic, t.Reason)
	if err != nil {
		return err
	}
	if found {
		t.Count += before.Count
		t.Seq = max(t.Seq, before.Seq)
	}
	return tombstones.put(tx, t)
}
