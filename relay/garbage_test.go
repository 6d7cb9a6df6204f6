package relay_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/relay/api"
	"github.com/trefoil-im/trefoil/relay/store"
)

// history makes a relay on which everything was done once that devices do, and returns it with one request of each kind, which
// can be made again.
func history(t testing.TB) (*world, map[string]asked) {
	w := newHTTPWorld(t, store.NewMemory())
	w.r.handler.keeps = true
	a, b := w.person(2), w.person(1)
	from, to, id := a.devices[0], b.devices[0], newConversation()
	must := func(_ any, err error) {
		t.Helper()
		require.NoError(t, err)
	}
	must(w.r.Directory.Lookup(w.ctx, a.address(), 1))
	must(w.r.Directory.Stock(w.ctx, to.id, nil, to.issue(2)))
	must(w.r.Directory.Claim(w.ctx, from.id, requestKey(), b.address()))
	must(w.r.Directory.Log(w.ctx))
	must(w.r.Directory.Leaves(w.ctx, 1, 1))
	must(w.r.Directory.Inclusion(w.ctx, 1, 2))
	must(w.r.Directory.Consistency(w.ctx, 1, 2))
	from.begin(from.proposal("text", id, api.Group, 0, a, b))
	must(w.r.Conversations.List(w.ctx, to.id, api.ConversationID{}, 5))
	must(w.r.Conversations.Get(w.ctx, to.id, id))
	must(w.r.Conversations.Initial(w.ctx, to.id, id, 1))
	request := to.asks(id, 1, from)
	_, _, err := w.r.Conversations.GetRequest(w.ctx, from.id, request)
	require.NoError(t, err)
	require.NoError(t, w.r.Conversations.Fulfil(w.ctx, from.id, request, from.seal("text", to)))
	require.NoError(t, w.r.Conversations.Leave(w.ctx, to.id, id))
	require.NoError(t, w.r.Mailboxes.Subscribe(w.ctx, to.id, "topic", "another"))
	require.NoError(t, w.r.Mailboxes.SubscribeMailboxes(w.ctx, to.id,
		api.MailboxProof{Mailbox: to.d.Bundle().Mailbox(), Signature: to.d.Sign(api.SubscribeProof(to.d.Mailbox(), to.id))}))
	from.post("topic", "frame")
	to.inbox()
	require.NoError(t, w.r.Mailboxes.Acknowledge(w.ctx, to.id, 1))
	require.NoError(t, w.r.Mailboxes.Unsubscribe(w.ctx, to.id, "another"))
	blob := []byte("a blob")
	address := api.BlobAddress(sha256.Sum256(blob))
	must(w.r.Blobs.Start(w.ctx, from.id, address, int64(len(blob))))
	must(w.r.Blobs.Append(w.ctx, from.id, address, 0, blob))
	_, _, err = w.r.Blobs.Read(w.ctx, to.id, address, 1)
	require.NoError(t, err)

	must(w.r.Directory.Delete(w.ctx, w.person(1).deletion()))

	each := make(map[string]asked)
	for _, q := range w.r.handler.asked {
		each[q.pattern] = q
	}
	w.r.handler.keeps = false
	login, err := to.login(w.r)
	require.NoError(t, err)
	body, err := json.Marshal(login)
	require.NoError(t, err)
	each["POST /v1/tokens"] = asked{"POST", "http://relay.test/v1/tokens", http.Header{"Content-Type": {"application/json"}}, body, ""}
	each["POST /v1/challenges"] = asked{"POST", "http://relay.test/v1/challenges", http.Header{"Content-Type": {"application/json"}},
		[]byte(`{"device":"` + to.id.String() + `"}`), ""}
	require.Len(t, each, 28, "there is one of each kind: but health, the description and the WebSocket")
	return w, each
}

// asksAnything makes a request. Whatever it is, the relay has no fault; and if it is refused, nothing has changed.
//
// It is given what is stored before, and returns what is then.
func (w *world) asksAnything(q asked, before string) (after string, status int) {
	answer := w.r.handler.do(w.ctx, q)
	if answer.Code >= 500 {
		w.t.Fatalf("%s %s answers %d: %s\n%.500q", q.method, q.url, answer.Code, answer.Body, q.body)
	}
	if answer.Code >= 400 && answer.Header().Get("Content-Type") != "application/problem+json" {
		w.t.Fatalf("%s %s answers no problem but %q", q.method, q.url, answer.Body)
	}
	after = w.dump()
	if answer.Code >= 400 && after != before {
		w.t.Fatalf("%s %s was refused and has changed something\n%.500q", q.method, q.url, q.body)
	}
	return after, answer.Code
}

