package client

import (
	"context"
	"fmt"
	"unicode/utf8"

	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/relay/api"
	"github.com/trefoil-im/trefoil/relay/internal/httpapi"
)

// Directory is the relay's directory: see relay.Directory, whose methods these are for this device.
type Directory struct{ c *Client }

// Publish registers a person, or replaces its registration. It needs no login: the person has signed it.
func (d *Directory) Publish(ctx context.Context, p api.Publication) (api.Published, error) {
	return call(ctx, d.c, httpapi.Publish, p)
}

// Delete takes a person out of the directory for good. It needs no login: the person has signed it.
func (d *Directory) Delete(ctx context.Context, in api.Deletion) (api.Published, error) {
	return call(ctx, d.c, httpapi.Delete, in)
}

// Lookup returns what the directory knows of a person, and what changed since a version; 0 for none. What it answers is not
// verified: see directory.ParseRegistration, and api.Deletion.Verify for a person that was deleted.
func (d *Directory) Lookup(ctx context.Context, person key.Address, known uint64) (api.Person, error) {
	return call(ctx, d.c, httpapi.Lookup, httpapi.LookupRequest{Address: person, Known: known})
}

// Stock publishes pre-keys of this device, and returns how many one-time pre-keys are unclaimed.
func (d *Directory) Stock(ctx context.Context, bundle []byte, oneTime [][]byte) (unclaimed int, err error) {
	out, err := call(ctx, d.c, httpapi.Stock, httpapi.StockRequest{Bundle: bundle, OneTime: oneTime})
	return out.Unclaimed, err
}

// Claim returns what sessions with the devices of a person are begun with: with all, or with those that have one of the identity keys.
func (d *Directory) Claim(ctx context.Context, k api.RequestKey, person key.Address, identities ...[]byte) ([]api.Claimed, error) {
	out, err := call(ctx, d.c, httpapi.Claim, httpapi.ClaimRequest{Key: k, Person: person, Identities: identities})
	return out.Claimed, err
}

// Log returns the head of the log of publications.
func (d *Directory) Log(ctx context.Context) (api.LogHead, error) {
	return call(ctx, d.c, httpapi.Log, struct{}{})
}

// Leaves returns entries of the log, from one on: up to 1,000.
func (d *Directory) Leaves(ctx context.Context, from uint64, limit int) ([]api.Leaf, error) {
	out, err := call(ctx, d.c, httpapi.Leaves, httpapi.LeavesRequest{From: from, Limit: int64(limit)})
	return out.Leaves, err
}

// Inclusion returns the proof that a leaf is in the log of a size.
func (d *Directory) Inclusion(ctx context.Context, leaf, size uint64) ([]api.Hash, error) {
	out, err := call(ctx, d.c, httpapi.Inclusion, httpapi.InclusionRequest{Leaf: leaf, Size: size})
	return out.Proof, err
}

// Consistency returns the proof that the log of a size begins with the older one.
func (d *Directory) Consistency(ctx context.Context, older, size uint64) ([]api.Hash, error) {
	out, err := call(ctx, d.c, httpapi.Consistency, httpapi.ConsistencyRequest{Older: older, Size: size})
	return out.Proof, err
}

// Conversations is the relay's conversations: see relay.Conversations, whose methods these are for this device.
type Conversations struct{ c *Client }

// Begin begins the next session of a conversation.
func (v *Conversations) Begin(ctx context.Context, p api.Proposal) (api.Begun, error) {
	return call(ctx, v.c, httpapi.Begin, p)
}

// Get returns a conversation.
func (v *Conversations) Get(ctx context.Context, id api.ConversationID) (api.Conversation, error) {
	return call(ctx, v.c, httpapi.Get, httpapi.ConversationRequest{ID: id})
}

// List returns conversations of the device's person above one: up to 1,000.
func (v *Conversations) List(ctx context.Context, after api.ConversationID, limit int) ([]api.ConversationID, error) {
	out, err := call(ctx, v.c, httpapi.List, httpapi.ListRequest{After: after, Limit: int64(limit)})
	return out.Conversations, err
}

// Leave asks to be left out of the next session.
func (v *Conversations) Leave(ctx context.Context, id api.ConversationID) error {
	_, err := call(ctx, v.c, httpapi.Leave, httpapi.ConversationRequest{ID: id})
	return err
}

// Initial returns what this device needs to take part in a session.
func (v *Conversations) Initial(ctx context.Context, id api.ConversationID, number uint64) (api.Initial, error) {
	return call(ctx, v.c, httpapi.Initial, httpapi.InitialRequest{ID: id, Number: number})
}

