package relay_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/relay"
	"github.com/trefoil-im/trefoil/relay/api"
	"github.com/trefoil-im/trefoil/relay/client"
	"github.com/trefoil-im/trefoil/relay/httprelay"
	"github.com/trefoil-im/trefoil/relay/relaytest"
)

// service is a relay as the tests call it: its methods, or the same through the client and the handler.
type service struct {
	*relay.Relay  // what devices do not call
	Directory     directoryCalls
	Conversations conversationCalls
	Mailboxes     mailboxCalls
	Blobs         blobCalls
	handler       *recorder // nil without a network
}

type directoryCalls interface {
	Publish(context.Context, api.Publication) (api.Published, error)
	Delete(context.Context, api.Deletion) (api.Published, error)
	Lookup(context.Context, key.Address, uint64) (api.Person, error)
	Stock(context.Context, api.DeviceID, []byte, [][]byte) (int, error)
	Claim(context.Context, api.DeviceID, api.RequestKey, key.Address, ...[]byte) ([]api.Claimed, error)
	Log(context.Context) (api.LogHead, error)
	Leaves(context.Context, uint64, int) ([]api.Leaf, error)
	Inclusion(context.Context, uint64, uint64) ([]api.Hash, error)
	Consistency(context.Context, uint64, uint64) ([]api.Hash, error)
}

type conversationCalls interface {
	Begin(context.Context, api.DeviceID, api.Proposal) (api.Begun, error)
	Get(context.Context, api.DeviceID, api.ConversationID) (api.Conversation, error)
	List(context.Context, api.DeviceID, api.ConversationID, int) ([]api.ConversationID, error)
	Leave(context.Context, api.DeviceID, api.ConversationID) error
	Initial(context.Context, api.DeviceID, api.ConversationID, uint64) (api.Initial, error)
	Request(context.Context, api.DeviceID, api.KeyRequest) (api.RequestID, error)
	GetRequest(context.Context, api.DeviceID, api.RequestID) (api.KeyRequest, bool, error)
	Fulfil(context.Context, api.DeviceID, api.RequestID, api.Envelope) error
}

type mailboxCalls interface {
	Subscribe(context.Context, api.DeviceID, ...string) error
	SubscribeMailboxes(context.Context, api.DeviceID, ...api.MailboxProof) error
	Unsubscribe(context.Context, api.DeviceID, string) error
	Post(context.Context, api.DeviceID, api.RequestKey, string, []byte) (api.Posted, error)
	Page(context.Context, api.DeviceID, uint64, int) (api.Page, error)
	Acknowledge(context.Context, api.DeviceID, ...uint64) error
}

type blobCalls interface {
	Start(context.Context, api.DeviceID, api.BlobAddress, int64) (int64, error)
	Append(context.Context, api.DeviceID, api.BlobAddress, int64, []byte) (int64, error)
	Read(context.Context, api.DeviceID, api.BlobAddress, int64) ([]byte, int64, error)
}

// direct is a relay that is called without a network.
func direct(r *relay.Relay) *service {
	return &service{r, r.Directory, r.Conversations, r.Mailboxes, r.Blobs, nil}
}

// overHTTP is a relay that is called through its handler, by the client.
func overHTTP(tb testing.TB, r *relay.Relay) *service {
	h := &recorder{Handler: httprelay.New(r, httprelay.Options{
		Requests: 1 << 20, // a test makes as many at once as it likes; what is too many, package httprelay tests
		Authenticate: func(req *http.Request) (id api.DeviceID, err error) {
			err = id.UnmarshalText([]byte(req.Header.Get("Device")))
			return id, err
		},
	})}
	as := func(device api.DeviceID) *client.Client {
		c, err := client.New(client.Options{URL: "http://relay.test", HTTP: &http.Client{Transport: inProcess{h}},
			Authorize: func(req *http.Request) error {
				req.Header.Set("Device", device.String())
				return nil
			}})
		require.NoError(tb, err)
		return c
	}
	return &service{r, httpDirectory{as(api.DeviceID{}).Directory, as}, httpConversations{as}, httpMailboxes{as}, httpBlobs{as}, h}
}

// recorder is a handler that keeps what it was asked.
type recorder struct {
	http.Handler
	keeps bool
	mu    sync.Mutex
	asked []asked
}

// asked is a request.
type asked struct {
	method, url string
	header      http.Header
	body        []byte
	pattern     string // of the route
}

// do makes the request, and returns the answer.
func (r *recorder) do(ctx context.Context, q asked) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	in := httptest.NewRequestWithContext(ctx, q.method, q.url, bytes.NewReader(q.body))
	in.Header = q.header.Clone()
	r.ServeHTTP(w, in)
	r.mu.Lock()
	defer r.mu.Unlock()
	if q.pattern = in.Pattern; r.keeps {
		r.asked = append(r.asked, q)
	}
	return w
}

