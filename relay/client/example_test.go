package client_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"net/http/httptest"
	"strings"

	"github.com/trefoil-im/trefoil"
	"github.com/trefoil-im/trefoil/attachment"
	"github.com/trefoil-im/trefoil/event"
	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/relay"
	"github.com/trefoil-im/trefoil/relay/api"
	"github.com/trefoil-im/trefoil/relay/client"
	"github.com/trefoil-im/trefoil/relay/httprelay"
	relaystore "github.com/trefoil-im/trefoil/relay/store"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
)

// startRelay is the server: a relay in memory. A real one has its tables in package sqlrelay.
func startRelay() *httptest.Server {
	server := httptest.NewUnstartedServer(nil)
	r := relay.New(relaystore.NewMemory(), relay.Options{Name: server.Listener.Addr().String()}) // host and port, as devices know them
	server.Config.Handler = httprelay.New(r, httprelay.Options{})
	server.Start()
	return server
}

// open is a device: a client, and its line to the relay.
func open(ctx context.Context, url, name string) (*trefoil.Client, *client.Client) {
	line := ok(client.New(client.Options{URL: url, NoPush: true}))
	key := make([]byte, 32) // of a real program: from the platform's key store
	rand.Read(key)
	c := ok(trefoil.Open(ctx, store.NewMemory(), ok(state.NewKey(key)), line, trefoil.Options{
		Directory: line,
		Handle: func(_ context.Context, e event.Event) error {
			if m, is := e.(event.Message); is && !m.Own {
				fmt.Printf("%s reads: %s\n", name, m.Body)
			}
			return nil
		},
	}))
	ok(c.NewPerson(ctx)) // the relay lets in devices of persons only
	return c, line
}

// Two devices write to each other in a space, over a relay.
func Example() {
	ctx, server := context.Background(), startRelay()
	defer server.Close()
	ann, _ := open(ctx, server.URL, "Ann")
	bob, _ := open(ctx, server.URL, "Bob")
	space := ok(ann.NewSpace(ctx))
	made := ok(space.Invite(ctx, invite.Private(0)))
	joined := ok(bob.Join(ctx, ok(made.Link.URL("https://chat.example/join"))))
	ok(joined.Send(ctx, []byte("hello Ann")))
	for range 3 { // a program has Run in a goroutine instead
		succeed(bob.Sync(ctx))
		succeed(ann.Sync(ctx))
	}
	// Output: Ann reads: hello Ann
}

// A file goes to the relay as a blob. Its reference, which holds the key, and the address of the blob go into a message.
func ExampleBlobs() {
	ctx, server := context.Background(), startRelay()
	defer server.Close()
	ann, annLine := open(ctx, server.URL, "Ann")
	bob, bobLine := open(ctx, server.URL, "Bob")
	succeed(ann.Sync(ctx)) // publishes the persons, which the relay knows then
	succeed(bob.Sync(ctx))

	var blob bytes.Buffer // of a large file: a file, so that an upload can go on after a restart
	ref := ok(attachment.Seal(&blob, strings.NewReader(strings.Repeat("a photo of a knot ", 50_000))))
	address := ok(annLine.Blobs.Upload(ctx, bytes.NewReader(blob.Bytes()), int64(blob.Len())))
	message := append(address[:], ref.Marshal()...) // for Space.Send or Direct.Send

	got := ok(attachment.Parse(message[len(address):]))
	source := ok(bobLine.Blobs.Open(ctx, api.BlobAddress(message[:len(address)])))
	var file bytes.Buffer
	succeed(got.Decrypt(&file, source))
	fmt.Println(file.Len(), "bytes:", file.String()[:17])
	// Output: 900000 bytes: a photo of a knot
}

func ok[T any](v T, err error) T {
	succeed(err)
	return v
}

func succeed(err error) {
	if err != nil {
		panic(err)
	}
}