// Request asks another device for an envelope.
func (v *Conversations) Request(ctx context.Context, q api.KeyRequest) (api.RequestID, error) {
	out, err := call(ctx, v.c, httpapi.AskKey, q)
	return out.ID, err
}

// GetRequest returns a key request that this device made or is asked by.
func (v *Conversations) GetRequest(ctx context.Context, id api.RequestID) (q api.KeyRequest, answered bool, err error) {
	out, err := call(ctx, v.c, httpapi.GetRequest, httpapi.KeyRequestRequest{ID: id})
	return out.Request, out.Answered, err
}

// Fulfil answers a key request.
func (v *Conversations) Fulfil(ctx context.Context, id api.RequestID, e api.Envelope) error {
	_, err := call(ctx, v.c, httpapi.Fulfil, httpapi.FulfilRequest{ID: id, Envelope: e})
	return err
}

// Mailboxes is the device's mailbox and the topics that fill it: see relay.Mailboxes, whose methods these are for this device. A
// trefoil.Client uses the Client itself.
type Mailboxes struct{ c *Client }

// Subscribe subscribes to topics, each of which is UTF-8.
func (m *Mailboxes) Subscribe(ctx context.Context, topics ...string) error {
	for _, topic := range topics {
		if err := checkTopic(topic); err != nil {
			return err
		}
	}
	_, err := call(ctx, m.c, httpapi.Subscribe, httpapi.SubscribeRequest{Topics: topics})
	return err
}

// checkTopic refuses what JSON would change.
func checkTopic(topic string) error {
	if topic == "" || len(topic) > api.MaxTopic || !utf8.ValidString(topic) {
		return fmt.Errorf("%w: a topic has 1 to %d bytes of UTF-8", api.ErrMalformed, api.MaxTopic)
	}
	return nil
}

// SubscribeMailboxes subscribes to the addresses of mailboxes.
func (m *Mailboxes) SubscribeMailboxes(ctx context.Context, proofs ...api.MailboxProof) error {
	_, err := call(ctx, m.c, httpapi.SubscribeMailboxes, httpapi.SubscribeMailboxesRequest{Mailboxes: proofs})
	return err
}

// Unsubscribe ends a subscription and drops what came by it.
func (m *Mailboxes) Unsubscribe(ctx context.Context, topic string) error {
	if err := checkTopic(topic); err != nil {
		return err
	}
	_, err := call(ctx, m.c, httpapi.Unsubscribe, httpapi.UnsubscribeRequest{Topic: topic})
	return err
}

// Post stores a frame for every subscriber of a topic.
func (m *Mailboxes) Post(ctx context.Context, k api.RequestKey, topic string, frame []byte) (api.Posted, error) {
	if err := checkTopic(topic); err != nil {
		return api.Posted{}, err
	}
	return call(ctx, m.c, httpapi.Post, httpapi.PostRequest{Key: k, Topic: topic, Data: frame})
}

// Page returns what is in the mailbox above a place, 0 for all: at most size bytes, which is brought into the range from 1 to
// api.MaxPage, but one item at least if there is any.
func (m *Mailboxes) Page(ctx context.Context, after uint64, size int) (api.Page, error) {
	return call(ctx, m.c, httpapi.Page, httpapi.PageRequest{After: after, Size: int64(size)})
}

// Acknowledge removes items from the mailbox.
func (m *Mailboxes) Acknowledge(ctx context.Context, seqs ...uint64) error {
	_, err := call(ctx, m.c, httpapi.Acknowledge, httpapi.AcknowledgeRequest{Seqs: seqs})
	return err
}

// Blobs is the relay's blobs: see relay.Blobs, whose methods these are for this device.
type Blobs struct{ c *Client }

// Start begins the upload of a blob, or goes on with one, and returns how many bytes were received.
func (b *Blobs) Start(ctx context.Context, address api.BlobAddress, size int64) (received int64, err error) {
	out, err := call(ctx, b.c, httpapi.StartBlob, httpapi.StartBlobRequest{Address: address, Size: size})
	return out.Received, err
}

// Append adds a piece of api.ChunkSize bytes, or the last one, and returns how many bytes were received.
func (b *Blobs) Append(ctx context.Context, address api.BlobAddress, start int64, data []byte) (received int64, err error) {
	out, err := call(ctx, b.c, httpapi.AppendBlob, httpapi.AppendBlobRequest{Address: address, Start: start, Data: data})
	return out.Received, err
}

// Read returns bytes of a blob from a place on, up to the end of a piece, and the size of the blob.
func (b *Blobs) Read(ctx context.Context, address api.BlobAddress, start int64) (data []byte, size int64, err error) {
	out, err := call(ctx, b.c, httpapi.ReadBlob, httpapi.ReadBlobRequest{Address: address, Start: start})
	return out.Data, out.Size, err
}