// inProcess carries requests to a handler, which sees them as they would come over a network.
type inProcess struct{ *recorder }

func (t inProcess) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	return t.do(req.Context(), asked{method: req.Method, url: req.URL.String(), header: req.Header, body: body}).Result(), nil
}

// requireFault requires that an error is that of a write that was made to fail, or what a device is told of it.
func requireFault(tb testing.TB, err error, message ...any) {
	tb.Helper()
	require.True(tb, errors.Is(err, relaytest.ErrFault) || errors.Is(err, client.ErrUnavailable), append([]any{err}, message...)...)
}

type caller func(api.DeviceID) *client.Client

type httpDirectory struct {
	*client.Directory
	as caller
}

func (d httpDirectory) Stock(ctx context.Context, by api.DeviceID, bundle []byte, keys [][]byte) (int, error) {
	return d.as(by).Directory.Stock(ctx, bundle, keys)
}

func (d httpDirectory) Claim(ctx context.Context, by api.DeviceID, k api.RequestKey, who key.Address, of ...[]byte) ([]api.Claimed, error) {
	return d.as(by).Directory.Claim(ctx, k, who, of...)
}

type httpConversations struct{ as caller }

func (v httpConversations) Begin(ctx context.Context, by api.DeviceID, p api.Proposal) (api.Begun, error) {
	return v.as(by).Conversations.Begin(ctx, p)
}

func (v httpConversations) Get(ctx context.Context, by api.DeviceID, id api.ConversationID) (api.Conversation, error) {
	return v.as(by).Conversations.Get(ctx, id)
}

func (v httpConversations) List(ctx context.Context, by api.DeviceID, after api.ConversationID, limit int) ([]api.ConversationID, error) {
	return v.as(by).Conversations.List(ctx, after, limit)
}

func (v httpConversations) Leave(ctx context.Context, by api.DeviceID, id api.ConversationID) error {
	return v.as(by).Conversations.Leave(ctx, id)
}

func (v httpConversations) Initial(ctx context.Context, by api.DeviceID, id api.ConversationID, n uint64) (api.Initial, error) {
	return v.as(by).Conversations.Initial(ctx, id, n)
}

func (v httpConversations) Request(ctx context.Context, by api.DeviceID, q api.KeyRequest) (api.RequestID, error) {
	return v.as(by).Conversations.Request(ctx, q)
}

func (v httpConversations) GetRequest(ctx context.Context, by api.DeviceID, id api.RequestID) (api.KeyRequest, bool, error) {
	return v.as(by).Conversations.GetRequest(ctx, id)
}

func (v httpConversations) Fulfil(ctx context.Context, by api.DeviceID, id api.RequestID, e api.Envelope) error {
	return v.as(by).Conversations.Fulfil(ctx, id, e)
}

type httpMailboxes struct{ as caller }

func (m httpMailboxes) Subscribe(ctx context.Context, by api.DeviceID, topics ...string) error {
	return m.as(by).Mailboxes.Subscribe(ctx, topics...)
}

func (m httpMailboxes) SubscribeMailboxes(ctx context.Context, by api.DeviceID, proofs ...api.MailboxProof) error {
	return m.as(by).Mailboxes.SubscribeMailboxes(ctx, proofs...)
}

func (m httpMailboxes) Unsubscribe(ctx context.Context, by api.DeviceID, topic string) error {
	return m.as(by).Mailboxes.Unsubscribe(ctx, topic)
}

func (m httpMailboxes) Post(ctx context.Context, by api.DeviceID, k api.RequestKey, topic string, frame []byte) (api.Posted, error) {
	return m.as(by).Mailboxes.Post(ctx, k, topic, frame)
}

func (m httpMailboxes) Page(ctx context.Context, by api.DeviceID, after uint64, size int) (api.Page, error) {
	return m.as(by).Mailboxes.Page(ctx, after, size)
}

func (m httpMailboxes) Acknowledge(ctx context.Context, by api.DeviceID, seqs ...uint64) error {
	return m.as(by).Mailboxes.Acknowledge(ctx, seqs...)
}

type httpBlobs struct{ as caller }

func (b httpBlobs) Start(ctx context.Context, by api.DeviceID, a api.BlobAddress, size int64) (int64, error) {
	return b.as(by).Blobs.Start(ctx, a, size)
}

func (b httpBlobs) Append(ctx context.Context, by api.DeviceID, a api.BlobAddress, start int64, data []byte) (int64, error) {
	return b.as(by).Blobs.Append(ctx, a, start, data)
}

func (b httpBlobs) Read(ctx context.Context, by api.DeviceID, a api.BlobAddress, start int64) ([]byte, int64, error) {
	return b.as(by).Blobs.Read(ctx, a, start)
}
