package client_test

import (
	"bytes"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/relay/api"
)

// meddler is somebody between the devices and the relay, and on it: each page of a mailbox comes in another order, with some of its items
// twice, and to each frame a stranger posts others that look like it.
type meddler struct {
	*server
	stranger *person
	mu       sync.Mutex // guards what follows
	chance   *rand.Rand
	garbage  int // frames that were posted
	moved    int // items that came at another place
}

func (m *meddler) ServeHTTP(rw http.ResponseWriter, req *http.Request) {
	switch {
	case req.Method == http.MethodPost && req.URL.Path == "/v1/frames":
		body, err := io.ReadAll(req.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		req.Body = io.NopCloser(bytes.NewReader(body))
		m.posts(body)
		m.h.ServeHTTP(rw, req)
	case req.Method == http.MethodGet && req.URL.Path == "/v1/mailbox":
		answer := httptest.NewRecorder()
		m.h.ServeHTTP(answer, req)
		if answer.Code == http.StatusOK {
			m.permute(answer)
		}
		rw.Header().Set("Content-Type", answer.Header().Get("Content-Type"))
		rw.WriteHeader(answer.Code)
		rw.Write(answer.Body.Bytes())
	default:
		m.h.ServeHTTP(rw, req)
	}
}

// posts has the stranger post what a frame becomes when it is cut, when a bit of it is another one, and what never was one.
func (m *meddler) posts(body []byte) {
	var in struct {
		Topic string `json:"topic"`
		Data  []byte `json:"data"`
	}
	if err := json.Unmarshal(body, &in); err != nil || len(in.Data) == 0 {
		m.Errorf("a frame: %v", err)
		return
	}
	m.mu.Lock()
	at := m.chance.IntN(len(in.Data))
	flipped, noise := bytes.Clone(in.Data), make([]byte, at)
	flipped[at] ^= 1 << m.chance.IntN(8)
	for i := range noise {
		noise[i] = byte(m.chance.Uint32())
	}
	m.garbage += 3
	m.mu.Unlock()
	for _, data := range [][]byte{in.Data[:at], flipped, noise} {
		if _, err := m.relay.Mailboxes.Post(m.Context(), m.stranger.id, requestKey(), in.Topic, data); err != nil && m.Context().Err() == nil {
			m.Errorf("garbage: %v", err)
		}
	}
}

// permute changes the order of a page, and has some of its items twice.
func (m *meddler) permute(answer *httptest.ResponseRecorder) {
	var page api.Page
	if err := json.Unmarshal(answer.Body.Bytes(), &page); err != nil {
		m.Errorf("a page: %v", err)
		return
	}
	m.mu.Lock()
	for _, i := range m.chance.Perm(len(page.Items)) {
		if m.chance.IntN(3) == 0 {
			page.Items = append(page.Items, page.Items[i])
		}
	}
	m.chance.Shuffle(len(page.Items), func(i, j int) {
		page.Items[i], page.Items[j] = page.Items[j], page.Items[i]
		m.moved++
	})
	m.mu.Unlock()
	raw, err := json.Marshal(page)
	if err != nil {
		m.Errorf("a page: %v", err)
		return
	}
	answer.Body = bytes.NewBuffer(raw)
}

// Devices meet in a space and in a direct conversation although all that they receive comes in any order, some of it twice, and among
// frames of a stranger.
func TestGarbageAndPermutedFrames(t *testing.T) {
	onRelays(t, func(t *testing.T, w *server) {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		m := &meddler{server: w, stranger: w.person("stranger"), chance: rand.New(rand.NewPCG(seed, 0))}
		w.front(m)
		ann, bob := w.device("ann", nil), w.device("bob", nil)
		w.meet(ann, bob)
		m.mu.Lock()
		defer m.mu.Unlock()
		require.Positive(t, m.garbage)
		require.Positive(t, m.moved)
	})
}
