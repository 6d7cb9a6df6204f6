package client_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil"
	"github.com/trefoil-im/trefoil/relay/client"
	"github.com/trefoil-im/trefoil/relay/httprelay"
	"github.com/trefoil-im/trefoil/relay/store"
	"github.com/trefoil-im/trefoil/transporttest"
)

// The client keeps the contract of a transport, on the real handler, with a store in memory and in SQLite, with wakes and without.
func TestTransport(t *testing.T) {
	inMemory := func(testing.TB) store.Store { return store.NewMemory() }
	for _, c := range []struct {
		name   string
		open   func(testing.TB) store.Store
		change func(*client.Options)
	}{
		{"memory", inMemory, nil},
		{"memory without wakes", inMemory, func(o *client.Options) { o.NoPush, o.Poll = true, 10*time.Millisecond }},
		{"SQLite", openSQLite, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			transporttest.Run(t, func(t *testing.T) transporttest.Connect {
				w := serve(t, c.open(t), httprelay.Options{})
				var mu sync.Mutex
				clients := make(map[string]*client.Client)
				return func(device string) trefoil.Transport {
					mu.Lock()
					defer mu.Unlock()
					if clients[device] == nil {
						clients[device] = w.client(w.person(device), c.change)
					}
					return clients[device]
				}
			})
		})
	}
}

// The client is a trefoil.Directory, too, on the same handler.
func TestDirectory(t *testing.T) {
	transporttest.RunDirectory(t, func(t *testing.T) transporttest.Reach {
		w := serve(t, store.NewMemory(), httprelay.Options{})
		return func(s trefoil.Signer) trefoil.Directory {
			c, err := client.New(client.Options{URL: w.url, Name: relayName})
			require.NoError(t, err)
			c.SignWith(s)
			return c
		}
	})
}