// Requests that are cut, changed, taken apart and put together otherwise are refused whole or carried out whole.
func TestGarbage(t *testing.T) {
	w, each := history(t)
	const seed = 7
	chance := rand.New(rand.NewPCG(seed, seed))
	for _, pattern := range slices.Sorted(maps.Keys(each)) {
		good, before := each[pattern], w.dump()
		try := func(change func(*asked)) int {
			q := good
			q.body, q.header = bytes.Clone(q.body), q.header.Clone()
			change(&q)
			var status int
			before, status = w.asksAnything(q, before)
			return status
		}
		refuse := func(what string, change func(*asked)) {
			status := try(change)
			require.True(t, status >= 400, "%s: %s is answered with %d", pattern, what, status)
		}
		refuse("an unknown parameter", func(q *asked) {
			u, err := url.Parse(q.url)
			require.NoError(t, err)
			query := u.Query()
			query.Set("more", "1")
			u.RawQuery = query.Encode()
			q.url = u.String()
		})
		refuse("another version", func(q *asked) { q.header.Set("Relay-Version", "0") })
		if good.header.Get("Content-Type") != "application/json" {
			continue
		}
		refuse("another type", func(q *asked) { q.header.Set("Content-Type", "text/plain") })
		refuse("a second value", func(q *asked) { q.body = append(q.body, q.body...) })
		refuse("an array", func(q *asked) { q.body = []byte("[" + string(q.body) + "]") })
		refuse("null", func(q *asked) { q.body = []byte("null") })
		refuse("another encoding", func(q *asked) { q.body = append(q.body[:1:1], "\"\xff\":1,"+string(q.body[1:])...) })
		refuse("all names twice", func(q *asked) {
			inner := strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(string(q.body)), "{"), "}")
			q.body = []byte("{" + inner + "," + inner + "}")
		})
		refuse("a name in capitals", func(q *asked) {
			name, rest, _ := strings.Cut(string(q.body[2:]), `"`)
			q.body = []byte(`{"` + strings.ToUpper(name) + `"` + rest)
		})
		refuse("an unknown field", func(q *asked) { q.body = append(q.body[:1:1], `"more":1,`+string(q.body[1:])...) })
		for range 12 {
			cut := chance.IntN(len(good.body))
			refuse("a cut body", func(q *asked) { q.body = q.body[:cut] })
			try(func(q *asked) { q.body[cut] ^= 1 << chance.IntN(8) })
			try(func(q *asked) { q.body[cut], q.body[len(q.body)-1-cut] = q.body[len(q.body)-1-cut], q.body[cut] })
		}
		var fields map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(good.body, &fields))
		for name := range maps.Keys(maps.Clone(fields)) {
			for _, other := range []string{"", "null", `""`, "0", "-1", "4611686018427387904", "[]", "{}", `"` + strings.Repeat("0", 64) + `"`} {
				try(func(q *asked) {
					changed := maps.Clone(fields)
					if delete(changed, name); other != "" {
						changed[name] = json.RawMessage(other)
					}
					body, err := json.Marshal(changed)
					require.NoError(t, err)
					q.body = body
				})
			}
		}
	}
}

// FuzzRequests: whatever comes, the relay has no fault, and what it refuses has changed nothing.
func FuzzRequests(f *testing.F) {
	w, each := history(f)
	var all []asked
	for _, pattern := range slices.Sorted(maps.Keys(each)) {
		q := each[pattern]
		f.Add(uint8(len(all)), strings.TrimPrefix(q.url, "http://relay.test"), q.body)
		all = append(all, q)
	}
	f.Fuzz(func(t *testing.T, n uint8, address string, body []byte) {
		q := all[int(n)%len(all)]
		if u, err := url.ParseRequestURI("http://relay.test" + address); err != nil || !strings.HasPrefix(address, "/") || strings.ContainsAny(u.String(), " \t\r\n") {
			return // no server would hand it on
		} else {
			q.url = u.String()
		}
		q.body, w.t = body, t
		w.asksAnything(q, w.dump())
	})
}
